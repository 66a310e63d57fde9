"""The jobs that may have been answered after the copy was made from which the data folder was restored.

Tested in tests/bot/queue/opening/test_recheck.py and tests/bot/edge/connection/test_restored.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bot.queue import deliveries
from bot.queue.database import Database, Statements
from bot.queue.fair_queue import refresh_lane
from bot.queue.job import Job
from bot.queue.opening.copies import forget_restored, is_recheck_due, note_restored
from bot.queue.rows import select_jobs

log = logging.getLogger(__name__)

_UNANSWERED = """
    where state in ('queued', 'running')
      or exists (select 1 from outbox where job_id = id and outbox.state in ('pending', 'sending'))
    order by tag, id limit :limit
"""


def close_answered(db: Statements, job_id: int, now_ms: int) -> None:
    """End a job whose answer has arrived: nothing is rendered or posted for it any more."""
    sql = """
        update job set state = 'cancelled', finished_ms = :now where id = :id and state = 'queued' returning user_id
    """
    for (user_id,) in db.execute(sql, {"id": job_id, "now": now_ms}).fetchall():
        deliveries.add(db, job_id, now_ms)
        refresh_lane(db, user_id)
    deliveries.mark_sent(db, job_id, None)


class Recheck:
    """Which jobs must be looked up before anything is rendered or posted."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    async def is_due(self) -> bool:
        """Tell whether the data folder was restored from a copy and its jobs were not looked up yet."""
        return await self._database.read(is_recheck_due)

    async def unanswered(self, limit: int) -> list[Job]:
        """Read the jobs that are not settled or not delivered, the next one first."""
        return await self._database.read(select_jobs, _UNANSWERED, {"limit": limit})

    async def note_restored(self) -> None:
        """Record that the data folder was restored, as an answer in Discord has shown."""
        await self._database.write(note_restored)

    async def close_answered(self, job_id: int) -> None:
        """Record that a job's answer has arrived: nothing is rendered or posted for it any more."""
        await self._database.write(close_answered, job_id, self._now_ms())
        log.warning("job=%d was answered after the copy was made that the data folder was restored from", job_id)

    async def done(self) -> None:
        """Record that every job was looked up."""
        await self._database.write(forget_restored)
