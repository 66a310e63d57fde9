"""Quotas as numbers: which limit is reached, when there is room again, and whose quota counts."""

from __future__ import annotations

import pytest

from bot.policy.quota import (
    DAY_MS,
    UNLIMITED,
    Limits,
    Measure,
    Quota,
    Scope,
    Used,
    allowance,
    exceeded,
    free_again_ms,
    lower,
    most_generous,
)

USED = Used(clips=3, cost_ms=30_000, active_clips=2, active_cost_ms=20_000)


@pytest.mark.parametrize(
    ("quota", "cost_ms", "clips", "measure"),
    [
        (Quota(), 10**9, 1, None),
        (Quota(clips_per_day=4), 10_000, 1, None),
        (Quota(clips_per_day=3), 10_000, 1, Measure.CLIPS_PER_DAY),
        (Quota(clips_per_day=4), 10_000, 2, Measure.CLIPS_PER_DAY),
        (Quota(gpu_seconds_per_day=40), 10_000, 1, None),
        (Quota(gpu_seconds_per_day=40), 10_001, 1, Measure.GPU_SECONDS_PER_DAY),
        (Quota(clips_at_once=3), 10_000, 1, None),
        (Quota(clips_at_once=2), 10_000, 1, Measure.CLIPS_AT_ONCE),
        (Quota(gpu_seconds_at_once=30), 10_000, 1, None),
        (Quota(gpu_seconds_at_once=29), 10_000, 1, Measure.GPU_SECONDS_AT_ONCE),
    ],
)
def test_a_limit_is_reached_by_what_would_exceed_it(
    quota: Quota, cost_ms: int, clips: int, measure: Measure | None
) -> None:
    found = exceeded(Scope.PERSON, quota, USED, cost_ms, clips)
    assert (found and found.measure) == measure
    assert found is None or not found.never


def test_a_request_that_alone_is_too_much_never_fits() -> None:
    found = exceeded(Scope.PERSON, Quota(gpu_seconds_per_day=10), Used(), 10_001)
    assert found is not None
    assert found.never


DAY = [(1_000, 10_000), (2_000, 20_000), (3_000, 30_000)]


@pytest.mark.parametrize(
    ("measure", "quota", "cost_ms", "after"),
    [
        (Measure.CLIPS_PER_DAY, Quota(clips_per_day=3), 1, 1_000),
        (Measure.CLIPS_PER_DAY, Quota(clips_per_day=1), 1, 3_000),
        (Measure.GPU_SECONDS_PER_DAY, Quota(gpu_seconds_per_day=60), 10_000, 1_000),
        (Measure.GPU_SECONDS_PER_DAY, Quota(gpu_seconds_per_day=60), 10_001, 2_000),
        (Measure.GPU_SECONDS_PER_DAY, Quota(gpu_seconds_per_day=60), 60_000, 3_000),
        (Measure.GPU_SECONDS_PER_DAY, Quota(gpu_seconds_per_day=60), 60_001, None),
        (Measure.CLIPS_AT_ONCE, Quota(clips_at_once=1), 1, None),
    ],
)
def test_there_is_room_again_when_enough_is_a_day_old(
    measure: Measure, quota: Quota, cost_ms: int, after: int | None
) -> None:
    assert free_again_ms(DAY, measure, quota, cost_ms) == (None if after is None else after + DAY_MS)


def test_of_two_quotas_the_lower_counts_and_none_is_no_limit() -> None:
    first, second = Quota(clips_per_day=5, clips_at_once=2), Quota(clips_per_day=9, gpu_seconds_per_day=60)
    assert lower(first, second) == Quota(clips_per_day=5, clips_at_once=2, gpu_seconds_per_day=60)


def test_of_several_roles_the_most_generous_counts() -> None:
    first, second = Quota(clips_per_day=5, clips_at_once=2), Quota(clips_per_day=9)
    assert most_generous([first, second]) == Quota(clips_per_day=9)
    assert most_generous([]) is None


def test_roles_stand_before_persons_and_a_server_only_lowers() -> None:
    operator = Limits(person=Quota(clips_per_day=5), roles={7: Quota(clips_per_day=50)}, server=Quota(clips_per_day=90))
    server = Limits(person=Quota(clips_per_day=2), roles={8: Quota()}, server=Quota(clips_per_day=100))
    quotas = dict(allowance(operator, server, [7, 8]).quotas)
    assert quotas == {Scope.PERSON: Quota(clips_per_day=50), Scope.MEMBER: UNLIMITED, Scope.SERVER: operator.server}
    assert dict(allowance(operator, server, [9]).quotas)[Scope.MEMBER] == server.person
    assert allowance(operator, None, [9]).quotas == ((Scope.PERSON, operator.person),)
    assert allowance(Limits(), Limits(), []).limited() == ()
