"""Delivery: posts every settled job's clip or failure exactly once, or keeps it with the reason why not.

`sending` is written before the request and `sent` after its answer. Between the two anything may die: the nonce lets
Discord drop a repeat for a few minutes, and past that the channel's history is searched for our message first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial

import aiohttp
import discord

from bot.edge.card_edits import edit_card, remove_card
from bot.edge.connection.left_cards import end_left_cards
from bot.edge.http_errors import DELETED, NETWORK_ERRORS, AttemptResult, Next, classify, wait_ms
from bot.edge.layouts.cards import dead_card, status_card
from bot.edge.posting import Posting, Unposted
from bot.edge.status_cards import StatusCards
from bot.queue.database import StoreFull
from bot.queue.job import DeadReason, Delivery, Job, JobState
from bot.queue.servers.reviews import clip_key
from bot.queue.spool import ClipGone
from bot.queue.store import JobStore
from bot.texts.jobs.status import CardView
from bot.texts.languages.spoken import speak
from bot.work.ongoing import Ongoing, Owner
from bot.work.retry import retry_while_full
from bot.work.supervise import damage_in
from bot.work.uplink.uploads import MOST_STALLS, NeverBegun, UploadSlots

log = logging.getLogger(__name__)

SEND_SECONDS = 3600.0
"""one attempt's limit, however much moves: look-up, shrinking and upload"""
CUT_SECONDS = 60.0
"""an upload that is cut after so long was too slow for somebody on the way"""
AT_ONCE = 1000
"""deliveries held in memory, most of them waiting for their next attempt"""
UPLOADS_AT_ONCE = 6
"""half of the client's connections: slow uploads must leave room for answering commands"""
ROOM_SECONDS = 30.0
"""between looks whether a full disk has room again; it tells nobody"""
TIDY_ATTEMPTS = 3
TIDY_SECONDS = 30.0
EVER_MS = 2**62
CONTAINED = (Exception,)
"""what may go wrong with one delivery without ending the others"""

STALL = AttemptResult(Next.LATER, "the upload stood still")
"""of an attempt that may do better with less to send"""

Pause = Callable[[float], Awaitable[object]]
Screen = Callable[[Job], Awaitable[Job]]
"""returns a rendered job as its clip may be posted. Raises Unposted when it may not be"""


async def as_it_is(job: Job) -> Job:
    """Let every clip be posted as it is."""
    return job


