"""The deliveries: one row for each settled job, written in the transaction that settles it. Knows no Discord.

pending -> sending -> sent | dead. `sending` is written before the request goes out. A row that a dead process left
there is pending again after `recover`, and its first_try_ms says that the post may already have arrived. A person who
deletes a post proves its arrival: then it is `sent`, whatever it was (`retention.drop_files`).
"""

from __future__ import annotations

from bot.queue.database import Statements, fetch, fetch_one
from bot.queue.job import Delivery
from bot.queue.rows import DELIVERY_COLUMNS, delivery_from

LONGEST_WAIT_MS = 5 * 60_000
"""No back-off is longer, so a time further ahead than this means that the clock was set back."""


def add(db: Statements, job_id: int, now_ms: int) -> None:
    """Owe a settled job's person an answer."""
    fetch(db, "insert into outbox (job_id, state, next_ms) values (?, 'pending', ?)", (job_id, now_ms))


def due(db: Statements, now_ms: int, limit: int) -> list[Delivery]:
    """Give the deliveries to try now, the longest waiting first."""
    sql = f"""
        select {DELIVERY_COLUMNS} from outbox
        where state = 'pending' and (next_ms <= :now or next_ms > :now + {LONGEST_WAIT_MS})
        order by next_ms, job_id limit :limit
    """
    instance = _instance(db)
    return [delivery_from(row, instance) for row in fetch(db, sql, {"now": now_ms, "limit": limit})]


def of_job(db: Statements, job_id: int) -> Delivery | None:
    """Give one job's delivery."""
    row = fetch_one(db, f"select {DELIVERY_COLUMNS} from outbox where job_id = ?", (job_id,))
    return None if row is None else delivery_from(row, _instance(db))


def mark_sending(db: Statements, job_id: int, now_ms: int) -> bool:
    """Note that the request is about to go out; False: somebody else has this delivery."""
    sql = """
        update outbox set state = 'sending', attempts = attempts + 1, first_try_ms = coalesce(first_try_ms, :now)
        where job_id = :job and state = 'pending' returning job_id
    """
    return bool(fetch(db, sql, {"job": job_id, "now": now_ms}))


def mark_sent(db: Statements, job_id: int, message_id: int | None) -> bool:
    """Note that the post arrived; also after a look into the channel's history."""
    sql = """
        update outbox set state = 'sent', message_id = :message, error = null
        where job_id = :job and state in ('pending', 'sending') returning job_id
    """
    return bool(fetch(db, sql, {"job": job_id, "message": message_id}))


def mark_later(db: Statements, job_id: int, due_ms: int, error: str, now_ms: int) -> bool:
    """Try again at `due_ms`, at most the longest back-off from now."""
    sql = """
        update outbox set state = 'pending', next_ms = :due, error = :error
        where job_id = :job and state in ('pending', 'sending') returning job_id
    """
    due_ms = min(due_ms, now_ms + LONGEST_WAIT_MS)
    return bool(fetch(db, sql, {"job": job_id, "due": due_ms, "error": error}))


def mark_dead(db: Statements, job_id: int, error: str) -> bool:
    """Give up: no route is left. The clip stays for its person until the row goes."""
    sql = """
        update outbox set state = 'dead', error = :error
        where job_id = :job and state in ('pending', 'sending') returning job_id
    """
    return bool(fetch(db, sql, {"job": job_id, "error": error}))


def recover(db: Statements) -> int:
    """Put the dead process's unfinished posts back, due at once; give their number."""
    sql = "update outbox set state = 'pending', next_ms = 0 where state = 'sending' returning job_id"
    return len(fetch(db, sql))


def _instance(db: Statements) -> str:
    return str(fetch_one(db, "select value from meta where key = 'instance'")[0])
