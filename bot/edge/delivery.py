"""The outbox: posts every settled job's clip or failure exactly once, or keeps it with the reason why not.

`sending` is written before the request and `sent` after its answer. Between the two anything may die: the nonce lets
Discord drop a repeat for a few minutes, and past that the channel's history is searched for our message first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import discord

from bot.edge.http_errors import DELETED, NETWORK_ERRORS, Next, Verdict, judge, wait_ms
from bot.edge.layouts import CardView, dead_card, deleted_card, sent_card, status_card
from bot.edge.posting import Posting, Shrink, Unposted
from bot.edge.status_cards import StatusCards, edit_card, wall_clock_ms
from bot.queue.database import StoreFull
from bot.queue.job import Delivery, Job, JobState

if TYPE_CHECKING:
    from bot.queue.spool import Spool
    from bot.queue.store import JobStore
    from bot.work.switches import Switches

log = logging.getLogger(__name__)

SEND_SECONDS = 180.0
"""one attempt's limit, upload included"""
AT_ONCE = 1000
"""deliveries held in memory, most of them waiting for their next attempt"""
UPLOADS_AT_ONCE = 6
"""half of the client's connections: slow uploads must leave room for answering commands"""
ROOM_SECONDS = 30.0
"""between looks whether a full disk has room again; it tells nobody"""
TIDY_TRIES = 3
TIDY_SECONDS = 30.0
EVER_MS = 2**62

Pause = Callable[[float], Awaitable[object]]


class Poster:
    """Posts what is due. Attempts take turns within a channel, so that one slow upload blocks no other channel."""

    def __init__(
        self,
        store: JobStore,
        spool: Spool,
        switches: Switches,
        cards: StatusCards,
        shrink: Shrink,
        *,
        posting: type[Posting] = Posting,
        now_ms: Callable[[], int] = wall_clock_ms,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._store = store
        self._spool = spool
        self._switches = switches
        self._cards = cards
        self._shrink = shrink
        self._posting = posting
        self._now_ms = now_ms
        self._pause = pause
        self._held: set[int] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._channels: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()

    async def run(self, client: discord.Client) -> None:
        """Deliver until cancelled; what an earlier run left unfinished comes first."""
        posting = self._posting(client, self._spool, self._switches, self._shrink)
        async with asyncio.TaskGroup() as tasks:
            while True:
                # not `now`: a delivery that rests is held in memory, and a clock set back must not hide the others
                due = await self._store.due_deliveries(EVER_MS, limit=len(self._held) + AT_ONCE)
                for delivery in due:
                    if delivery.job_id not in self._held:
                        await self._room.acquire()
                        self._held.add(delivery.job_id)
                        deliver = self._deliver(client, posting, delivery)
                        tasks.create_task(deliver, name=f"deliver-{delivery.job_id}")
                await self._store.wait_for_delivery()

    async def _deliver(self, client: discord.Client, posting: Posting, delivery: Delivery) -> None:
        try:
            while job := await self._store.job(delivery.job_id):
                async with self._channels.setdefault(job.route.channel_id, asyncio.Lock()), self._uploads:
                    verdict, url = await self._attempt(client, posting, job, delivery)
                if verdict.next is not Next.LATER:
                    await self._tidy(client, job, verdict, url)
                    return
                rest_ms = wait_ms(delivery.attempts, random.random())
                log.info("job=%d delivery again in %.1f s: %s", job.id, rest_ms / 1000, verdict.reason)
                later_ms = self._now_ms() + rest_ms
                await self._insist(partial(self._store.mark_later, job.id, later_ms, verdict.reason))
                await self._pause(rest_ms / 1000)
                delivery = await self._store.delivery(job.id) or delivery
        finally:
            self._held.discard(delivery.job_id)
            self._room.release()

    async def _attempt(
        self, client: discord.Client, posting: Posting, job: Job, delivery: Delivery
    ) -> tuple[Verdict, str | None]:
        """Try once, and write down what came of it unless it is to be tried again; the address is the post's."""
        await self._cards.finish(job.id)
        if not await self._insist(partial(self._store.mark_sending, job.id)):
            return Verdict(Next.SENT), None  # forgotten meanwhile
        url, message_id = None, None
        try:
            async with asyncio.timeout(SEND_SECONDS):
                if job.state is JobState.CANCELLED:
                    await self._close_cancelled(client, job)
                else:
                    url = await posting.post(job, delivery, self._now_ms())
            verdict = Verdict(Next.SENT)
            message_id = int(url.rpartition("/")[2]) if url else job.card_message_id
        except Unposted as error:
            verdict = Verdict(Next.DEAD, error.reason)
        except NETWORK_ERRORS as error:
            verdict = judge(error)
        except Exception as error:
            log.error("job=%d delivery failed", job.id, exc_info=error)
            verdict = Verdict(Next.LATER, type(error).__name__)
        if verdict.next is Next.SENT:
            await self._insist(partial(self._store.mark_sent, job.id, message_id))
        elif verdict.next is not Next.LATER:
            verdict = Verdict(Next.DEAD, verdict.reason)
            await self._insist(partial(self._store.mark_dead, job.id, verdict.reason))
        return verdict, url

    async def _insist(self, write: Callable[[], Awaitable[bool]]) -> bool:
        """Repeat a write that the full disk refused: what was posted must not be forgotten for it."""
        while True:
            try:
                return await write()
            except StoreFull as error:
                log.error("no room on the disk to note a delivery: %s", error)
                await self._pause(ROOM_SECONDS)

    async def _close_cancelled(self, client: discord.Client, job: Job) -> None:
        view = status_card(CardView(job=job, is_demo=self._switches.is_demo(job.settings.variant)))
        with contextlib.suppress(discord.Forbidden, discord.NotFound):  # nobody is waiting for anything
            await edit_card(client, job, view, now_ms=self._now_ms(), bare=True)

    async def _tidy(self, client: discord.Client, job: Job, verdict: Verdict, url: str | None) -> None:
        """Make the card say where the clip is, or why it is not here; a courtesy, so given up after a few tries."""
        if verdict.next is Next.DEAD:
            view = dead_card(job, verdict.reason)
        elif url is not None:
            view = sent_card(job, url, is_demo=self._switches.is_demo(job.settings.variant))
        elif verdict.reason == DELETED and job.state is JobState.RENDERED:
            view = deleted_card()
        else:
            return  # the card itself was the answer
        for attempt in range(TIDY_TRIES):
            current = await self._store.job(job.id)
            if current is None or (job.clip and not current.clip and url):
                return  # forgotten or deleted meanwhile, and the card says so
            try:
                async with asyncio.timeout(TIDY_SECONDS):
                    await edit_card(client, job, view, now_ms=self._now_ms(), bare=True)
                return
            except NETWORK_ERRORS as error:
                if judge(error).next is not Next.LATER:
                    return  # the card is gone
                await self._pause(2.0**attempt)
