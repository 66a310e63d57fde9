"""What people and moderators do to jobs that exist: cancel one, delete a clip, forget a person or a server.

First the store, then what follows from it: renders are stopped, and files that no row names any more are deleted.
Knows no Discord: the caller tells people and edits cards.
Tested in tests/bot/edge/commands/test_about.py and tests/bot/edge/test_client.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from bot.queue.job import CancelOutcome, Job
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.crew import Crew

log = logging.getLogger(__name__)


class Requests:
    """Acts on the store, the spool and the workers together."""

    def __init__(self, store: JobStore, spool: Spool, crew: Crew) -> None:
        self._store = store
        self._spool = spool
        self._crew = crew

    async def cancel(self, job_id: int, *, by_moderator: bool = False) -> CancelOutcome:
        """Cancel a job; a running render is stopped."""
        outcome = await self._store.jobs.cancel(job_id, by_moderator=by_moderator)
        if outcome is CancelOutcome.RUNNING_REQUESTED:
            self._crew.cancel(job_id)
        return outcome

    async def delete_clip(self, job: Job) -> None:
        """Delete the files of a job whose post the requester, a moderator or an owner has deleted."""
        await self.delete_files(await self._store.retention.drop_files(job.id))
        log.info("job=%d clip deleted", job.id)

    async def forget_user(self, user_id: int) -> tuple[list[Job], int]:
        """Delete all that is kept about one person, jobs in the queue included.

        Return the jobs that had not been answered yet, whose cards still show something, and the number of files.
        """
        unanswered = await self._store.jobs.unanswered(user_id)
        for job in unanswered:
            await self.cancel(job.id)
        names = await self._store.retention.forget_user(user_id)
        await self.delete_files(names)
        log.info("forgot one person: %d files", len(names))
        return unanswered, len(names)

    async def forget_guild(self, guild_id: int) -> None:
        """Delete every job of a server, also those in the queue."""
        ours = [job.id for job in await self._store.jobs.active() if job.route.guild_id == guild_id]
        names = await self._store.retention.forget_guild(guild_id)
        for job_id in ours:
            self._crew.cancel(job_id)
        await self.delete_files(names)
        log.info("guild=%d left, %d files deleted", guild_id, len(names))

    async def delete_files(self, names: Iterable[str]) -> None:
        """Delete files of the spool that no row names any more."""
        await asyncio.to_thread(self._spool.delete, names)
