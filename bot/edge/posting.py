"""One attempt to post a settled job's clip or failure, by the best way that is open.

Tested in tests/bot/edge/test_delivery.py and tests/bot/edge/test_posting.py.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import discord

from bot.edge.card_edits import answer_webhook, token_is_alive
from bot.edge.connection.posts import clip_name, find_post
from bot.edge.http_errors import AttemptResult, Next, classify
from bot.edge.layouts.buttons import clip_buttons, failure_buttons
from bot.edge.layouts.cards import clip_layout, status_card
from bot.queue.job import DeadReason, Delivery, Job, JobState, Route
from bot.queue.spool import Spool
from bot.texts.descriptions import alt_text, clip_text, failure_text
from bot.texts.jobs.status import CardView
from bot.work.uplink.clip_sizes import ClipSizes, noted
from bot.work.uplink.fitting import Shrink
from bot.work.uplink.uploads import WatchedFile, ends_when_still

log = logging.getLogger(__name__)

NONCE_WINDOW_MS = 3 * 60 * 1000
"""how long Discord surely remembers a nonce ("the past few minutes")"""


class Unposted(Exception):
    """There is no way left to post; `reason` is a DeadReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Closed(Exception):
    """A channel does not take the post; `result` says why and what may be tried instead."""

    def __init__(self, result: AttemptResult) -> None:
        super().__init__(result.reason)
        self.result = result


class Posting:
    """Sends one job's clip or failure: as a new message where the bot may post, else into the interaction's answer."""

    still_seconds = 180.0
    """how long an upload may stand still; after its last byte, how long the answer may take"""

    def __init__(self, client: discord.Client, spool: Spool, shrink: Shrink) -> None:
        self._client = client
        self._sizes = ClipSizes(spool, shrink)

    async def post(self, job: Job, delivery: Delivery, now_ms: int) -> str | None:
        """Post, and return the message's address; None when the interaction's answer was edited.

        Raises Unposted, ClipGone, or what discord.py raises.
        """
        if job.state is JobState.RENDERED:
            job = await self._sizes.after_stalls(job, delivery.stalls)
        if not job.route.can_post:
            return await self._answer(job, delivery.nonce, now_ms, DeadReason.EXPIRED)
        channel = self._client.get_partial_messageable(job.route.channel_id, guild_id=job.route.guild_id)
        try:
            return await self._post_in(channel, job, delivery, now_ms)
        except _Closed as closed:
            result = closed.result
        if result.next is Next.PARENT and (parent := await self._parent_of(job.route)):
            try:
                return await self._post_in(parent, job, delivery, now_ms)
            except _Closed:
                log.info("job=%d the thread's channel is closed too", job.id)
        if result.reason == DeadReason.CHANNEL_GONE:
            raise Unposted(result.reason)  # the interaction's answer was in that channel
        return await self._answer(job, delivery.nonce, now_ms, result.reason)

    async def _post_in(self, channel: discord.PartialMessageable, job: Job, delivery: Delivery, now_ms: int) -> str:
        """Post in one channel, unless an earlier attempt did. Raises _Closed when the channel does not take it."""
        if needs_look_up(delivery, now_ms) and (found := await self.find(channel, job, delivery)):
            return found.jump_url
        try:
            return (await self.send(channel, job, delivery.nonce)).jump_url
        except discord.HTTPException as error:
            result = classify(error)
            if result.next not in (Next.ELSEWHERE, Next.PARENT):
                raise
        if delivery.attempts and (found := await self.find(channel, job, delivery)):
            return found.jump_url  # an earlier attempt arrived before the channel was closed to the bot
        raise _Closed(result)

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
        return await find_post(self._client, channel, job, delivery)

    async def send(self, channel: discord.abc.Messageable, job: Job, nonce: str) -> discord.Message:
        """Post a new message with the clip or the failure: only a new one notifies its person, and them alone.

        It is no reply to the card, which goes. Raises Unposted, ClipGone, or what discord.py raises.
        """
        person = discord.Object(job.user_id)
        about = discord.AllowedMentions(everyone=False, users=[person], roles=False, replied_user=False)
        common: Any = {"nonce": nonce, "allowed_mentions": about}
        if job.state is JobState.FAILED:
            return await channel.send(failure_text(job), view=failure_buttons(job), **common)
        async for path in self._sizes.each(job):
            try:
                async with self._upload(job, nonce, path) as file:
                    return await channel.send(clip_text(noted(job, path)), file=file, view=clip_buttons(job), **common)
            except discord.HTTPException as error:
                if classify(error).next is not Next.SHRINK:
                    raise
        raise Unposted(DeadReason.TOO_LARGE)

    async def _parent_of(self, route: Route) -> discord.PartialMessageable | None:
        """Return the channel of a closed thread, where it takes messages and everybody there could read the thread."""
        try:
            thread = await self._client.fetch_channel(route.channel_id)
        except (discord.Forbidden, discord.NotFound):
            return None
        if not isinstance(thread, discord.Thread) or thread.is_private():
            return None
        if not isinstance(thread.parent, discord.TextChannel):
            return None  # a forum holds posts alone
        return self._client.get_partial_messageable(thread.parent_id, guild_id=route.guild_id)

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
            async for path in self._sizes.each(job):
                try:
                    async with self._upload(job, nonce, path) as file:
                        layout = clip_layout(noted(job, path), file.filename, spoiler=job.route.spoiler)
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

    @contextlib.asynccontextmanager
    async def _upload(self, job: Job, nonce: str, path: Path) -> AsyncIterator[discord.File]:
        """Give the clip as a file to send, and end the block when none of it moves for too long."""
        name = clip_name(nonce, job.settings.format)
        async with ends_when_still(self.still_seconds) as moved:
            with WatchedFile(path, moved) as content:
                # a new File for every attempt: discord.py uploads a used one as 0 bytes
                yield discord.File(content, filename=name, spoiler=job.route.spoiler, description=alt_text(job))


def needs_look_up(delivery: Delivery, now_ms: int) -> bool:
    """Tell whether an earlier attempt may have arrived so long ago that the nonce no longer prevents a second post.

    No clock tells how long ago another process made it, so its attempts are always looked for.
    """
    if not delivery.may_have_arrived:
        return False
    if delivery.first_attempt_ms is None or delivery.first_attempt_age_ms is None:
        return True
    # Two clocks, because each may have stood still or have been set meanwhile.
    ages = (delivery.first_attempt_age_ms, now_ms - delivery.first_attempt_ms)
    return not all(0 <= age <= 0.6 * NONCE_WINDOW_MS for age in ages)
