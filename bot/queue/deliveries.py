"""The deliveries: one row for each settled job, inserted in the transaction that settles it. Knows no Discord.

pending -> sending -> sent | dead. `sending` is written before the request goes out. A row that a dead process left
there is pending again after `recover`, and its first_try_ms says that the post may already have arrived. A person who
deletes a post proves that it arrived: then the row is `sent`, whatever it was (`retention.drop_files`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bot.queue.database import Database, Statements, fetch
from bot.queue.job import Delivery, DeliveryState, Job, running_ms
from bot.queue.life.phases import learn_sending
from bot.queue.rows import select_jobs

log = logging.getLogger(__name__)

_COLUMNS = "job_id, state, attempts, first_try_ms, message_id, error, nonce"

LONGEST_WAIT_MS = 5 * 60_000
"""no back-off is longer, so a time further ahead than this means that the clock was set back"""


def add(db: Statements, job_id: int, now_ms: int) -> None:
    """Insert the delivery row of a settled job."""
    [(key,)] = db.execute("select key from job where id = ?", (job_id,)).fetchall()
    sql = "insert into outbox (job_id, state, next_ms, nonce) values (?, 'pending', ?, ?)"
    db.execute(sql, (job_id, now_ms, nonce_of(job_id, key)))


def nonce_of(job_id: int, key: str) -> str:
    """Return the nonce of a job's post: at most 25 characters, and another one for another request with the same id."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:8]}-{job_id}"


def due(db: Statements, now_ms: int, limit: int) -> list[Delivery]:
    """Read the deliveries to attempt now, the longest waiting first."""
    sql = f"""
        select {_COLUMNS} from outbox
        where state = 'pending' and (next_ms <= :now or next_ms > :now + {LONGEST_WAIT_MS})
        order by next_ms, job_id limit :limit
    """
    return _deliveries(db, db.execute(sql, {"now": now_ms, "limit": limit}).fetchall())


def mark_sending(db: Statements, job_id: int, now_ms: int) -> int:
    """Write that the request is about to go out; return which attempt it is, 0 when the row is not pending."""
    sql = """
        update outbox set state = 'sending', attempts = attempts + 1, first_try_ms = coalesce(first_try_ms, :now)
        where job_id = :job and state = 'pending' returning attempts
    """
    return next((int(attempts) for (attempts,) in db.execute(sql, {"job": job_id, "now": now_ms}).fetchall()), 0)


def mark_sent(db: Statements, job_id: int, message_id: int | None) -> bool:
    """Write that the post arrived; return False when the row was settled before."""
    sql = """
        update outbox set state = 'sent', message_id = :message, error = null
        where job_id = :job and state in ('pending', 'sending') returning job_id
    """
    return bool(db.execute(sql, {"job": job_id, "message": message_id}).fetchall())


def _mark_sent_now(db: Statements, job_id: int, message_id: int | None, now_ms: int) -> bool:
    learn_sending(db, job_id, now_ms)
    return mark_sent(db, job_id, message_id)


def revive(db: Statements, job_id: int) -> None:
    """Make a delivery pending that had been given up before anything was sent."""
    sql = """
        update outbox set state = 'pending', next_ms = 0, attempts = 0, first_try_ms = null, error = null
        where job_id = ? and state = 'dead'
    """
    db.execute(sql, (job_id,))


def recover(db: Statements) -> None:
    """Make the posts pending that were begun and not finished, and due at once."""
    db.execute("update outbox set state = 'pending', next_ms = 0 where state = 'sending'")


def _of_job(db: Statements, job_id: int) -> Delivery | None:
    rows = db.execute(f"select {_COLUMNS} from outbox where job_id = ?", (job_id,)).fetchall()
    return next(iter(_deliveries(db, rows)), None)


_IN_CHANNEL = "(:channel is null or json_extract(route, '$.channel_id') = :channel)"


def _last_posted(db: Statements, limit: int, channel_id: int | None) -> list[tuple[Job, int]]:
    posted = "select message_id from outbox where job_id = job.id and state = 'sent' and message_id <> card_message_id"
    return [(job, int(message_id)) for job, message_id in _newest(db, posted, limit, channel_id)]


def _last_dead(db: Statements, limit: int, channel_id: int) -> list[tuple[Job, str]]:
    return _newest(db, "select error from outbox where job_id = job.id and state = 'dead'", limit, channel_id)


def _newest(db: Statements, found: str, limit: int, channel_id: int | None) -> list[tuple[Job, Any]]:
    """Read the newest jobs for which `found` finds something in the outbox, with what it finds."""
    tail = f"where exists ({found}) and {_IN_CHANNEL} order by id desc limit :limit"
    jobs = select_jobs(db, tail, {"limit": limit, "channel": channel_id})
    value = f"select ({found}) from job where id = ?"
    return [(job, db.execute(value, (job.id,)).fetchall()[0][0]) for job in jobs]


