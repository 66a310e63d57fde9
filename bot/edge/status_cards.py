"""Status cards: one writer per card, the latest state wins. Only edits messages; `bot.edge.posting` posts new ones."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import discord

from bot.edge.card_edits import edit_card, own_message, token_is_alive
from bot.edge.connection.card_views import Sources, view_of
from bot.edge.connection.cards import Card, FirstWrite
from bot.edge.connection.pacing import Pace
from bot.edge.connection.refreshes import WaitingCard, choose_waiting
from bot.edge.http_errors import NETWORK_ERRORS, CardNext, classify_card
from bot.edge.layouts.cards import PREVIEW_NAME, status_card
from bot.queue.estimates import next_rounding_ms
from bot.queue.job import SETTLED, Job, JobState
from bot.queue.store import JobStore
from bot.texts.jobs.status import CardView, describe_state
from bot.texts.languages.spoken import speaking
from bot.work.crew import Crew
from bot.work.gate import Gate

log = logging.getLogger(__name__)

FINISH_SECONDS = 10.0
"""how long an edit under way may hold up the final one"""


def _made_ms(job: Job) -> int:
    """Return when a job's card was made, by Discord's clock."""
    return ((job.card_message_id or 0) >> 22) + discord.utils.DISCORD_EPOCH


class StatusCards:
    """Keeps every card up to date: `progressed` and `changed` are cheap and may be called at any rate."""

    def __init__(
        self,
        store: JobStore,
        gate: Gate,
        crew: Crew,
        *,
        now_ms: Callable[[], int],
        pace: Pace,
    ) -> None:
        self._store = store
        self._gate = gate
        self._crew = crew
        self._now_ms = now_ms
        self._sources = Sources(store, gate, crew, now_ms)
        self._pace = pace
        self._cards: dict[int, Card] = {}
        self._queue_moved = asyncio.Event()
        self._client: discord.Client | None = None
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self, client: discord.Client) -> None:
        """Write cards until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._client, self._tasks = client, tasks
            try:
                for job in await self._store.jobs.active():
                    self._card(job.id).channel_id = job.route.channel_id
                    if job.state is JobState.RUNNING:
                        self._tell(job.id)
                self._queue_moved.set()
                for card in list(self._cards.values()):
                    self._start(card)
                await self._follow_queue()
            finally:
                self._tasks = None

    def progressed(self, job_id: int) -> None:
        """Note that a job's render has moved on."""
        self._card(job_id).dirty.set()

    def open(self, job: Job, first: FirstWrite) -> None:
        """Begin a card; what is written after `first` are edits of that message."""
        self._card(job.id).first = first
        self.changed(job.id)

    def changed(self, job_id: int) -> None:
        """Note that a job's state changed, and with it perhaps everybody's position."""
        self._tell(job_id)
        self._queue_moved.set()

    def _tell(self, job_id: int) -> None:
        card = self._card(job_id)
        card.dirty.set()
        card.urgent.set()

    def queue_changed(self) -> None:
        """Note that every waiting card may be out of date, as after a pause."""
        self._queue_moved.set()

    async def finish(self, job_id: int) -> None:
        """Stop a card's writer, so that the next edit is the last; call before the final edit."""
        card = self._cards.pop(job_id, None)
        if card is None or card.task is None:
            return
        # An edit that is being sent is not cancelled: it could still reach Discord after the final one.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS), card.writing:
                card.task.cancel()
        card.task.cancel()
        await asyncio.wait([card.task])

    def _card(self, job_id: int) -> Card:
        card = self._cards.get(job_id)
        if card is None:
            card = self._cards[job_id] = Card(job_id)
            self._start(card)
        return card

    def _start(self, card: Card) -> None:
        if self._tasks is not None and (card.task is None or card.task.done()):
            card.task = self._tasks.create_task(self._write(card), name=f"card-{card.job_id}")

    async def _write(self, card: Card) -> None:
        while True:
            await self._wait(card)
            try:
                job = await self._store.jobs.get(card.job_id)
                if job is None or job.state in SETTLED:
                    self._cards.pop(card.job_id, None)
                    return  # the delivery writes the last state
                with speaking(job.route.language):
                    rest_seconds = await self._write_once(card, job)
            except Exception as error:
                # A surprise in one card ends neither the others nor the bot.
                log.error("job=%d card not written", card.job_id, exc_info=error)
                rest_seconds = self._fail(card)
            if rest_seconds:
                card.rests_until = asyncio.get_running_loop().time() + rest_seconds
                await asyncio.sleep(rest_seconds)

    async def _wait(self, card: Card) -> None:
        """Wait until a card may have something else to show, and longer when that is only progress."""
        while not card.dirty.is_set():
            try:
                async with asyncio.timeout_at(card.passes_at):
                    await card.dirty.wait()
            except TimeoutError:
                if card.is_running:
                    break
                card.written = card.shown = card.passes_at = None  # "2 minutes" have become 1
                self._queue_moved.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(card.progress_at):
                await card.urgent.wait()
        card.dirty.clear()
        card.urgent.clear()

    async def _write_once(self, card: Card, job: Job) -> float:
        """Write the card if there is something to write. Return the rest before the next write, in seconds."""
        card.channel_id = job.route.channel_id
        if job.card_message_id is None:
            card.given_up = (job.state, job.attempt)
        if card.given_up == (job.state, job.attempt):
            return 0
        async with card.writing:
            return await self._edit(card, job)

    def _fail(self, card: Card) -> float:
        """Note that a card could not be written, so that it is written again. Return the rest before that."""
        card.written = card.shown = None
        card.dirty.set()
        card.urgent.set()
        card.failures += 1
        return self._pace.after_failures(card.failures)

    async def describe(self, job: Job) -> CardView:
        """Return what a job's card shows now."""
        return await view_of(self._sources, job, self._cards.get(job.id))

    async def _edit(self, card: Card, job: Job) -> float:
        """Write the card if what it shows has changed. Return the rest before the next write, in seconds."""
        view = await self.describe(job)
        written = (job.state, job.attempt, job.cancel_requested, view.hold, view.progress), describe_state(view)
        is_passing = card.is_running and card.written is not None and card.written[0] == written[0]
        if is_passing and asyncio.get_running_loop().time() < (card.passes_at or 0.0):
            return 0  # nothing happened but that time goes on
        card.is_running = job.state is JobState.RUNNING
        card.passes_at = self._passes_at(view)
        if written == card.written or self._client is None:
            return 0
        card.written = written
        at = view.position
        card.shown = (at.position + at.running, view.hold) if at else None
        card.progress_at = self._next_progress(card) if view.progress else 0.0
        try:
            is_new = view.has_preview and view.preview not in ("", card.preview)
            if is_new and card.first is None and not card.is_closed:
                await _show_preview(self._client, job, view)
                card.preview = view.preview
            else:
                await self._request(self._client, card, job, status_card(view))
        except NETWORK_ERRORS as error:
            log.info("job=%d card not written: %s", job.id, type(error).__name__)
            return self._after(error, card, job)
        card.failures = 0
        if card.first is not None:
            card.first = None
            return 0  # what happened during the first write may follow at once
        return self._pace.after_edit(self._now_ms() - _made_ms(job))

    def _passes_at(self, view: CardView) -> float | None:
        """Return when a card is out of date though nothing happens, by the loop's clock; None: it never is."""
        seconds = None
        if view.standing is not None:
            seconds = self._pace.passing_seconds
        elif view.due_ms is not None:
            seconds = max(self._pace.queue_seconds, next_rounding_ms(view.due_ms - view.now_ms) / 1000)
        elif view.position is not None and view.hold is None:
            seconds = max(self._pace.queue_seconds, view.position.eta_low_ms / 1000)
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    def _next_progress(self, card: Card) -> float:
        """Return when a card may show more progress, by the loop's clock."""
        begun = [self._cards.get(job_id) for job_id, _ in self._crew.progress]
        in_channel = sum(other is not None and other.channel_id == card.channel_id for other in begun)
        return asyncio.get_running_loop().time() + self._pace.after_progress(len(begun), in_channel)

    async def _request(self, client: discord.Client, card: Card, job: Job, layout: discord.ui.LayoutView) -> None:
        """Write the card: the first time with the preview, which later layouts keep."""
        if card.first is None:
            if card.is_closed and not card.token_is_dead and token_is_alive(job.route, self._now_ms(), spare_ms=0):
                job = replace(job, route=replace(job.route, can_post=False))
            closed = await edit_card(client, job, layout, now_ms=self._now_ms(), bare=False)
            card.is_closed = card.is_closed or closed
            return
        preview = discord.File(card.first.preview, filename=PREVIEW_NAME, spoiler=job.route.spoiler)
        if not card.token_is_dead:
            await card.first.edit(view=layout, attachments=[preview])
            return
        assert job.card_message_id is not None
        nobody = discord.AllowedMentions.none()
        message = own_message(client, job.route, job.card_message_id)
        await message.edit(view=layout, attachments=[preview], allowed_mentions=nobody)

    def _after(self, error: Exception, card: Card, job: Job) -> float:
        """Decide how a card goes on whose write failed. Return the rest before the next write."""
        by_token = card.first is not None or card.is_closed
        uses_token = (by_token and not card.token_is_dead) or not job.route.can_post
        step = classify_card(error, uses_token=uses_token, has_preview=card.has_preview)
        if step is CardNext.BOT_TOKEN and job.route.can_post:
            card.token_is_dead = True
        elif step is CardNext.WITHOUT_PREVIEW:
            card.has_preview, card.first = False, None  # no later layout may refer to what was not uploaded
        elif step is not CardNext.LATER:
            card.given_up, card.passes_at = (job.state, job.attempt), None
            return 0
        return self._fail(card)

    async def _follow_queue(self) -> None:
        while True:
            await self._queue_moved.wait()
            self._queue_moved.clear()
            try:
                running, waiting = await self._store.jobs.count_running(), await self._store.jobs.waiting_ids()
                chosen, is_more = choose_waiting(self._waiting(waiting, running), self._pace)
                if is_more:
                    self._queue_moved.set()
            except Exception as error:
                log.error("the waiting cards could not be looked up", exc_info=error)
                self._queue_moved.set()
                chosen = []
            spare = self._pace.most_waiting - len(chosen)
            for job_id in chosen:  # evenly, for Discord also counts single seconds
                self._tell(job_id)
                await asyncio.sleep(self._pace.queue_seconds / self._pace.most_waiting)
            await asyncio.sleep(self._pace.queue_seconds / self._pace.most_waiting * spare)

    def _waiting(self, job_ids: Iterable[int], running: int) -> Iterator[WaitingCard]:
        """Return what is known of the cards that wait, from the jobs in the order of claims.

        A position is counted here from the jobs that run: the cards tell of those too.
        """
        now, hold = asyncio.get_running_loop().time(), self._gate.hold
        nobody = Card(0)
        for position, job_id in enumerate(job_ids, start=1 + running):
            card = self._cards.get(job_id, nobody)
            if card.given_up is None:
                shown, with_hold = card.shown or (None, None)
                position_shown = shown if with_hold == hold else None
                yield WaitingCard(job_id, position, position_shown, card.channel_id, card.rests_until > now)


async def _show_preview(client: discord.Client, job: Job, view: CardView) -> None:
    """Write a card with another picture. It has the first one's name, so that later layouts may refer to either."""
    assert job.card_message_id is not None
    picture = discord.File(io.BytesIO(base64.b64decode(view.preview)), PREVIEW_NAME, spoiler=job.route.spoiler)
    message = own_message(client, job.route, job.card_message_id)
    nobody = discord.AllowedMentions.none()
    await message.edit(view=status_card(view), attachments=[picture], allowed_mentions=nobody)
