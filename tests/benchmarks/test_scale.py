"""The simulated community, small: nobody gets more than their share, and a longer queue makes no claim dear."""

from __future__ import annotations

from random import Random

import pytest

from tests.benchmarks.__main__ import parse
from tests.benchmarks.scale import growth, lived, percentile, report_of
from tests.benchmarks.simulation.cards import Requests
from tests.benchmarks.simulation.day import HOUR_MS, Size
from tests.benchmarks.simulation.fairness import Fluid, pour
from tests.benchmarks.simulation.people import make_people, make_requests

SMALL = Size(gpus=3, people=240, hours=2, load=120, seed=3)


def test_a_small_community_is_served_fairly_and_its_queue_costs_little() -> None:
    figures = {name: float(value) for name, value in report_of(lived(SMALL)).figures.items()}
    assert figures["queue_longest"] > 50, "else nothing is shown about a queue"
    assert figures["behind_fair_share_p99_jobs"] <= 1.5
    assert figures["light_to_heavy_wait_p50"] <= 0.5
    assert figures["claim_growth_to_queue_growth"] <= 1
    assert figures["seconds_over_50_requests"] == 0
    assert figures["jobs_rendered"] > 100 and figures["jobs_cancelled"] > 0 and figures["jobs_given_back"] > 0


def test_a_queue_that_is_not_fair_would_be_seen() -> None:
    """The negative control: first come, first served, with somebody who asks for a hundred jobs at once."""
    fluid = Fluid({1: 100, 2: 100})
    fluid.ask(1, 100_000)
    fluid.ask(2, 10_000)
    for _ in range(10):
        fluid.give(1, 4_000)
        fluid.minute({1, 2})
    assert max(fluid.lags) == 10_000, "the second person should have had all their time, and had none"


def test_a_queue_that_takes_turns_is_never_far_behind() -> None:
    fluid = Fluid({1: 100, 2: 100})
    fluid.ask(1, 100_000)
    fluid.ask(2, 100_000)
    for minute in range(40):
        fluid.give(1 + minute % 2, 4_000)
        fluid.minute({1, 2})
    assert max(fluid.lags) == 2_000


def test_what_is_poured_follows_the_shares_and_nobody_gets_more_than_they_wait_for() -> None:
    assert pour(90, {1: 100, 2: 100}, {1: 100, 2: 200}) == {1: 30, 2: 60}
    assert pour(90, {1: 10, 2: 100}, {1: 100, 2: 100}) == {1: 10, 2: 80}
    assert pour(90, {1: 10, 2: 20}, {1: 100, 2: 100}) == {1: 10, 2: 20}


def test_a_claim_that_looks_through_the_whole_queue_more_than_once_would_be_seen() -> None:
    assert growth([(depth, 0.1) for depth in range(1, 1000)]) < 0.2
    assert growth([(depth, depth * 0.1) for depth in range(1, 1000)]) == pytest.approx(1, rel=0.1)
    assert growth([(depth, depth**2 * 0.1) for depth in range(1, 1000)]) > 2


def test_the_same_seed_gives_the_same_people_and_requests() -> None:
    def drawn(seed: int) -> list[tuple[int, int]]:
        rng = Random(seed)
        people = make_people(50, rng)
        return [(at, person.id) for at, person in make_requests(people, 300, 3_600_000, rng)]

    assert drawn(3) == drawn(3) != drawn(4)


def test_most_requests_come_in_the_evening_and_few_people_ask_for_much() -> None:
    rng = Random(5)
    people = make_people(2_000, rng)
    requests = make_requests(people, 20_000, 24 * HOUR_MS, rng)
    assert 18_000 < len(requests) < 24_000
    evening, morning = (sum(hour <= at / HOUR_MS < hour + 6 for at, _ in requests) for hour in (17, 5))
    assert evening > 2 * morning
    assert sum(person.is_heavy for _, person in requests) > len(requests) / 10


def test_what_discord_would_refuse_is_counted() -> None:
    requests = Requests()
    for number in range(6):
        requests.edit("state", number * 800, 7)
    for _ in range(51):
        requests.post("post", 60_000)
    assert (requests.over_global(), requests.over_channel()) == (1, 1)
    assert percentile(list(requests.seconds.values()), 1) == 51


def test_sizes_are_given_on_the_command_line() -> None:
    assert parse(["scale", "--json", "--gpus=10", "--hours=2"]) == (["scale"], True, {"gpus": 10, "hours": 2})


@pytest.mark.parametrize("given", [["demoo"], ["demo", "--mate"], ["demo", "-x"]])
def test_what_no_benchmark_knows_is_said_before_any_of_them_runs(given: list[str]) -> None:
    with pytest.raises(SystemExit, match="unknown: "):
        parse(given)
