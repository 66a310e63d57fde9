"""The waiting cards that are most wrong are edited first, and never more than Discord takes."""

from __future__ import annotations

import time
import timeit
from collections import Counter

from bot.edge.connection.pacing import Pace
from bot.edge.connection.refreshes import WaitingCard, choose_waiting

PACE = Pace(most_waiting=25, most_waiting_in_channel=3)


def cards(shown: dict[int, int | None], channels: int = 1000) -> list[WaitingCard]:
    """Return cards by position, each with what it shows, and the position as the job's id."""
    return [WaitingCard(position, position, seen, position % channels) for position, seen in shown.items()]


def test_a_card_that_is_right_is_left_alone() -> None:
    assert choose_waiting(cards({1: 1, 2: 2}), PACE) == ([], False)


def test_near_its_turn_one_step_counts_and_far_back_only_many_do() -> None:
    shown: dict[int, int | None] = {1: 2, 10: 11, 1_000: 1_001, 1_001: 3_003, 1_002: None}
    assert choose_waiting(cards(shown), PACE) == ([1_002, 1_001, 1, 10, 1_000], False)


def test_a_card_that_moved_back_is_as_wrong_as_one_that_moved_up() -> None:
    assert choose_waiting(cards({40: 10, 50: 100, 60: 59}), PACE)[0] == [40, 50, 60]


def test_a_refresh_edits_no_more_than_its_bound_and_says_that_there_is_more() -> None:
    chosen, is_more = choose_waiting(cards(dict.fromkeys(range(1, 101))), PACE)
    assert (chosen, is_more) == (list(range(1, 26)), True), "the nearest first"


def test_one_channel_gets_no_more_than_its_own_bound() -> None:
    chosen, is_more = choose_waiting(cards(dict.fromkeys(range(1, 101)), channels=4), PACE)
    assert is_more
    assert Counter(position % 4 for position in chosen) == {0: 3, 1: 3, 2: 3, 3: 3}


def test_a_card_that_rests_waits_for_the_next_refresh() -> None:
    resting = WaitingCard(1, 1, None, 5, is_resting=True)
    assert choose_waiting([resting, WaitingCard(2, 2, 3, 5)], PACE) == ([2], True)


def test_every_card_of_a_long_queue_is_told_in_the_end() -> None:
    shown: dict[int, int | None] = dict.fromkeys(range(1, 201))
    for _ in range(8):
        shown |= {job_id: job_id for job_id in choose_waiting(cards(shown), PACE)[0]}
    assert choose_waiting(cards(shown), PACE) == ([], False)


def test_ten_thousand_cards_hold_up_nothing() -> None:
    waiting = cards({position: position + 7 for position in range(1, 10_001)})
    chosen, _ = choose_waiting(waiting, PACE)
    assert chosen[:2] == [1, 2]
    # Without a collection of what other tests left in this process, and without what a busy machine does once.
    seconds = timeit.repeat(lambda: choose_waiting(waiting, PACE), timer=time.process_time, number=1, repeat=3)
    assert min(seconds) < 0.2
