"""Putting back what a person cancelled while it waited. It is held against every rule again, as a new request is."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import discord

from bot.edge.card_edits import answer_webhook, own_message
from bot.edge.commands.submission.admitting import Asked, Refused, admit, allowance_of, facts_of_job
from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.connection.cards import FirstWrite
from bot.edge.context import Interaction, ServiceClient
from bot.policy.facts import Entrance
from bot.queue.job import Job, QueueFull
from bot.queue.life.past import PutBack
from bot.queue.servers.quotas import QuotaReached
from bot.texts.explanations import explain_full
from bot.texts.jobs.cancelling import put_back_elsewhere_text, put_back_text
from bot.texts.refusals import explain_exceeded
from bot.texts.replies import earlier_text, not_yours_text

_LOOKS = 20
_LOOK_SECONDS = 0.25
"""how often is looked whether the card of the cancelled job is closed: until then its delivery owns it"""


def may_put_back(interaction: Interaction, job: Job) -> bool:
    """Tell whether this is the job's own person, where it was asked for: the rules and quotas there hold."""
    return interaction.user.id == job.user_id and interaction.guild_id == job.route.guild_id


async def press_put_back(interaction: Interaction, job: Job | None) -> None:
    """Queue a cancelled job again, if it is the person's who presses."""
    if job is None or interaction.user.id != job.user_id:
        await answer(interaction, earlier_text() if job is None else not_yours_text())
        return
    if not may_put_back(interaction, job):
        await answer(interaction, put_back_elsewhere_text())
        return
    try:
        picture = await facts_of_job(interaction, job)
        await admit(interaction, Asked(entrance=Entrance.PUT_BACK, settings=job.settings, picture=picture))
    except Refused as refused:
        await answer(interaction, refused.text)
        return
    if await acknowledge(interaction, private=True) is not None:
        await fill_in(interaction, await _put_back(interaction, job))


async def _put_back(interaction: Interaction, job: Job) -> str:
    """Queue the job again, show its card again, and return what to tell."""
    store = interaction.client.services.store
    try:
        outcome = await _once_its_card_is_closed(interaction, job)
    except QueueFull as error:
        return explain_full(error.scope, error.limit)
    except QuotaReached as error:
        return explain_exceeded(error.exceeded)
    position = None
    if outcome is PutBack.QUEUED:
        preview = interaction.client.services.spool.path(job.picture)
        write = partial(_write_card, interaction.client, job)
        interaction.client.services.cards.open(job, FirstWrite(write, preview))
        position = await store.jobs.position(job.id)
    return put_back_text(outcome, job, store.names.of(job), position.position if position else None)


async def _once_its_card_is_closed(interaction: Interaction, job: Job) -> PutBack:
    jobs, allowance = interaction.client.services.store.jobs, await allowance_of(interaction)
    for _ in range(_LOOKS):
        outcome = await jobs.put_back(job, allowance)
        if outcome is not PutBack.NOT_YET:
            return outcome
        await asyncio.sleep(_LOOK_SECONDS)
    return PutBack.NOT_YET


async def _write_card(client: ServiceClient, job: Job, **content: Any) -> None:
    """Write the card anew, preview included: closing it took that away."""
    assert job.card_message_id is not None
    content |= {"allowed_mentions": discord.AllowedMentions.none()}
    if job.route.can_post:
        await own_message(client, job.route, job.card_message_id).edit(**content)
    else:
        await answer_webhook(client, job.route).edit_message(job.card_message_id, **content)
