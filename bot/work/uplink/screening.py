"""Asks the picture filter, in the servers that want it: about pictures before the queue, clips before they are posted.

Its answer is the guess of a small model. Knows no Discord.

Tested in tests/bot/edge/commands/reviews/test_reviews.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.config import Config
from bot.policy.filtering import Guess, Outcome, outcome_of
from bot.policy.server import FilterAction
from bot.queue.job import Job
from bot.queue.servers.reviews import ReviewState, clip_key
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from generator.picture.intake import PictureChild
from generator.video.shrink import take_stills


@dataclass(frozen=True, slots=True)
class Screened:
    """What becomes of a picture or a clip, and the guess, where one was made."""

    outcome: Outcome
    guess: Guess | None = None


_PASSES = Screened(Outcome.PASS)
_BY_REVIEW = {
    ReviewState.OFFERED: Outcome.REFUSE,
    ReviewState.ASKED: Outcome.ASK,
    ReviewState.ALLOWED: Outcome.PASS,
    ReviewState.REFUSED: Outcome.REFUSE,
}


class Screening:
    """Judges pictures and clips. Raises FilterUnusable when a server wants it and the model cannot be asked."""

    def __init__(self, config: Config, store: JobStore, spool: Spool, pictures: PictureChild) -> None:
        self._filter = config.filter
        self._store = store
        self._spool = spool
        self._pictures = pictures
        self._passed: set[int] = set()
        """the jobs whose clips passed since the start"""

    async def picture(self, guild_id: int | None, name: str, *, is_age_restricted: bool) -> Screened:
        """Judge a conditioning image in the spool."""
        if self._action(guild_id) is FilterAction.OFF:
            return _PASSES
        return self._judged(guild_id, await self._pictures.judge(self._spool.path(name)), is_age_restricted)

    async def clip(self, job: Job, *, is_age_restricted: bool) -> Screened:
        """Judge a few frames of a rendered job's clip, unless moderators have seen it or its picture.

        Raises ClipGone, and RenderError when no frame can be taken out.
        """
        guild_id = job.route.guild_id
        if self._action(guild_id) is FilterAction.OFF or job.id in self._passed:
            return _PASSES
        if known := await self._store.reviews.get(clip_key(job)):
            return Screened(_BY_REVIEW[known.state])
        seen = await self._store.reviews.get(job.key)
        if seen is not None and seen.state is ReviewState.ALLOWED:
            return _PASSES
        found = self._judged(guild_id, await self._score(job), is_age_restricted)
        if found.outcome is Outcome.PASS:
            self._passed.add(job.id)
        return found

    async def _score(self, job: Job) -> float:
        clip = self._spool.clip_of(job)
        stills = clip.with_name(f".{clip.stem}.frames.png")
        try:
            count = await take_stills(clip, stills, self._filter.frames)
            return await self._pictures.judge(stills, count)
        finally:
            await asyncio.to_thread(Path.unlink, stills, missing_ok=True)

    def _action(self, guild_id: int | None) -> FilterAction:
        return self._store.servers.settings(guild_id).filter_action

    def _judged(self, guild_id: int | None, score: float, is_age_restricted: bool) -> Screened:
        guess = Guess(score=score, threshold=self._filter.threshold, model=self._pictures.filter_model.name)
        settings = self._store.servers.settings(guild_id)
        outcome = outcome_of(
            settings.filter_action,
            guess,
            is_age_restricted=is_age_restricted,
            has_moderators=settings.log_channel is not None,
        )
        return Screened(outcome, guess)
