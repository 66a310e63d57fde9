"""All workers of one bot, asked and told as one. Knows no store and no backend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from bot.queue.fair_queue import Sizes
from bot.queue.life.advance import Advance, Standing
from bot.queue.life.phases import Course
from bot.work.ongoing import Ongoing
from generator.protocol import Progress, Rendered

UNFIT_SECONDS = 3600.0
"""how long a card is not asked again for a size that it had no room for: other programs may have used it"""


class Unfit:
    """The sizes of clips, as `size_of` names them, that one card has no room for."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._until: dict[str, float] = {}
        self._monotonic = monotonic

    def add(self, size: str) -> None:
        """Note a size that did not fit."""
        self._until[size] = self._monotonic() + UNFIT_SECONDS

    def forget(self, size: str) -> None:
        """Let a size be tried again."""
        self._until.pop(size, None)

    def sizes(self) -> frozenset[str]:
        """Return the sizes that are not to be tried now."""
        if not self._until:
            return frozenset()
        now = self._monotonic()
        return frozenset(size for size, until in self._until.items() if now < until)


class Member(Protocol):
    """What a crew needs of a worker."""

    unfit: Unfit
    """what its card has no room for"""
    is_closed: bool
    """it will never start a job again"""

    @property
    def may_start(self) -> bool:
        """Whether it may start jobs: not stopped by crashes, its backend not closed."""
        ...

    @property
    def executors(self) -> int:
        """How many cards its backend has that can render, with a model that could be loaded."""
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

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._members: list[Member] = []
        self.progress: dict[tuple[int, int], Progress] = {}
        """of each attempt, as job and attempt number, that a GPU has begun and that is not settled yet

        An executor takes one job more than it renders, so a running job may be absent.
        """
        self.advances: dict[tuple[int, int], Advance] = {}
        """of the same attempts: how far each is, and how long it still takes"""
        self.ongoing = Ongoing()
        """what they, and others, are doing for whom"""
        self.on_change: Callable[[], None] = lambda: None
        """called at each change of what the workers do"""
        self._change = asyncio.Event()
        self._on_resume: list[Callable[[], None]] = []

    def join(self, member: Member) -> None:
        """Add a worker."""
        self._members.append(member)

    def changed(self) -> None:
        """Wake everybody in `wait_for_change`."""
        self._change.set()
        self._change = asyncio.Event()
        self.on_change()

    async def wait_for_change(self) -> None:
        """Wait until a worker takes a job, ends one, stops or goes on."""
        await self._change.wait()

    async def wait_for_change_or(self, other: Coroutine[Any, Any, None]) -> None:
        """Wait until a worker changes what it does, or until `other` ends."""
        waits = [asyncio.create_task(wait) for wait in (self.wait_for_change(), other)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def note(self, attempt: tuple[int, int], progress: Progress, course: Course) -> None:
        """Note how far a render is; `course` is what its phases are expected to take.

        A preview stays until the next one: steps may follow quicker than a card is written.
        """
        now = self._monotonic()
        before = self.progress.get(attempt)
        preview = progress.preview or (before.preview if before else "")
        self.progress[attempt] = replace(progress, preview=preview)
        self.advances.setdefault(attempt, Advance(course, now)).note(progress, now)

    def with_phases(self, attempt: tuple[int, int], rendered: Rendered) -> Rendered:
        """Return a finished clip's facts with what the executor does not measure: loading, and writing the file."""
        advance = self.advances.get(attempt)
        seen = advance.finish(self._monotonic()) if advance else {}
        return replace(rendered, phase_seconds=seen | rendered.phase_seconds)

    def ended(self, attempt: tuple[int, int]) -> None:
        """Forget how far a render is."""
        self.progress.pop(attempt, None)
        self.advances.pop(attempt, None)

    def look(self, attempt: tuple[int, int]) -> Standing | None:
        """Return how far a render is now; None: no GPU has begun it."""
        advance = self.advances.get(attempt)
        return advance.look(self._monotonic()) if advance else None

    def left_ms(self) -> dict[int, int]:
        """Return how many milliseconds each render that has begun still takes, by its job."""
        now = self._monotonic()
        return {job_id: advance.look(now).left_ms for (job_id, _), advance in self.advances.items()}

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

    def count_able(self) -> int:
        """Return how many cards can render now: not stopped, and with a model that could be loaded."""
        return sum(member.executors for member in self._members if member.may_start)

    def sizes_for(self, one: Member, *, has_work: bool) -> Sizes | None:
        """Return which jobs a worker may claim; None: an idle GPU could begin the next one now, whichever it is."""
        others = [each for each in self._members if each is not one and each.may_start and not each.has_job]
        lacking = None
        if has_work and others:
            lacking = frozenset.intersection(*(each.unfit.sizes() for each in others))
            if not lacking:
                return None
        return Sizes(frozenset(size for size in one.unfit.sizes() if self.fits_another(size, one)), lacking)

    def fits_another(self, size: str, one: Member) -> bool:
        """Tell whether another card than that of `one` may have room for clips of this size."""
        others = (each for each in self._members if each is not one and not each.is_closed)
        return any(size not in each.unfit.sizes() for each in others)

    def fits_not_all(self, size: str) -> bool:
        """Tell whether a card here has no room for clips of this size."""
        return any(size in each.unfit.sizes() for each in self._members)

    def leaves_to_larger(self, one: Member, size: str) -> bool:
        """Note that the card of `one` has no room for this size, and tell whether another card may have it.

        When none has, the next such job is tried on all of them again.
        """
        one.unfit.add(size)
        if self.fits_another(size, one):
            return True
        for each in self._members:
            each.unfit.forget(size)
        return False
