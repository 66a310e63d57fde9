"""The fair queue against a plain model, and what fairness means to people: shares, newcomers, nobody starves."""

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

from bot.queue import fair_queue
from bot.queue.estimates import kind_of
from bot.queue.job import CancelOutcome, Job, JobState, Limits, Outcome
from bot.queue.life import attempts
from generator.variants import BUILT_IN
from tests.support.jobs import faults, in_memory, new_job

NO_LIMITS = Limits(queued_per_user=0)


def ask(db: sqlite3.Connection, user: int, cost_ms: int, share: int = 100) -> Job:
    """Accept a request of a kind that is known to cost that much."""
    new = new_job(user, share=share, variant=f"costs-{cost_ms}")
    values = (kind_of(new.settings), new.settings.variant, *[cost_ms] * 4)
    sql = "insert into kind (name, variant, model_ms, cost_ms, low_ms, high_ms) values (?, ?, ?, ?, ?, ?)"
    db.execute(f"{sql} on conflict do nothing", values)
    return fair_queue.enqueue(db, new, NO_LIMITS, BUILT_IN, 0)


# -- the plain model ------------------------------------------------------------------------------------------------


@dataclass
class PlainJob:
    id: int
    user: int
    start: float
    tag: float
    state: str = "queued"


@dataclass
class PlainQueue:
    """Fair queuing by finish tags, as a textbook has it: lists and a minimum, no index, no cached head."""

    running_limit: int
    now: float = 0
    served: dict[int, float] = field(default_factory=dict)
    jobs: list[PlainJob] = field(default_factory=list)

    def enqueue(self, user: int, cost: int, share: int) -> None:
        own = [job.tag for job in self.jobs if job.user == user and job.state == "queued"]
        start = max([self.now, self.served.get(user, 0), *own])
        self.jobs.append(PlainJob(len(self.jobs) + 1, user, start, start + max(1, cost * 100 // share)))

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


class Queue(RuleBasedStateMachine):
    """The store's queue must do what the plain one does, whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.db = in_memory()
        self.limits = replace(NO_LIMITS, running_per_user=2)
        self.plain = PlainQueue(running_limit=2)
        self.held: list[Job] = []

    @rule(user=st.integers(1, 4), cost=st.integers(1, 500), share=st.sampled_from((50, 100, 200, 333)))
    def enqueue(self, user: int, cost: int, share: int) -> None:
        ask(self.db, user, cost, share)
        self.plain.enqueue(user, cost, share)

    @rule()
    def claim(self) -> None:
        job = fair_queue.claim(self.db, self.limits, 0)
        assert (job and job.id) == self.plain.claim()
        if job:
            self.held.append(job)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), state=st.sampled_from((JobState.RENDERED, JobState.FAILED, JobState.CANCELLED)))
    def settle(self, data: st.DataObject, state: JobState) -> None:
        job = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        assert attempts.settle(self.db, job, Outcome(state=state), 0)
        self.plain.jobs[job.id - 1].state = "settled"

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        job = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        assert attempts.give_back(self.db, job, None, 3, 0) is JobState.QUEUED
        self.plain.jobs[job.id - 1].state = "queued"

    @precondition(lambda self: self.plain.waiting())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.plain.waiting()))
        assert attempts.cancel(self.db, job.id, 0) is CancelOutcome.QUEUED_CANCELLED
        job.state = "settled"

    @rule()
    def restart(self) -> None:
        assert {job.id for job in attempts.recover(self.db, 0)} == {job.id for job in self.held}
        for job in self.held:
            self.plain.jobs[job.id - 1].state = "queued"
        self.held.clear()

    @invariant()
    def the_queue_is_the_plain_queue(self) -> None:
        waiting = fair_queue.waiting(self.db, 1_000)
        assert [job.id for job in waiting] == [job.id for job in self.plain.waiting()]
        assert faults(self.db) == []
        if waiting:
            last = fair_queue.position(self.db, waiting[-1].id, 1, 0)
            assert last is not None
            assert (last.position, last.waiting) == (len(waiting), len(waiting))

    def teardown(self) -> None:
        self.db.close()


TestTheQueueAgainstAPlainModel = Queue.TestCase
TestTheQueueAgainstAPlainModel.settings = settings(
    max_examples=80, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)


class FirstComeFirstServed(PlainQueue):
    """What the store must not be."""

    def waiting(self) -> list[PlainJob]:
        return sorted(super().waiting(), key=lambda job: job.id)


class UnfairQueue(Queue):
    def __init__(self) -> None:
        super().__init__()
        self.plain = FirstComeFirstServed(running_limit=2)


def test_the_model_catches_an_unfair_order() -> None:
    """The negative control: first come, first served must not pass for the fair queue."""
    few = settings(max_examples=80, stateful_step_count=50, deadline=None, phases=[Phase.generate], database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(UnfairQueue, settings=few)


@pytest.mark.soak
@pytest.mark.timeout(1800)
class TestTheQueueForLong(Queue.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=400, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck)
    )


# -- what it means --------------------------------------------------------------------------------------------------


def gpu_fractions(shares: dict[int, int], rng: random.Random, fair: bool = True) -> dict[int, float]:
    """Let people with these shares keep the queue full for a while; return each one's fraction of GPU time."""
    db = in_memory()
    spent: Counter[int] = Counter()
    costs: dict[int, int] = {}

    def enqueue(user: int) -> None:
        cost = rng.randrange(10_000, 60_000) * user  # some people always want longer clips than others
        cost_told = cost if fair else 1
        job = ask(db, user, cost_told, shares[user] if fair else 100)
        costs[job.id] = cost

    for user in shares:
        for _ in range(5):
            enqueue(user)
    for _ in range(800):
        job = fair_queue.claim(db, NO_LIMITS, 0)
        assert job is not None
        spent[job.user_id] += costs[job.id]
        attempts.settle(db, job, Outcome(state=JobState.RENDERED), 0)
        enqueue(job.user_id)
    db.close()
    return {user: spent[user] / spent.total() for user in shares}


def worst_error(fractions: dict[int, float], shares: dict[int, int]) -> float:
    return max(abs(fractions[user] / (share / sum(shares.values())) - 1) for user, share in shares.items())


SHARES = {1: 100, 2: 200, 3: 100, 4: 50}


def test_gpu_time_is_divided_by_shares_within_a_tenth() -> None:
    seed = secrets.randbits(32)
    error = worst_error(gpu_fractions(SHARES, random.Random(seed)), SHARES)
    print(f"\nfractions by shares {SHARES}: worst error {error:.1%}, seed={seed}")
    assert error < 0.10, f"seed {seed}"


def test_the_same_measure_catches_taking_turns_without_cost_and_share() -> None:
    """The negative control: round robin by jobs."""
    seed = secrets.randbits(32)
    error = worst_error(gpu_fractions(SHARES, random.Random(seed), fair=False), SHARES)
    print(f"\ntaking turns: worst error {error:.0%}, seed={seed}")
    assert error > 0.10, f"seed {seed}"


def jobs_before_newcomer(active: int, others_cost: int, own_cost: int, warm_up: int) -> int:
    """Let `active` people fill the queue and `warm_up` jobs run; count what starts before a newcomer's first job."""
    db = in_memory()
    for _ in range(50):
        for user in range(active):
            ask(db, user, others_cost)
    for _ in range(warm_up):
        job = fair_queue.claim(db, NO_LIMITS, 0)
        assert job is not None
        attempts.settle(db, job, Outcome(state=JobState.RENDERED), 0)
    newcomer = ask(db, 99, own_cost)
    before = 0
    while (claimed := fair_queue.claim(db, NO_LIMITS, 0)) is not None and claimed.id != newcomer.id:
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
    db = in_memory()
    for _ in range(50):
        ask(db, 1, 20_000)
    for newcomer in range(2, 12):
        ask(db, newcomer, 20_000)

    first = [fair_queue.claim(db, NO_LIMITS, 0) for _ in range(20)]
    db.close()

    assert {job.user_id for job in first if job} == set(range(1, 12))


def test_cancelled_jobs_do_not_count_against_their_person() -> None:
    db = in_memory()
    for number in range(1, 51):
        ask(db, 1, 20_000)
        attempts.cancel(db, number, 0)
    mine = ask(db, 1, 20_000)
    ask(db, 2, 20_000)

    claimed = fair_queue.claim(db, NO_LIMITS, 0)
    db.close()

    assert claimed is not None
    assert claimed.id == mine.id


def test_a_render_that_ran_and_was_cancelled_does_count() -> None:
    """Else somebody could hold the GPU by cancelling at the last step and asking again, with ever shorter jobs."""
    db = in_memory()
    ask(db, 2, 30_000)
    claimed = []
    for _ in range(5):
        ask(db, 1, 10_000)
        job = fair_queue.claim(db, NO_LIMITS, 0)
        assert job is not None
        attempts.settle(db, job, Outcome(state=JobState.CANCELLED), 0)
        claimed.append(job.user_id)
    db.close()

    assert 2 in claimed[:4]


def test_a_clip_that_takes_long_to_write_counts_for_more() -> None:
    db = in_memory()
    for user, smooth in ((1, False), (2, True), (1, False), (2, True)):
        new = new_job(user)
        new = replace(new, settings=replace(new.settings, variant="svd-xt", frames=25, smooth=smooth))
        fair_queue.enqueue(db, new, NO_LIMITS, BUILT_IN, 0)
    plain, smoothed = (cost for (cost,) in db.execute("select distinct cost_ms from job order by cost_ms").fetchall())
    assert smoothed == plain + 86 * 65, "the CPU's seconds are a person's own"
    assert [job.user_id for job in fair_queue.waiting(db)] == [1, 2, 1, 2]
    db.close()
