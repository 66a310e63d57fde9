"""End the cards that were left as they were: the clip had been posted, and then the process was killed or Discord down.

Done once after a start, beside everything else. Cards that show an end already are only read.
"""

from __future__ import annotations

import logging

import discord

from bot.edge.card_edits import remove_card
from bot.edge.connection.restored import read_card, shows_an_end
from bot.edge.http_errors import NETWORK_ERRORS
from bot.queue.job import Job
from bot.queue.store import JobStore

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


async def _end_if_left(client: discord.Client, job: Job, message_id: int, now_ms: int) -> None:
    if not job.route.can_post:
        return
    try:
        card = await read_card(client, job, now_ms)
        if card is None or shows_an_end(card, job):
            return
        channel = client.get_partial_messageable(job.route.channel_id, guild_id=job.route.guild_id)
        post = await channel.fetch_message(message_id)  # it may be deleted, or lie in another channel
        await remove_card(client, job, post.jump_url, now_ms=now_ms)
        log.info("job=%d card ended that an earlier process had left", job.id)
    except NETWORK_ERRORS as error:
        log.info("job=%d card not ended: %s", job.id, type(error).__name__)
