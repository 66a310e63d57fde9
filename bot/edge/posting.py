"""One attempt to post a settled job's clip or failure, by the best way that is open.

Tested in tests/bot/edge/test_delivery.py and tests/bot/edge/test_posting.py.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import discord

from bot.edge.http_errors import Next, classify
from bot.edge.layouts import ActionButton, clip_buttons, clip_layout, failure_buttons, status_card
from bot.edge.status_cards import answer_webhook, token_is_alive
from bot.queue.job import DeadReason, Delivery, Job, JobState
from bot.queue.spool import ClipGone, Spool
from bot.texts.descriptions import ALT_TEXT, clip_text, failure_text
from bot.texts.status import CardView
from bot.work.fitting import Shrink, fit_clip
from generator.clip import Format
from generator.errors import GeneratorError
from generator.memory import MIB

log = logging.getLogger(__name__)

NONCE_WINDOW_MS = 3 * 60 * 1000
"""how long Discord surely remembers a nonce ("the past few minutes")"""
LOOK_BEFORE_MS = 60_000
"""how much earlier than the first attempt the history is searched: clocks differ"""
LOOK_MESSAGES = 5_000
"""messages searched at most from one starting point: 50 requests of 100 messages"""
SHRINK_TO = (10 * MIB, 8 * MIB)
"""budgets tried first when Discord finds a clip too large: its default limit, and an older one"""


class Unposted(Exception):
    """There is no way left to post; `reason` is a DeadReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Posting:
    """Sends one job's clip or failure: as a new message where the bot may post, else into the interaction's answer."""

    def __init__(self, client: discord.Client, spool: Spool, shrink: Shrink) -> None:
        self._client = client
        self._spool = spool
        self._shrink = shrink

    async def post(self, job: Job, delivery: Delivery, now_ms: int) -> str | None:
        """Post, and return the message's address; None when the interaction's answer was edited.

        Raises Unposted, or what discord.py raises.
        """
        if job.state is JobState.RENDERED:
            self._clip_of(job)
        if not job.route.can_post:
            return await self._answer(job, delivery.nonce, now_ms, DeadReason.EXPIRED)
        channel = self._client.get_partial_messageable(job.route.channel_id, guild_id=job.route.guild_id)
        if needs_look_up(delivery, now_ms) and (found := await self.find(channel, job, delivery)):
            return found.jump_url
        try:
            return (await self.send(channel, job, delivery.nonce)).jump_url
        except discord.HTTPException as error:
            result = classify(error)
            if result.next not in (Next.ELSEWHERE, Next.PARENT):
                raise
        if result.next is Next.PARENT and (message := await self._send_to_parent(job, delivery, now_ms)):
            return message.jump_url
        if delivery.attempts and (found := await self.find(channel, job, delivery)):
            return found.jump_url  # an earlier attempt arrived before the channel was closed to the bot
        if result.reason == DeadReason.CHANNEL_GONE:
            raise Unposted(result.reason)  # the interaction's answer was in that channel
        return await self._answer(job, delivery.nonce, now_ms, result.reason)

    async def remove(self, job: Job, delivery: Delivery, url: str | None) -> None:
        """Delete the new message that `post` made at `url`, or without one the message that it may have made.

        Raises what discord.py raises.
        """
        if url is not None:
            channel_id, message_id = map(int, url.split("/")[-2:])
            channel = self._client.get_partial_messageable(channel_id, guild_id=job.route.guild_id)
            await channel.get_partial_message(message_id).delete()
        elif job.route.can_post:
            channel = self._client.get_partial_messageable(job.route.channel_id, guild_id=job.route.guild_id)
            if found := await self.find(channel, job, delivery):
                await found.delete()

    async def find(self, channel: discord.PartialMessageable, job: Job, delivery: Delivery) -> discord.Message | None:
        """Return this job's message from the channel's history; None also where the history may not be read."""
        first_ms = (delivery.first_attempt_ms or 0) - LOOK_BEFORE_MS
        since = max(0, (first_ms - discord.utils.DISCORD_EPOCH) << 22)
        # This machine's clock may have been ahead then; the card's id carries Discord's own time.
        earlier = [job.card_message_id] if job.card_message_id and job.card_message_id < since else []
        try:
            for after in (since, *earlier):
                if message := await self._find_after(after, channel, job, delivery):
                    log.info("job=%d had arrived before as message %d", job.id, message.id)
                    return message
        except (discord.Forbidden, discord.NotFound):
            log.warning("job=%d history cannot be read: a repeat is possible after a long outage", job.id)
        return None

    async def _find_after(
        self, after: int, channel: discord.PartialMessageable, job: Job, delivery: Delivery
    ) -> discord.Message | None:
        history = channel.history(after=discord.Object(after), limit=LOOK_MESSAGES, oldest_first=True)
        async for message in history:
            is_own = self._client.user is not None and message.author.id == self._client.user.id
            if is_own and self._is_about(message, job, delivery.nonce):
                return message
        return None

    def _is_about(self, message: discord.Message, job: Job, nonce: str) -> bool:
        name = clip_name(nonce, job.settings.format)
        if any(item.filename.removeprefix("SPOILER_") == name for item in message.attachments):
            return True
        wanted = {button.custom_id for button in failure_buttons(job).children if isinstance(button, ActionButton)}
        rows = (row for row in message.components if isinstance(row, discord.ActionRow))
        has_button = any(getattr(child, "custom_id", None) in wanted for row in rows for child in row.children)
        return job.state is JobState.FAILED and has_button and message.id != job.card_message_id

    async def send(self, channel: discord.abc.Messageable, job: Job, nonce: str) -> discord.Message:
        """Post a new message with the clip or the failure. Raises Unposted, or what discord.py raises."""
        about = discord.AllowedMentions(users=[discord.Object(job.user_id)], replied_user=False)
        reply: Any = None  # the annotation of send() leaves out the None that it accepts
        if job.card_message_id is not None:
            reply = discord.MessageReference(
                message_id=job.card_message_id, channel_id=job.route.channel_id, fail_if_not_exists=False
            )
        if job.state is JobState.FAILED:
            return await channel.send(
                failure_text(job), view=failure_buttons(job), nonce=nonce, allowed_mentions=about, reference=reply
            )
        text = clip_text(job)
        async for path in self._fitting(job):
            try:
                return await channel.send(
                    text,
                    file=self._file(job, nonce, path),
                    view=clip_buttons(job),
                    nonce=nonce,
                    allowed_mentions=about,
                    reference=reply,
                )
            except discord.HTTPException as error:
                if classify(error).next is not Next.SHRINK:
                    raise
        raise Unposted(DeadReason.TOO_LARGE)

    async def _send_to_parent(self, job: Job, delivery: Delivery, now_ms: int) -> discord.Message | None:
        """Post into the parent channel of a locked thread; the attempt before has opened one that was only archived."""
        try:
            thread = await self._client.fetch_channel(job.route.channel_id)
            if isinstance(thread, discord.Thread):
                channel = self._client.get_partial_messageable(thread.parent_id, guild_id=job.route.guild_id)
                found = await self.find(channel, job, delivery) if needs_look_up(delivery, now_ms) else None
                return found or await self.send(channel, replace(job, card_message_id=None), delivery.nonce)
        except (discord.Forbidden, discord.NotFound):
            log.info("job=%d the thread's channel is closed too", job.id)
        return None

    async def _answer(self, job: Job, nonce: str, now_ms: int, reason: str) -> str | None:
        """Edit the interaction's own answer to show the clip or the failure. Repeating an edit does no harm."""
        if job.card_message_id is None or not token_is_alive(job.route, now_ms):
            raise Unposted(reason)
        webhook = answer_webhook(self._client, job.route)
        nobody = discord.AllowedMentions.none()
        try:
            if job.state is JobState.FAILED:
                card = status_card(CardView(job=job))
                await webhook.edit_message(job.card_message_id, view=card, attachments=[], allowed_mentions=nobody)
                return None
            async for path in self._fitting(job):
                file = self._file(job, nonce, path)
                layout = clip_layout(job, file.filename, spoiler=job.route.spoiler)
                try:
                    await webhook.edit_message(
                        job.card_message_id, view=layout, attachments=[file], allowed_mentions=nobody
                    )
                    return None
                except discord.HTTPException as error:
                    if classify(error).next is not Next.SHRINK:
                        raise
        except discord.HTTPException as error:
            if classify(error).next is Next.LATER and error.status != 401:
                raise
            raise Unposted(reason) from error
        raise Unposted(DeadReason.TOO_LARGE)

    async def _fitting(self, job: Job) -> AsyncIterator[Path]:
        """Yield the clip, then smaller ones for as long as the caller asks."""
        clip = self._clip_of(job)
        yield clip
        size = clip.stat().st_size
        for budget in (*SHRINK_TO, size // 2, size // 4):
            if budget < size:
                try:
                    smaller = await fit_clip(self._spool, job, budget, self._shrink)
                except GeneratorError as error:
                    log.warning("job=%d could not be made to fit %d bytes: %s", job.id, budget, error.code)
                    return
                except ClipGone as error:
                    raise Unposted(DeadReason.CLIP_GONE) from error
                yield smaller
                size = budget

    def _clip_of(self, job: Job) -> Path:
        try:
            return self._spool.clip_of(job)
        except ClipGone as error:
            raise Unposted(DeadReason.CLIP_GONE) from error

    @staticmethod
    def _file(job: Job, nonce: str, path: Path) -> discord.File:
        # a new File for every attempt: discord.py uploads a used one as 0 bytes
        name = clip_name(nonce, job.settings.format)
        return discord.File(path, filename=name, spoiler=job.route.spoiler, description=ALT_TEXT)


def clip_name(nonce: str, format: Format) -> str:
    """Name the posted file. A delivery's nonce makes it unique, so that it can be found again in a channel."""
    return f"vivant-{nonce}.{format}"


def needs_look_up(delivery: Delivery, now_ms: int) -> bool:
    """Tell whether an earlier attempt may have arrived so long ago that the nonce no longer prevents a second post."""
    if delivery.first_attempt_ms is None:
        return False
    # A clock that was set back does not tell how much time has passed: look, to be safe.
    return not 0 <= now_ms - delivery.first_attempt_ms <= 0.6 * NONCE_WINDOW_MS
