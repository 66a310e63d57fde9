"""Look up in Discord what was answered already, before anything of it is rendered or posted again.

A data folder restored from a copy still holds jobs that were answered after the copy was made: their cards are gone
and their answers are in the channel, or the cards show it. This needs the connection to Discord and must be done before
the workers start.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import discord

from bot.edge.card_edits import answer_webhook, token_is_alive
from bot.edge.connection.posts import was_answered
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.actions import Action, ActionButton
from bot.queue.job import Job
from bot.queue.store import JobStore

log = logging.getLogger(__name__)

PROBED = 3
"""cards looked at in every start: the jobs that are next would have been answered first"""
EVERY_JOB = 2**31


async def look_up_answered(client: discord.Client, store: JobStore, now_ms: int) -> None:
    """End the jobs that Discord shows as answered; look at a few only, unless the folder was restored from a copy."""
    if not await store.recheck.is_due():
        if not await _answered(client, await store.recheck.unanswered(PROBED), now_ms):
            return
        await store.recheck.note_restored()
    log.warning("the data folder was restored from a copy: looking up which jobs were answered since")
    for job in await _answered(client, await store.recheck.unanswered(EVERY_JOB), now_ms):
        await store.recheck.close_answered(job.id)
    await store.recheck.done()


async def _answered(client: discord.Client, jobs: list[Job], now_ms: int) -> list[Job]:
    found = await asyncio.gather(*(_is_answered(client, job, now_ms) for job in jobs))
    return [job for job, is_answered in zip(jobs, found, strict=True) if is_answered]


async def _is_answered(client: discord.Client, job: Job, now_ms: int) -> bool:
    """Tell whether a job was answered. A card that is gone was taken away by the answer, or by a moderator."""
    try:
        card = await read_card(client, job, now_ms)
        return shows_an_end(card, job) if card is not None else False
    except discord.NotFound:
        return job.route.can_post and await was_answered(client, job)
    except NETWORK_ERRORS as error:
        log.info("job=%d card not read: %s", job.id, type(error).__name__)
        return False  # its post is looked for before it is posted again


async def read_card(client: discord.Client, job: Job, now_ms: int) -> discord.Message | None:
    """Read a job's card from Discord; None where the bot may not. Raises discord's errors: NotFound when it is gone."""
    route = job.route
    if job.card_message_id is None or not (route.can_post or token_is_alive(route, now_ms)):
        return None
    if route.can_post:
        channel = client.get_partial_messageable(route.channel_id, guild_id=route.guild_id)
        return await channel.fetch_message(job.card_message_id)
    return await answer_webhook(client, route).fetch_message(job.card_message_id)


def shows_an_end(card: discord.Message, job: Job) -> bool:
    """Tell whether a job's card shows how it ended."""
    # Before the first write there is nothing on it; then, until the end, the button to cancel.
    cancel = ActionButton(Action.CANCEL, job.id, job.key).custom_id
    return bool(card.components) and cancel not in _custom_ids(card.components)


def _custom_ids(components: Any) -> set[str]:
    found: set[str] = set()
    for component in components:
        found |= {component.custom_id} if getattr(component, "custom_id", None) else set()
        found |= _custom_ids(getattr(component, "children", ()))
    return found
