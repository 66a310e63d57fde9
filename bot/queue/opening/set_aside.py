"""Setting a job aside whose row cannot be read: it fails, its person is told, and the row is kept for the operator.

A newer version that was taken back may leave such rows, or a hand at the sqlite3 shell. One of them must neither end
the bot nor hold up the queue.

Tested in tests/bot/queue/test_unreadable.py.
"""

from __future__ import annotations

from typing import Any

from bot.queue import deliveries
from bot.queue.database import Statements
from bot.queue.fair_queue import refresh_lane
from bot.queue.rows import JOB_COLUMNS, Unreadable, job_from, readable_part, to_text
from generator.errors import RenderCrashed

_KEEP_SQL = """
    insert or replace into set_aside
    select id, json_object('state', state, 'settings', json(settings), 'notes', json(notes), 'failure', json(failure),
      'facts', json(facts), 'route', json_remove(route, '$.interaction_token')), :now from job where id = :id
"""
_FAIL_SQL = """
    update job set state = 'failed', finished_ms = coalesce(finished_ms, :now), settings = :settings, notes = '[]',
      route = coalesce(:route, '{"application_id": 0, "channel_id": 0}'), failure = :failure, facts = null,
      told = null
    where id = :id
"""
_UNFINISHED = """
    where state not in ('rendered', 'failed', 'cancelled')
      or exists (select 1 from outbox where job_id = id and outbox.state in ('pending', 'sending'))
"""


def set_aside(db: Statements, job_id: int, now_ms: int) -> None:
    """Fail a job whose row cannot be read. Its person is told if the route can be read."""
    [(user_id, route, settings)] = db.execute(
        "select user_id, route, settings from job where id = ?", (job_id,)
    ).fetchall()
    values: dict[str, Any] = {
        "id": job_id,
        "now": now_ms,
        "route": readable_part("route", route),
        "settings": readable_part("settings", settings) or "{}",
        "failure": to_text(RenderCrashed("its row could not be read", type="Unreadable").to_wire()),
    }
    db.execute(_KEEP_SQL, values)
    db.execute(_FAIL_SQL, values)
    if not db.execute("select 1 from outbox where job_id = ?", (job_id,)).fetchall():
        deliveries.add(db, job_id, now_ms)
    if values["route"] is None:
        db.execute("update outbox set state = 'dead', error = 'unreadable' where job_id = ?", (job_id,))
    refresh_lane(db, user_id)


def set_aside_unreadable(db: Statements, now_ms: int) -> list[int]:
    """Set every unfinished job aside that cannot be read; return their ids."""
    found = []
    for row in db.execute(f"select {JOB_COLUMNS} from job {_UNFINISHED}").fetchall():
        try:
            job_from(row)
        except Unreadable as error:
            set_aside(db, error.job_id, now_ms)
            found.append(error.job_id)
    return found
