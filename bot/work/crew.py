"""All workers of one bot, asked and told as one. Knows no store and no backend."""

from __future__ import annotations

import asyncio
from typing import Protocol

from bot.work.ongoing import Ongoing
from generator.protocol import Progress


class Member(Protocol):
    """What a crew needs of a worker."""

    @property
    def may_start(self) -> bool:
        """Whether it may start jobs: not stopped by crashes, its backend not closed."""
        ...

    @property
    def has_job(self) -> bool:
        """Whether it has a job; a claim under way may still find none."""
        ...

    def cancel(self, job_id: int) -> bool:
        """Stop a running render. Return False when this worker does not run it."""
        ...

    def resume(self) -> None:
        """Start jobs again after a series of crashes."""
        ...

    def describe(self) -> dict[str, object]:
        """Return facts for `/admin status`."""
        ...


class Crew:
    """All workers; wakes them when one changes what it does."""

    def __init__(self) -> None:
        self._members: list[Member] = []
        self.progress: dict[tuple[int, int], Progress] = {}
        """of each attempt, as job and attempt number, that a GPU has begun and that is not settled yet

        An executor takes one job more than it renders, so a running job may be absent.
        """
        self.ongoing = Ongoing()
        """what they, and others, are doing for whom"""
        self._change = asyncio.Event()

    def join(self, member: Member) -> None:
        """Add a worker."""
        self._members.append(member)

    def changed(self) -> None:
        """Wake everybody in `wait_for_change`."""
        self._change.set()
        self._change = asyncio.Event()

    async def wait_for_change(self) -> None:
        """Wait until a worker takes a job, ends one, stops or goes on."""
        await self._change.wait()

    def cancel(self, job_id: int) -> bool:
        """Stop a job's render, whichever worker runs it. Return False when none does."""
        return any(member.cancel(job_id) for member in self._members)

    def resume(self) -> None:
        """Let every worker start jobs again."""
        for member in self._members:
            member.resume()

    def describe(self) -> list[dict[str, object]]:
        """Return each worker's facts."""
        return [member.describe() for member in self._members]

    def any_may_start(self) -> bool:
        """Tell whether any worker may still start jobs."""
        return any(member.may_start for member in self._members)

    def has_idle_besides(self, one: Member) -> bool:
        """Tell whether another worker than `one` could begin a job now."""
        others = (member for member in self._members if member is not one)
        return any(other.may_start and not other.has_job for other in others)
