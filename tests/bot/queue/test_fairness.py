"""The line against a plain model, and what fairness means to people: shares, newcomers, nobody starves."""

from __future__ import annotations

import random
import secrets
import sqlite3
from collections import Counter
from dataclasses import dataclass, field, replace
from math import ceil

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bot.queue import jobs as line
from bot.queue.job import Job, JobState, Limits
from bot.queue.jobs import CancelOutcome, Outcome
from bot.queue.migrations import migrate, scripts
from generator.variants import BUILT_IN
from tests.faults.test_store_cancel import faults
from tests.support.jobs import new_job

NO_LIMITS = Limits(queued_per_user=0)


def memory() -> sqlite3.Connection:
    """Give the store's schema in memory: the transactions' insides are the same."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, scripts(), None)
    return db


# -- the plain model ------------------------------------------------------------------------------------------------


@dataclass
class PlainJob:
    id: int
    user: int
    start: float
    tag: float
    state: str = "queued"


@dataclass
class PlainLine:
    """Fair queuing by finish tags, as a textbook has it: lists and a minimum, no index, no cached head."""

    running_limit: int
    now: int = 0
    served: dict[int, int] = field(default_factory=dict)
    jobs: list[PlainJob] = field(default_factory=list)

    def enqueue(self, user: int, cost: int, weight: int) -> None:
        own = [job.tag for job in self.jobs if job.user == user and job.state == "queued"]
        start = max([self.now, self.served.get(user, 0), *own])
        self.jobs.append(PlainJob(len(self.jobs) + 1, user, start, start + max(1, cost * 100 // weight)))

    def waiting(self) -> list[PlainJob]:
        return sorted((job for job in self.jobs if job.state == "queued"), key=lambda job: (job.tag, job.id))

    def running(self, user: int) -> int:
        return sum(job.user == user and job.state == "running" for job in self.jobs)

    def claim(self) -> int | None:
        for job in self.waiting():
            if not self.running_limit or self.running(job.user) < self.running_limit:
                job.state = "running"
                self.now = max(self.now, job.start)
                self.served[job.user] = max(self.served.get(job.user, 0), job.tag)
                return job.id
        return None


class Line(RuleBasedStateMachine):
    """The store's line must do what the plain one does, whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.db = memory()
        self.limits = replace(NO_LIMITS, running_per_user=2)
        self.plain = PlainLine(running_limit=2)
        self.held: list[Job] = []

    @rule(user=st.integers(1, 4), cost=st.integers(1, 500), weight=st.sampled_from((50, 100, 200, 333)))
    def enqueue(self, user: int, cost: int, weight: int) -> None:
        new = new_job(user, cost_ms=cost, weight=weight)
        line.enqueue(self.db, new, self.limits, BUILT_IN, 0)
        self.plain.enqueue(user, cost, weight)

    @rule()
    def claim(self) -> None:
        job = line.claim(self.db, self.limits, 0)
        assert (job and job.id) == self.plain.claim()
        if job:
            self.held.append(job)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), state=st.sampled_from((JobState.RENDERED, JobState.FAILED, JobState.CANCELLED)))
    def settle(self, data: st.DataObject, state: JobState) -> None:
        job = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        assert line.settle(self.db, job, Outcome(state=state), 0)
        self.plain.jobs[job.id - 1].state = "settled"

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        job = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        assert line.give_back(self.db, job, None, 3, 0) is JobState.QUEUED
        self.plain.jobs[job.id - 1].state = "queued"

    @precondition(lambda self: self.plain.waiting())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.plain.waiting()))
        assert line.cancel(self.db, job.id, 0) is CancelOutcome.QUEUED_CANCELLED
        job.state = "settled"

    @rule()
    def restart(self) -> None:
        assert {job.id for job in line.recover(self.db, 0)} == {job.id for job in self.held}
        for job in self.held:
            self.plain.jobs[job.id - 1].state = "queued"
        self.held.clear()

    @invariant()
    def the_line_is_the_plain_line(self) -> None:
        waiting = line.waiting(self.db, 1_000)
        assert [job.id for job in waiting] == [job.id for job in self.plain.waiting()]
        assert faults(self.db) == []
        if waiting:
            place = line.place(self.db, waiting[-1].id, 1, 0)
            assert place is not None
            assert (place.position, place.waiting) == (len(waiting), len(waiting))

    def teardown(self) -> None:
        self.db.close()


TestTheLineAgainstAPlainModel = Line.TestCase
TestTheLineAgainstAPlainModel.settings = settings(
    max_examples=80, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)


class FirstComeFirstServed(PlainLine):
    """What the store must not be."""

    def waiting(self) -> list[PlainJob]:
        return sorted(super().waiting(), key=lambda job: job.id)


class UnfairLine(Line):
    def __init__(self) -> None:
        super().__init__()
        self.plain = FirstComeFirstServed(running_limit=2)


def test_the_model_catches_an_unfair_order() -> None:
    """The negative control: first come, first served must not pass for the fair line."""
    few = settings(max_examples=80, stateful_step_count=50, deadline=None, phases=[Phase.generate], database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(UnfairLine, settings=few)


@pytest.mark.soak
@pytest.mark.timeout(1800)
class TestTheLineForLong(Line.TestCase):
    settings = settings(
        max_examples=400, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck)
    )


# -- what it means --------------------------------------------------------------------------------------------------


