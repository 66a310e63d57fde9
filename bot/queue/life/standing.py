"""Where a waiting job stands, as its person is told: who comes before it, and how long everything still takes.

`fair_queue.position` has its place and the range of the GPU's time; this adds the rest. Each public function is the
inside of a transaction.

Tested in tests/bot/queue/life/test_standing.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.queue import fair_queue
from bot.queue.database import Statements
from bot.queue.job import QueuePosition
from bot.queue.life.phases import course_of
from generator.clip import ClipSettings
from generator.variants import Variant

_OVERDUE_GOES_ON, _LEAST_LEFT = 0.5, 0.1
"""of a running job of which the crew says nothing: as in `advance`, which those of the crew have"""

# The people who wait have a row each with their first job, so a long queue is not walked through.
_PEOPLE_SQL = """
    select
      (select count(*) from lane where head_id is not null and (head_tag, head_id) < (:tag, :id)) +
      (select count(*) from (select distinct user_id from job where state = 'running') r
        left join lane l on l.user_id = r.user_id
        where l.head_id is null or (l.head_tag, l.head_id) >= (:tag, :id))
"""
_OWN_SQL = """
    select count(*) from job where user_id = :user
      and (state = 'running' or (state = 'queued' and (tag, id) < (:tag, :id)))
"""
_AHEAD_SQL = """
    select coalesce(sum(k.cost_ms), 0) from job j join kind k on k.id = j.kind_id
    where j.state = 'queued' and (j.tag, j.id) < (:tag, :id)
"""


@dataclass(frozen=True, slots=True)
class Cards:
    """What the graphics cards do now."""

    executors: int
    """how many there are"""
    now_ms: int
    settled_ms: int = 0
    """when a job last left an executor"""
    left_ms: Mapping[int, int] | None = None
    """by job, how long each render that has begun still takes, as its steps tell; None: nothing is known"""


def standing(db: Statements, job_id: int, cards: Cards, variants: Mapping[str, Variant]) -> QueuePosition | None:
    """Read where a queued job stands, who comes before it and when it may be done; None when it is not queued."""
    found = fair_queue.position(db, job_id, cards.executors, cards.now_ms, cards.settled_ms)
    if found is None:
        return None
    sql = "select j.user_id, j.tag, j.settings, k.cost_ms from job j join kind k on k.id = j.kind_id where j.id = ?"
    [(user_id, tag, settings, cost_ms)] = db.execute(sql, (job_id,)).fetchall()
    before = {"tag": tag, "id": job_id, "user": user_id}
    [(people,)] = db.execute(_PEOPLE_SQL, before).fetchall()
    [(own,)] = db.execute(_OWN_SQL, before).fetchall()
    running = _left(db, cards)
    if found.position - 1 + len(running) >= cards.executors:
        [(ahead_ms,)] = db.execute(_AHEAD_SQL, before).fetchall()
        cost_ms += (ahead_ms + sum(running)) // cards.executors
    after_ms = round(course_of(db, ClipSettings.from_json(json.loads(settings)), variants).after_ms)
    return replace(found, eta_ms=cost_ms + after_ms, after_ms=after_ms, running=len(running), people=people, own=own)


def _left(db: Statements, cards: Cards) -> list[int]:
    """Return the milliseconds that each running job still needs."""
    sql = """
        select j.id, j.started_ms, k.cost_ms from job j join kind k on k.id = j.kind_id
        where j.state = 'running' order by j.started_ms, j.id
        """
    known, left = cards.left_ms or {}, []
    for number, (job_id, started_ms, cost_ms) in enumerate(db.execute(sql).fetchall()):
        began = max(started_ms, cards.settled_ms) if cards.executors == 1 else started_ms
        age = max(0, cards.now_ms - began) if number < cards.executors else 0
        guess = max(cost_ms - age, cost_ms * _LEAST_LEFT, (age - cost_ms) * _OVERDUE_GOES_ON)
        left.append(known.get(job_id, round(guess)))
    return left
