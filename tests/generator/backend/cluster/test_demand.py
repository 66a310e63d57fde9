"""How many cards are asked for: more at once, fewer only after a while, never more than allowed or needed."""

from __future__ import annotations

from generator.backend.cluster.demand import COOL_DOWN_SECONDS, WAIT_SECONDS, Demand


def test_a_long_queue_asks_for_as_many_cards_as_end_it_in_time() -> None:
    demand = Demand(most=10)
    assert demand.update(jobs=100, work_seconds=4 * WAIT_SECONDS, now=0) == 4


def test_never_more_than_the_operator_allows_and_never_more_than_there_are_jobs() -> None:
    assert Demand(most=2).update(jobs=100, work_seconds=1e6, now=0) == 2
    assert Demand(most=10).update(jobs=3, work_seconds=1e6, now=0) == 3
    assert Demand(most=0).update(jobs=100, work_seconds=1e6, now=0) == 0


def test_cards_are_kept_for_the_whole_cool_down_and_then_given_back() -> None:
    demand = Demand(most=10)
    demand.update(jobs=100, work_seconds=5 * WAIT_SECONDS, now=0)
    assert demand.update(jobs=0, work_seconds=0, now=COOL_DOWN_SECONDS - 1) == 5
    assert demand.update(jobs=0, work_seconds=0, now=COOL_DOWN_SECONDS) == 0


def test_a_queue_that_grows_again_begins_the_cool_down_anew() -> None:
    demand = Demand(most=10)
    demand.update(jobs=9, work_seconds=5 * WAIT_SECONDS, now=0)
    demand.update(jobs=9, work_seconds=5 * WAIT_SECONDS, now=COOL_DOWN_SECONDS - 1)
    assert demand.update(jobs=0, work_seconds=0, now=COOL_DOWN_SECONDS + 1) == 5
