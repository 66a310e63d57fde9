"""Looks in a channel's history for the message that answers a job, where an earlier attempt to post may have arrived.

Tested in tests/bot/edge/test_posting.py and tests/bot/edge/connection/test_restored.py.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import discord

from bot.edge.layouts.actions import buttons_of
from bot.edge.layouts.buttons import FAILURE_ACTIONS
from bot.queue.deliveries import nonce_of
from bot.queue.job import Delivery, DeliveryState, Job, JobState
from generator.clip import Format

log = logging.getLogger(__name__)

LOOK_BEFORE_MS = 60_000
"""how much earlier than the first attempt the history is searched: clocks differ"""
LOOK_MESSAGES = 5_000
"""messages searched at most from one starting point: 50 requests of 100 messages"""


def clip_name(nonce: str, format: Format) -> str:
    """Name the posted file. A delivery's nonce makes it unique, so that it can be found again in a channel."""
    return f"vivant-{nonce}.{format}"


def search_from(job: Job, delivery: Delivery) -> list[int]:
    """Return the ids after which a job's post may lie in its channel, the likeliest first.

    This machine's clock may have been wrong at the first attempt. The ids of the interaction and of the card carry
    Discord's own time, and the post is newer than both.
    """
    first_ms = (delivery.first_attempt_ms or 0) - LOOK_BEFORE_MS
    since = max(0, (first_ms - discord.utils.DISCORD_EPOCH) << 22)
    asked = job.card_message_id or (int(job.key) if job.key.isdecimal() else 0)
    return [since, asked] if 0 < asked < since else [max(since, asked)]


async def find_post(
    client: discord.Client, channel: discord.PartialMessageable, job: Job, delivery: Delivery
) -> discord.Message | None:
    """Return a settled job's post from a channel's history; None also where the history may not be read.

    Without Read Message History Discord shows an empty one.
    """
    if not _reads_history(client, channel):
        log.warning("job=%d history may not be read: a repeat is possible after a long outage", job.id)
    try:
        for after in search_from(job, delivery):
            history = channel.history(after=discord.Object(after), limit=LOOK_MESSAGES, oldest_first=True)
            async for message in history:
                is_own = client.user is not None and message.author.id == client.user.id
                if is_own and _is_about(message, job, delivery.nonce):
                    log.info("job=%d had arrived before as message %d", job.id, message.id)
                    return message
    except (discord.Forbidden, discord.NotFound):
        log.warning("job=%d history cannot be read: a repeat is possible after a long outage", job.id)
    return None


def _reads_history(client: discord.Client, channel: discord.PartialMessageable) -> bool:
    """Tell whether the bot may read a channel's history, as far as it knows."""
    known = client.get_channel(channel.id)
    if not isinstance(known, discord.abc.GuildChannel | discord.Thread):
        return True
    if isinstance(known, discord.Thread) and known.parent is None:
        return True
    return known.permissions_for(known.guild.me).read_message_history


async def was_answered(client: discord.Client, job: Job) -> bool:
    """Tell whether a clip or a failure was posted for a job, whatever is known of how it went."""
    channel = client.get_partial_messageable(job.route.channel_id, guild_id=job.route.guild_id)
    delivery = Delivery(job_id=job.id, state=DeliveryState.PENDING, nonce=nonce_of(job.id, job.key))
    either = replace(job, state=JobState.FAILED)  # whose clip would be known by its file, too
    return await find_post(client, channel, either, delivery) is not None


def _is_about(message: discord.Message, job: Job, nonce: str) -> bool:
    names = {clip_name(nonce, format) for format in Format}  # its person may have changed the format since
    if any(item.filename.removeprefix("SPOILER_") in names for item in message.attachments):
        return True
    # Whichever remedy it was: a restored copy does not know how the job failed, and earlier versions had "Again" alone.
    wanted = {button.custom_id for button in buttons_of(job, FAILURE_ACTIONS)}
    rows = (row for row in message.components if isinstance(row, discord.ActionRow))
    has_button = any(getattr(child, "custom_id", None) in wanted for row in rows for child in row.children)
    return job.state is JobState.FAILED and has_button and message.id != job.card_message_id
