"""What was used of a quota, counted from the jobs' rows, so that nothing can disagree with them after a crash.

Each public function is the inside of a transaction.

Tested in tests/bot/queue/servers/test_quotas.py.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.policy.quota import DAY_MS, Allowance, Exceeded, Measure, Quota, Scope, Used, exceeded, free_again_ms
from bot.queue.database import Statements
from bot.queue.estimates import encoding_ms, expected_ms
from generator.clip import ClipSettings
from generator.variants import Variant

_COUNTS = "state in ('queued', 'running', 'rendered')"
"""written as in the indexes of version_4.sql, so that SQLite uses them"""

_JOBS = {
    Scope.PERSON: f"from job where user_id = :user and created_ms > :since and {_COUNTS}",
    Scope.MEMBER: f"from job where user_id = :user and created_ms > :since and guild_id = :guild and {_COUNTS}",
    Scope.SERVER: f"from job where guild_id = :guild and created_ms > :since and guild_id is not null and {_COUNTS}",
}
_SPENT = {
    Scope.PERSON: "from spent where who = :who and created_ms > :since",
    Scope.MEMBER: "from spent where who = :who and created_ms > :since and at = :at",
    Scope.SERVER: "from spent where at = :at and created_ms > :since",
}
_ACTIVE = {
    Scope.PERSON: "from job where user_id = :user and state in ('queued', 'running')",
    Scope.MEMBER: "from job where user_id = :user and state in ('queued', 'running') and guild_id = :guild",
    Scope.SERVER: "from job where guild_id = :guild and (state = 'queued' or state = 'running')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Whose use is held against which quotas."""

    user_id: int
    guild_id: int | None
    allowance: Allowance


class QuotaReached(Exception):
    """A limit of a quota would be exceeded."""

    def __init__(self, found: Exceeded) -> None:
        super().__init__(f"{found.measure} of the {found.scope}")
        self.exceeded = found


def refuse_over_quota(db: Statements, ask: Ask, cost_ms: int, now_ms: int, clips: int = 1) -> None:
    """Raise QuotaReached when `clips` more, which cost so much together, would exceed a quota."""
    for scope, quota in ask.allowance.limited():
        values = _values(db, ask, now_ms)
        found = exceeded(scope, quota, _used(db, scope, quota, values), cost_ms, clips)
        if found is not None:
            free = None if found.never else _free_again(db, found, quota, values, cost_ms)
            raise QuotaReached(replace(found, free_again_ms=free))


def used(db: Statements, ask: Ask, now_ms: int) -> dict[Scope, Used]:
    """Return what was used of each quota that has a limit."""
    values = _values(db, ask, now_ms)
    return {scope: _used(db, scope, quota, values) for scope, quota in ask.allowance.limited()}


def expected_cost(db: Statements, settings: ClipSettings, variants: Mapping[str, Variant]) -> int:
    """Return what a job would be charged, in GPU milliseconds."""
    return expected_ms(db, settings, variants) + encoding_ms(settings, variants)


def _values(db: Statements, ask: Ask, now_ms: int) -> dict[str, Any]:
    return {
        "user": ask.user_id,
        "guild": ask.guild_id,
        "who": unnamed(db, ask.user_id),
        "at": None if ask.guild_id is None else unnamed(db, ask.guild_id),
        "since": now_ms - DAY_MS,
    }


def _used(db: Statements, scope: Scope, quota: Quota, values: Mapping[str, Any]) -> Used:
    count = "select count(*), coalesce(sum(cost_ms), 0)"
    clips = cost = 0
    if quota.clips_per_day or quota.gpu_seconds_per_day:
        for rows in (_JOBS[scope], _SPENT[scope]):
            [(more, ms)] = db.execute(f"{count} {rows}", values).fetchall()
            clips, cost = clips + more, cost + ms
    [(active, active_cost)] = db.execute(f"{count} {_ACTIVE[scope]}", values).fetchall()
    return Used(clips=clips, cost_ms=cost, active_clips=active, active_cost_ms=active_cost)


def _free_again(db: Statements, found: Exceeded, quota: Quota, values: Mapping[str, Any], cost_ms: int) -> int | None:
    if found.measure not in (Measure.CLIPS_PER_DAY, Measure.GPU_SECONDS_PER_DAY):
        return None
    sql = f"""
        select created_ms, cost_ms {_JOBS[found.scope]}
        union all select created_ms, cost_ms {_SPENT[found.scope]} order by created_ms
    """
    return free_again_ms(db.execute(sql, values).fetchall(), found.measure, quota, cost_ms)


def keep_spent(db: Statements, whose: str, value: int, now_ms: int) -> None:
    """Keep unnamed what was used of a day's quota by jobs that are about to be deleted: a person's or a server's."""
    sql = f"select user_id, guild_id, created_ms, cost_ms from job where {whose} = ? and state = 'rendered'"
    for user_id, guild_id, created_ms, cost_ms in db.execute(sql, (value,)).fetchall():
        if created_ms > now_ms - DAY_MS:
            at = None if guild_id is None else unnamed(db, guild_id)
            db.execute("insert into spent values (?, ?, ?, ?)", (unnamed(db, user_id), at, created_ms, cost_ms))


def delete_old_spent(db: Statements, now_ms: int) -> None:
    """Delete what no day's quota counts any more."""
    db.execute("delete from spent where created_ms <= ?", (now_ms - DAY_MS,))


def unnamed(db: Statements, number: int) -> str:
    """Return a keyed hash of a person's or a server's id."""
    [(key,)] = db.execute("select value from meta where key = 'debt_key'").fetchall()
    return keyed_hash(str(key), number)


def keyed_hash(key: str, number: int) -> str:
    """Return the keyed hash of an id: who has the key can find out whether a certain id belongs to it."""
    return hmac.digest(key.encode(), str(number).encode(), "sha256").hex()
