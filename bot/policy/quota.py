"""How much GPU time and how many clips somebody may have in a day and at once, and when more is free again. Pure.

A day is the last 24 hours, not a date: nobody's day begins when the server's does. What counts is what a job was
expected to cost when it was accepted, so that what is shown beforehand is what is charged. A job that failed or was
cancelled counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

DAY_MS = 24 * 3_600_000
MOST_CLIPS = 100_000
MOST_GPU_SECONDS = 1_000_000
"""11 days of one card"""


class Quota(BaseModel):
    """What may be had; 0 means no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips_per_day: int = Field(0, ge=0, le=MOST_CLIPS)
    gpu_seconds_per_day: int = Field(0, ge=0, le=MOST_GPU_SECONDS)
    clips_at_once: int = Field(0, ge=0, le=MOST_CLIPS)
    """waiting or being made"""
    gpu_seconds_at_once: int = Field(0, ge=0, le=MOST_GPU_SECONDS)

    @property
    def is_unlimited(self) -> bool:
        """Tell whether there is no limit at all."""
        return self == UNLIMITED


UNLIMITED = Quota()
_FIELDS = tuple(Quota.model_fields)


def lower(first: Quota, second: Quota) -> Quota:
    """Return the stricter of two quotas, limit by limit."""
    pairs = {name: (getattr(first, name), getattr(second, name)) for name in _FIELDS}
    return Quota(**{name: min(pair) if all(pair) else max(pair) for name, pair in pairs.items()})


def most_generous(quotas: Iterable[Quota]) -> Quota | None:
    """Return the most generous of several quotas, limit by limit; None when there are none."""
    found = list(quotas)
    if not found:
        return None
    values = {name: [getattr(quota, name) for quota in found] for name in _FIELDS}
    return Quota(**{name: max(numbers) if all(numbers) else 0 for name, numbers in values.items()})


class Scope(StrEnum):
    """Whose use is counted, and where."""

    PERSON = "person"
    """one person's, everywhere: the operator's limit"""
    MEMBER = "member"
    """one person's in this server: the server's own limit"""
    SERVER = "server"
    """everybody's in this server"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request is held against: a quota for each scope that has one."""

    quotas: tuple[tuple[Scope, Quota], ...] = ()

    def limited(self) -> tuple[tuple[Scope, Quota], ...]:
        """Return the scopes that have a limit at all."""
        return tuple((scope, quota) for scope, quota in self.quotas if not quota.is_unlimited)


NO_LIMITS = Allowance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one side grants: the operator for everybody, or a server for its own people."""

    person: Quota = UNLIMITED
    roles: Mapping[int, Quota] = field(default_factory=dict)
    """role id -> what its holders have instead of `person`; of several roles, the most generous"""
    server: Quota = UNLIMITED

    def of(self, roles: Iterable[int]) -> Quota:
        """Return the quota of a person with these roles."""
        return most_generous(self.roles[role] for role in roles if role in self.roles) or self.person


def allowance(operator: Limits, server: Limits | None, roles: Iterable[int]) -> Allowance:
    """Return what a request of a person with these roles is held against; `server` is None outside of servers.

    A server can only lower what the operator grants: both are held against, each over what it is about.
    """
    held = list(roles)
    quotas = [(Scope.PERSON, operator.of(held))]
    if server is not None:
        quotas += [(Scope.MEMBER, server.of(held)), (Scope.SERVER, lower(operator.server, server.server))]
    return Allowance(tuple(quotas))


class Measure(StrEnum):
    """Which limit of a quota it is."""

    CLIPS_PER_DAY = "clips_per_day"
    GPU_SECONDS_PER_DAY = "gpu_seconds_per_day"
    CLIPS_AT_ONCE = "clips_at_once"
    GPU_SECONDS_AT_ONCE = "gpu_seconds_at_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What was used of one scope; times are UTC milliseconds, costs GPU milliseconds."""

    clips: int = 0
    cost_ms: int = 0
    active_clips: int = 0
    active_cost_ms: int = 0

    def of(self, measure: Measure) -> int:
        """Return what a measure counts: clips, or GPU milliseconds."""
        return {
            Measure.CLIPS_PER_DAY: self.clips,
            Measure.GPU_SECONDS_PER_DAY: self.cost_ms,
            Measure.CLIPS_AT_ONCE: self.active_clips,
            Measure.GPU_SECONDS_AT_ONCE: self.active_cost_ms,
        }[measure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    """A limit that one more request would exceed."""

    scope: Scope
    measure: Measure
    limit: int
    """clips, or GPU seconds"""
    free_again_ms: int | None = None
    """when there is room again, if nothing else is asked for; None: when something that waits or runs is over"""
    never: bool = False
    """whether this one request alone is more than the limit"""


def _limit(quota: Quota, measure: Measure) -> int:
    return int(getattr(quota, measure))


def _is_gpu(measure: Measure) -> bool:
    return measure in (Measure.GPU_SECONDS_PER_DAY, Measure.GPU_SECONDS_AT_ONCE)


def exceeded(scope: Scope, quota: Quota, used: Used, cost_ms: int, clips: int = 1) -> Exceeded | None:
    """Return the first limit that `clips` more, which cost so much together, would exceed; None when there is room."""
    for measure in Measure:
        limit = _limit(quota, measure)
        if not limit:
            continue
        most, more = (limit * 1000, cost_ms) if _is_gpu(measure) else (limit, clips)
        if used.of(measure) + more > most:
            return Exceeded(scope=scope, measure=measure, limit=limit, never=more > most)
    return None


def free_again_ms(used: Sequence[tuple[int, int]], measure: Measure, quota: Quota, cost_ms: int) -> int | None:
    """Return when a day's limit has room for `cost_ms` more; `used` are (created, cost) of what counts, oldest first.

    None for a limit at once, and when the request alone is too much.
    """
    limit = _limit(quota, measure)
    if measure is Measure.CLIPS_PER_DAY:
        over, costs = len(used) + 1 - limit, [(at, 1) for at, _ in used]
    elif measure is Measure.GPU_SECONDS_PER_DAY:
        over, costs = sum(cost for _, cost in used) + cost_ms - limit * 1000, list(used)
    else:
        return None
    for at, cost in costs:
        over -= cost
        if over <= 0:
            return at + DAY_MS
    return None