def _deliveries(db: Statements, rows: Sequence[Sequence[Any]]) -> list[Delivery]:
    """Read rows of _COLUMNS."""
    meta = dict(db.execute("select key, value from meta").fetchall()) if rows else {}
    return [
        Delivery(
            job_id=row[0],
            state=DeliveryState(row[1]),
            nonce=row[6] or f"{meta['instance']}-{row[0]}",  # of version 1
            # Up to that job, what was posted after the copy was made is not written here.
            may_have_arrived=row[2] > 0 or row[0] <= meta.get("restored_through", 0),
            attempts=row[2],
            first_attempt_ms=row[3],
            message_id=row[4],
            error=row[5],
        )
        for row in rows
    ]


class Deliveries:
    """What must be posted for each settled job, and how far that is."""

    def __init__(
        self, database: Database, now_ms: Callable[[], int], elapsed_ms: Callable[[], int] = running_ms
    ) -> None:
        self._database = database
        self._now_ms = now_ms
        self._elapsed_ms = elapsed_ms
        self._changed = asyncio.Event()
        self._first_tries: dict[int, int] = {}
        """of each unfinished delivery that this process attempted first: when, by `elapsed_ms`"""
        self.on_attempt_end: Callable[[DeliveryState, str], None] = lambda state, error: None
        """called with what a delivery is now, and why"""

    def wake(self) -> None:
        """Let `wait_for_delivery` return: a delivery was added or may be due."""
        self._changed.set()

    async def wait_for_delivery(self) -> None:
        """Wait until a delivery was added or changed since `due` last looked."""
        await self._changed.wait()

    async def recover(self) -> None:
        """Make the posts pending that nobody is sending any more: of a dead process, of a poster that was ended."""
        await self._database.write(recover)

    async def due(self, now_ms: int | None = None, limit: int = 25) -> list[Delivery]:
        """Read the deliveries to attempt now; one that is being sent is not among them."""
        self._changed.clear()
        found = await self._database.read(due, self._now_ms() if now_ms is None else now_ms, limit)
        if len(found) == limit:
            self._changed.set()  # there may be more than this look returned
        return [self._with_age(delivery) for delivery in found]

    async def of_job(self, job_id: int) -> Delivery | None:
        """Read one job's delivery; None while the job is not settled."""
        found = await self._database.read(_of_job, job_id)
        return None if found is None else self._with_age(found)

    async def count_open(self) -> int:
        """Count the deliveries that are still to be posted."""
        [(count,)] = await self._database.read(
            fetch, "select count(*) from outbox where state in ('pending', 'sending')"
        )
        return int(count)

    async def last_posted(self, limit: int, channel_id: int | None = None) -> list[tuple[Job, int]]:
        """Read the newest jobs, or those asked for in a channel, that were answered by a new message, with its id."""
        return await self._database.read(_last_posted, limit, channel_id)

    async def last_dead(self, limit: int, channel_id: int) -> list[tuple[Job, str]]:
        """Read the newest jobs asked for in a channel whose answer could not be posted, with the reason."""
        return await self._database.read(_last_dead, limit, channel_id)

    def _with_age(self, delivery: Delivery) -> Delivery:
        first = self._first_tries.get(delivery.job_id)
        return delivery if first is None else replace(delivery, first_attempt_age_ms=self._elapsed_ms() - first)

    async def mark_sending(self, job_id: int) -> bool:
        """Record, before the request goes out, that it does; return False when it must not be sent: not pending."""
        began = self._elapsed_ms()
        attempt = await self._database.write(mark_sending, job_id, self._now_ms())
        if attempt == 1:
            self._first_tries[job_id] = began
        return attempt > 0

    async def mark_sent(self, job_id: int, message_id: int | None) -> bool:
        """Record that the post arrived, also when it was found in the channel's history."""
        sent = await self._mark(_mark_sent_now, job_id, message_id, self._now_ms())
        self._first_tries.pop(job_id, None)
        self.on_attempt_end(DeliveryState.SENT, "")
        log.info("job=%d sent", job_id)
        return sent

    async def mark_later(self, job_id: int, due_ms: int, error: str) -> bool:
        """Make the delivery pending until `due_ms`, at most the longest back-off from now."""
        sql = """
            update outbox set state = 'pending', next_ms = :due, error = :error
            where job_id = :job and state in ('pending', 'sending') returning job_id
        """
        due_ms = min(due_ms, self._now_ms() + LONGEST_WAIT_MS)
        later = await self._mark(fetch, sql, {"job": job_id, "due": due_ms, "error": error})
        self.on_attempt_end(DeliveryState.PENDING, error)
        log.info("job=%d delivery waits: %s", job_id, error)
        self._changed.set()
        return later

    async def mark_dead(self, job_id: int, error: str) -> bool:
        """Record that no route is left. The clip is kept, and its person can fetch it."""
        sql = """
            update outbox set state = 'dead', error = :error
            where job_id = :job and state in ('pending', 'sending') returning job_id
        """
        dead = await self._mark(fetch, sql, {"job": job_id, "error": error})
        self._first_tries.pop(job_id, None)
        self.on_attempt_end(DeliveryState.DEAD, error)
        log.warning("job=%d delivery dead: %s", job_id, error)
        return dead

    async def _mark(self, statement: Callable[..., object], *args: object) -> bool:
        """Run one of the statements above as a transaction; return whether it changed the row."""
        return bool(await self._database.write(statement, *args))
