"""End the cards that were left as they were: the clip had been posted, and then the process was killed or Discord down.

Done once after a start, beside everything else, and in a thread that was closed to the bot when it is open again. Cards
that show an end already are only read.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import discord

from bot.edge.card_edits import edit_card, remove_card
from bot.edge.connection.restored import read_card, shows_an_end
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.cards import dead_card
from bot.queue.job import Job, Route
from bot.queue.servers.reviews import clip_key
from bot.queue.store import JobStore
from bot.texts.languages.spoken import speaking

log = logging.getLogger(__name__)

MOST = 5
"""cards that are read: a card goes right after its post, so few are left"""


async def end_left_cards(client: discord.Client, store: JobStore, now_ms: int) -> None:
    """Take away the cards that the newest posts have left."""
    try:
        for job, message_id in await store.deliveries.last_posted(MOST):
            await _end_if_left(client, job, message_id, now_ms)
    except Exception as error:
        log.error("cards that were left could not be ended", exc_info=error)  # no reason to post nothing


async def end_cards_in(client: discord.Client, store: JobStore, thread: discord.Thread, now_ms: int) -> None:
    """End the cards of a thread that nobody could write in while it was archived or locked."""
    if thread.archived or thread.locked:
        return
    for job, message_id in await store.deliveries.last_posted(MOST, thread.id):
        await _end_if_left(client, job, message_id, now_ms)
    for job, reason in await store.deliveries.last_dead(MOST, thread.id):
        with speaking(job.route.language):
            view = dead_card(job, reason, await store.reviews.get(clip_key(job)))
            await _if_left(client, job, now_ms, partial(edit_card, client, job, view, now_ms=now_ms, bare=True))


async def _end_if_left(client: discord.Client, job: Job, message_id: int, now_ms: int) -> None:
    async def end() -> None:
        post = await _read_post(client, job.route, message_id)
        await remove_card(client, job, post.jump_url, now_ms=now_ms)

    await _if_left(client, job, now_ms, end)


async def _if_left(client: discord.Client, job: Job, now_ms: int, end: Callable[[], Awaitable[object]]) -> None:
    if not job.route.can_post:
        return
    try:
        card = await read_card(client, job, now_ms)
        if card is None or shows_an_end(card, job):
            return
        await end()
        log.info("job=%d card ended that had been left", job.id)
    except NETWORK_ERRORS as error:
        log.info("job=%d card not ended: %s", job.id, type(error).__name__)


async def _read_post(client: discord.Client, route: Route, message_id: int) -> discord.Message:
    """Read a post, which may have gone to the channel above a closed thread. Raises NotFound when it was deleted."""
    try:
        return await client.get_partial_messageable(route.channel_id, guild_id=route.guild_id).fetch_message(message_id)
    except discord.NotFound:
        thread = client.get_channel(route.channel_id)
        if not isinstance(thread, discord.Thread):
            raise
        return await client.get_partial_messageable(thread.parent_id, guild_id=route.guild_id).fetch_message(message_id)