class Poster:
    """Posts what is due, one clip at a time in each channel: a slow upload delays only the clips of its own channel."""

    def __init__(
        self,
        store: JobStore,
        client: discord.Client,
        cards: StatusCards,
        posting: Posting,
        *,
        ongoing: Ongoing,
        now_ms: Callable[[], int],
        pause: Pause,
        screen: Screen = as_it_is,
    ) -> None:
        self.store = store
        self._screen = screen
        self._client = client
        self._cards = cards
        self.posting = posting
        self._ongoing = ongoing
        self.now_ms = now_ms
        self._pause = pause
        self._held: set[int] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._uploads = UploadSlots(UPLOADS_AT_ONCE)
        self._channels: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()

    async def run(self) -> None:
        """Deliver until cancelled, first what an earlier run left unfinished."""
        await self.store.deliveries.recover()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(end_left_cards(self._client, self.store, self.now_ms()), name="left cards")
            while True:
                # All of them, not only those due by now: one that waits is held in memory, and a clock that was set
                # back must not hide the others.
                due = await self.store.deliveries.due(EVER_MS, limit=len(self._held) + AT_ONCE)
                for delivery in due:
                    if delivery.job_id not in self._held:
                        await self._room.acquire()
                        self._held.add(delivery.job_id)
                        tasks.create_task(self._hold(delivery), name=f"deliver-{delivery.job_id}")
                await self.store.deliveries.wait_for_delivery()

    async def _hold(self, delivery: Delivery) -> None:
        """Deliver one job. A surprise ends neither the other deliveries nor the bot: it is tried again later."""
        surprise: BaseException | None = None
        try:
            while True:
                try:
                    if surprise is not None:
                        # The row may say `sending`, which would be taken for somebody else's attempt.
                        reason = type(surprise).__name__
                        await self.store.deliveries.mark_later(delivery.job_id, self.now_ms(), reason)
                        delivery = await self.store.deliveries.of_job(delivery.job_id) or delivery
                    return await self._deliver(delivery)
                except CONTAINED as error:
                    if damage_in(error):
                        raise  # no later attempt helps
                    log.error("job=%d delivery failed", delivery.job_id, exc_info=error)
                    surprise = error
                await self._pause(ROOM_SECONDS)
        finally:
            self._held.discard(delivery.job_id)
            self._room.release()

    async def _deliver(self, delivery: Delivery) -> None:
        stalls = 0
        while job := await self.store.jobs.get(delivery.job_id):
            async with self._turn(job):
                speak(job.route.language)
                with self._ongoing.noted(Owner(job.user_id, job.route.guild_id)):
                    first_ms = delivery.first_attempt_ms or self.now_ms()
                    result, url = await self.attempt(job, replace(delivery, stalls=stalls))
                    stalls += self._learn(job, result)
                    if await self.store.jobs.get(job.id) is None:
                        await self._take_down(job, replace(delivery, first_attempt_ms=first_ms), url)
                        return
            if result.next is not Next.LATER:
                await self._tidy(job, result, url)
                return
            rest_ms = wait_ms(delivery.attempts, random.random())
            log.info("job=%d delivery again in %.1f s: %s", job.id, rest_ms / 1000, result.reason)
            later_ms = self.now_ms() + rest_ms
            await self._insist(partial(self.store.deliveries.mark_later, job.id, later_ms, result.reason))
            await self._pause(rest_ms / 1000)
            delivery = await self.store.deliveries.of_job(job.id) or delivery

    @contextlib.asynccontextmanager
    async def _turn(self, job: Job) -> AsyncIterator[None]:
        """Wait until the job may be posted. What uploads nothing need not wait for what may take an hour."""
        if job.state is not JobState.RENDERED:
            yield
            return
        async with self._channels.setdefault(job.route.channel_id, asyncio.Lock()), self._uploads:
            yield

    def _learn(self, job: Job, result: AttemptResult) -> int:
        """Run fewer uploads at once after one stood still, more after one arrived. Return how many stood still."""
        if result.reason in (STALL.reason, DeadReason.TOO_SLOW):
            self._uploads.narrow()
            return 1
        if result.next is Next.SENT and job.state is JobState.RENDERED:
            self._uploads.widen()
        return 0

    async def attempt(self, job: Job, delivery: Delivery) -> tuple[AttemptResult, str | None]:
        """Try once and store the result, unless it is to be tried again. Return the result and the post's address."""
        await self._cards.finish(job.id)
        if not await self._insist(partial(self.store.deliveries.mark_sending, job.id)):
            return AttemptResult(Next.SENT), None  # forgotten meanwhile
        url, message_id = None, None
        begun = time.monotonic()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                if job.state is JobState.CANCELLED:
                    await self._close_cancelled(job)
                else:
                    url = await self.posting.post(await self._screen(job), delivery, self.now_ms())
            result = AttemptResult(Next.SENT)
            message_id = int(url.rpartition("/")[2]) if url else job.card_message_id
        except Unposted as error:
            result = AttemptResult(Next.DEAD, error.reason)
        except ClipGone:
            result = AttemptResult(Next.DEAD, DeadReason.CLIP_GONE)
        except NETWORK_ERRORS as error:
            result = classify(error)
            if job.state is JobState.RENDERED and is_stall(error, time.monotonic() - begun):
                gives_up = delivery.stalls + 1 >= MOST_STALLS
                result = AttemptResult(Next.DEAD, DeadReason.TOO_SLOW) if gives_up else STALL
        except Exception as error:
            log.error("job=%d delivery failed", job.id, exc_info=error)
            result = AttemptResult(Next.LATER, type(error).__name__)
        if result.next is Next.SENT:
            await self._insist(partial(self.store.deliveries.mark_sent, job.id, message_id))
        elif result.next is not Next.LATER:
            result = AttemptResult(Next.DEAD, result.reason)
            await self._insist(partial(self.store.deliveries.mark_dead, job.id, result.reason))
        return result, url

    async def _insist(self, write: Callable[[], Awaitable[bool]]) -> bool:
        return await retry_while_full(write, self._wait_for_room)

    async def _wait_for_room(self, error: StoreFull) -> None:
        log.error("no room on the disk to note a delivery: %s", error)
        await self._pause(ROOM_SECONDS)

    async def _close_cancelled(self, job: Job) -> None:
        view = status_card(CardView(job=job))
        try:
            await edit_card(self._client, job, view, now_ms=self.now_ms(), bare=True)
        except discord.HTTPException as error:
            is_token_dead = error.status == 401 and not job.route.can_post
            if not is_token_dead and error.status not in (403, 404):
                raise  # else nobody is waiting for anything

    async def _take_down(self, job: Job, delivery: Delivery, url: str | None) -> None:
        """Delete what has been posted, or may have been, of a job that was forgotten meanwhile."""
        for attempt in range(TIDY_ATTEMPTS):
            try:
                async with asyncio.timeout(TIDY_SECONDS):
                    if url is None:  # the card itself may show the clip
                        await self._close_cancelled(replace(job, state=JobState.CANCELLED))
                    await self.posting.remove(job, delivery, url)
                log.info("job=%d forgotten while it was posted", job.id)
                return
            except NETWORK_ERRORS as error:
                if classify(error).next is not Next.LATER:
                    return  # it is gone
                await self._pause(2.0**attempt)
        log.error("job=%d was forgotten, but its post could not be deleted", job.id)

    async def _tidy(self, job: Job, result: AttemptResult, url: str | None) -> None:
        """Take the card away once its answer is there, or let it say why there is none. Give up after TIDY_ATTEMPTS."""
        if result.next is Next.SENT and url is None and result.reason != DELETED:
            return  # the card itself is the answer
        for attempt in range(TIDY_ATTEMPTS):
            if await self.store.jobs.get(job.id) is None:
                return  # forgotten meanwhile, and the card says so
            try:
                async with asyncio.timeout(TIDY_SECONDS):
                    await self._end_card(job, result, url)
                return
            except NETWORK_ERRORS as error:
                if classify(error).next is not Next.LATER:
                    return  # the card is gone
                await self._pause(2.0**attempt)

    async def _end_card(self, job: Job, result: AttemptResult, url: str | None) -> None:
        if result.next is not Next.DEAD:
            await remove_card(self._client, job, url, now_ms=self.now_ms())
            return
        view = dead_card(job, result.reason, await self.store.reviews.get(clip_key(job)))
        await edit_card(self._client, job, view, now_ms=self.now_ms(), bare=True)


def is_stall(error: Exception, seconds: float) -> bool:
    """Tell whether an attempt that ended so, after so long, was an upload that the uplink was too slow for."""
    if isinstance(error, NeverBegun | aiohttp.ConnectionTimeoutError):
        return False
    if isinstance(error, discord.HTTPException):
        return error.status == 408
    return isinstance(error, TimeoutError) or seconds >= CUT_SECONDS
