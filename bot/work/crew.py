"""All workers of one bot, asked and told as one. Knows no store and no backend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
        self._on_resume: list[Callable[[], None]] = []

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
        for resume in self._on_resume:
            resume()

    def on_resume(self, resume: Callable[[], None]) -> None:
        """Call this too when every worker starts jobs again."""
        self._on_resume.append(resume)

    def describe(self) -> list[dict[str, object]]:
        """Return each worker's facts; for a cluster, what it says of itself and then those of each node."""
        found: list[dict[str, object]] = []
        for facts in (member.describe() for member in self._members):
            nodes = facts.pop("nodes", ())
            found += [facts, *(nodes if isinstance(nodes, list) else ())]
        return found

    def any_may_start(self) -> bool:
        """Tell whether any worker may still start jobs."""
        return any(member.may_start for member in self._members)

    def has_idle_besides(self, one: Member) -> bool:
        """Tell whether another worker than `one` could begin a job now."""
        others = (member for member in self._members if member is not one)
        return any(other.may_start and not other.has_job for other in others)
