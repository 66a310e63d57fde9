"""End the cards that were left as they were: the clip had been posted, and then the process was killed or Discord down.

Done once after a start, beside everything else. Cards that show an end already are only read.
"""

from __future__ import annotations

import logging

import discord

from bot.edge.card_edits import edit_card
from bot.edge.connection.restored import shows_an_end
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts import sent_card
from bot.queue.job import Job
from bot.queue.store import JobStore
from bot.texts.languages.spoken import speaking

log = logging.getLogger(__name__)

MOST = 5
"""cards that are read: a card is edited right after its post, so few are left"""


async def end_left_cards(client: discord.Client, store: JobStore, now_ms: int) -> None:
    """Write on the cards of the newest posts where the clip is, unless they say so."""
    try:
        for job, message_id in await store.deliveries.last_posted(MOST):
            await _end_if_left(client, job, message_id, now_ms)
    except Exception as error:
        log.error("cards that were left could not be ended", exc_info=error)  # no reason to post nothing


async def _end_if_left(client: discord.Client, job: Job, message_id: int, now_ms: int) -> None:
    if not job.route.can_post:
        return
    try:
        if not await shows_an_end(client, job, now_ms):
            await _end(client, job, message_id, now_ms)
    except NETWORK_ERRORS as error:
        log.info("job=%d card not ended: %s", job.id, type(error).__name__)


async def _end(client: discord.Client, job: Job, message_id: int, now_ms: int) -> None:
    channel = client.get_partial_messageable(job.route.channel_id, guild_id=job.route.guild_id)
    message = await channel.fetch_message(message_id)  # it may be deleted, or lie in another channel
    with speaking(job.route.language):
        view = sent_card(job, message.jump_url)
    await edit_card(client, job, view, now_ms=now_ms, bare=True)
    log.info("job=%d card ended that an earlier process had left", job.id)