def gpu_shares(weights: dict[int, int], rng: random.Random, fair: bool = True) -> dict[int, float]:
    """Let people with these weights keep the line full for a while; give each one's share of GPU time."""
    db = memory()
    spent: Counter[int] = Counter()
    costs: dict[int, int] = {}

    def enqueue(user: int) -> None:
        cost = rng.randrange(10_000, 60_000) * user  # some people always want longer clips than others
        told = cost if fair else 1
        job = line.enqueue(
            db, new_job(user, cost_ms=told, weight=weights[user] if fair else 100), NO_LIMITS, BUILT_IN, 0
        )
        costs[job.id] = cost

    for user in weights:
        for _ in range(5):
            enqueue(user)
    for _ in range(800):
        job = line.claim(db, NO_LIMITS, 0)
        assert job is not None
        spent[job.user_id] += costs[job.id]
        line.settle(db, job, Outcome(state=JobState.RENDERED), 0)
        enqueue(job.user_id)
    db.close()
    return {user: spent[user] / spent.total() for user in weights}


def worst_error(shares: dict[int, float], weights: dict[int, int]) -> float:
    return max(abs(shares[user] / (weight / sum(weights.values())) - 1) for user, weight in weights.items())


WEIGHTS = {1: 100, 2: 200, 3: 100, 4: 50}


def test_gpu_time_is_shared_by_weight_within_a_tenth() -> None:
    seed = secrets.randbits(32)
    error = worst_error(gpu_shares(WEIGHTS, random.Random(seed)), WEIGHTS)
    print(f"\nshares by weight {WEIGHTS}: worst error {error:.1%}, seed={seed}")
    assert error < 0.10, f"seed {seed}"


def test_the_same_measure_catches_taking_turns_without_cost_and_weight() -> None:
    """The negative control: round robin by jobs."""
    seed = secrets.randbits(32)
    error = worst_error(gpu_shares(WEIGHTS, random.Random(seed), fair=False), WEIGHTS)
    print(f"\ntaking turns: worst error {error:.0%}, seed={seed}")
    assert error > 0.10, f"seed {seed}"


def jobs_before_newcomer(active: int, others_cost: int, own_cost: int, warm_up: int) -> int:
    """Let `active` people fill the line and `warm_up` jobs run; count what starts before a newcomer's first job."""
    db = memory()
    for _ in range(50):
        for user in range(active):
            line.enqueue(db, new_job(user, cost_ms=others_cost), NO_LIMITS, BUILT_IN, 0)
    for _ in range(warm_up):
        job = line.claim(db, NO_LIMITS, 0)
        assert job is not None
        line.settle(db, job, Outcome(state=JobState.RENDERED), 0)
    newcomer = line.enqueue(db, new_job(99, cost_ms=own_cost), NO_LIMITS, BUILT_IN, 0)
    before = 0
    while (claimed := line.claim(db, NO_LIMITS, 0)) is not None and claimed.id != newcomer.id:
        before += 1
    db.close()
    return before


@pytest.mark.parametrize("active", [1, 3, 10])
@pytest.mark.parametrize(("others", "own"), [(20_000, 20_000), (20_000, 5_000), (20_000, 100_000), (30_000, 70_000)])
def test_a_newcomer_starts_within_the_bound(active: int, others: int, own: int) -> None:
    bound = active * ceil(own / others)
    seen = max(jobs_before_newcomer(active, others, own, warm_up) for warm_up in (0, 7, 20))
    print(f"\n{active} people with jobs of {others} ms, newcomer's {own} ms: after {seen} jobs, bound {bound}")
    assert seen <= bound


def test_one_person_with_fifty_jobs_starves_nobody() -> None:
    db = memory()
    for _ in range(50):
        line.enqueue(db, new_job(1), NO_LIMITS, BUILT_IN, 0)
    for newcomer in range(2, 12):
        line.enqueue(db, new_job(newcomer), NO_LIMITS, BUILT_IN, 0)

    first = [line.claim(db, NO_LIMITS, 0) for _ in range(20)]
    db.close()

    assert {job.user_id for job in first if job} == set(range(1, 12))


def test_cancelled_jobs_do_not_count_against_their_person() -> None:
    db = memory()
    for number in range(1, 51):
        line.enqueue(db, new_job(1), NO_LIMITS, BUILT_IN, 0)
        line.cancel(db, number, 0)
    mine = line.enqueue(db, new_job(1), NO_LIMITS, BUILT_IN, 0)
    line.enqueue(db, new_job(2), NO_LIMITS, BUILT_IN, 0)

    claimed = line.claim(db, NO_LIMITS, 0)
    db.close()

    assert claimed is not None
    assert claimed.id == mine.id


def test_a_render_that_ran_and_was_cancelled_does_count() -> None:
    """Else somebody could hold the GPU by cancelling at the last step and asking again, with ever shorter jobs."""
    db = memory()
    line.enqueue(db, new_job(2, cost_ms=30_000), NO_LIMITS, BUILT_IN, 0)
    claimed = []
    for _ in range(5):
        line.enqueue(db, new_job(1, cost_ms=10_000), NO_LIMITS, BUILT_IN, 0)
        job = line.claim(db, NO_LIMITS, 0)
        assert job is not None
        line.settle(db, job, Outcome(state=JobState.CANCELLED), 0)
        claimed.append(job.user_id)
    db.close()

    assert 2 in claimed[:4]
