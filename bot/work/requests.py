"""What people and moderators do to jobs that exist: cancel one, delete a clip, forget a person or a server.

First the store, then what follows from it: renders are stopped, and files that no row names any more are deleted.
Knows no Discord: the caller tells people and edits cards.
Tested in tests/bot/edge/commands/test_forgetting.py and tests/bot/edge/test_client.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bot.queue.job import CancelOutcome, Forgotten, ForgottenJob, Job
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.crew import Crew
from bot.work.ongoing import Concerns, Request

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""how long forgetting waits for renders and posts under way; what takes longer cleans up after itself"""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What is left to do outside of the bot's own data after somebody was forgotten."""

    jobs: list[ForgottenJob]
    interrupted: list[Request]
    """the requests that were being taken, as `Ongoing.take` was given them"""
    files: int
    """how many files were deleted"""


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

    async def forget_user(self, user_id: int) -> Cleared:
        """Delete all that is kept about one person, also what is being done for them at this moment.

        Jobs that had not been answered yet still have cards that show something.
        """
        cleared = await self._forget(
            lambda owner: owner.user_id == user_id, lambda: self._store.retention.forget_user(user_id)
        )
        self._store.names.forget(user_id)
        log.info("forgot one person: %d jobs, %d files", len(cleared.jobs), cleared.files)
        return cleared

    async def forget_guild(self, guild_id: int) -> Cleared:
        """Delete every job of a server, also what is being done there at this moment."""
        cleared = await self._forget(
            lambda owner: owner.guild_id == guild_id, lambda: self._store.retention.forget_guild(guild_id)
        )
        self._store.servers.drop(guild_id)
        self._store.trust.pictures.drop_server(guild_id)
        log.info("guild=%d left: %d jobs, %d files deleted", guild_id, len(cleared.jobs), cleared.files)
        return cleared

    async def _forget(self, concerns: Concerns, forget: Callable[[], Awaitable[Forgotten]]) -> Cleared:
        """Interrupt what is taken, delete the rows, stop the renders, delete the files, wait for what still goes on."""
        ongoing = self._crew.ongoing
        interrupted = await ongoing.interrupt(concerns)
        forgotten = await forget()
        for item in forgotten.jobs:
            self._crew.cancel(item.job.id)
        await self.delete_files(forgotten.files)
        for request in interrupted:
            await asyncio.to_thread(self._spool.delete_request, str(request.id))
        await ongoing.wait(concerns, PATIENCE_SECONDS)
        return Cleared(forgotten.jobs, interrupted, len(forgotten.files))

    async def delete_files(self, names: Iterable[str]) -> None:
        """Delete files of the spool that no row names any more."""
        names = list(names)
        self._store.names.drop(names)
        await asyncio.to_thread(self._spool.delete, names)
