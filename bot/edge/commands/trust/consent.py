"""What a picture's author answers when asked whether somebody may animate it, and what happens without an answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

import discord

from bot.edge.commands.finished.extending import go_on_allowed
from bot.edge.commands.submission.admitting import Refused
from bot.edge.commands.submission.answers import acknowledge, acknowledge_press, answer, fill_in
from bot.edge.commands.submission.submit import submit_allowed
from bot.edge.connection.languages import language_here
from bot.edge.context import Interaction, ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.actions import Action
from bot.queue.servers.trust.consents import Consent
from bot.texts.languages.spoken import speak, speaking
from bot.texts.safety.trust import (
    allowed_refused_text,
    allowed_text,
    asked_over_text,
    denied_text,
    not_asked_text,
    opted_out_now_text,
    unanswered_text,
    withdrawn_text,
)
from bot.work.ongoing import Owner

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""how often it is looked whether the time of a question is over"""


async def press_consent(interaction: Interaction, action: Action, author_id: int, key: str) -> None:
    """Take the author's answer. Who asked may take the request back with the same button that says no."""
    services = interaction.client.services
    consent = await services.store.trust.consents.get(key)
    withdraws = consent is not None and action is Action.DENY and interaction.user.id == consent.user_id
    if interaction.user.id != author_id and not withdraws:
        await answer(interaction, not_asked_text())
        return
    if action is Action.NEVER_ASK:
        await services.store.trust.pictures.opt_out(author_id)
        await answer(interaction, opted_out_now_text())
        for other in await services.store.trust.consents.of_author(author_id):
            await _close(interaction.client, other.key, _denied)
    elif consent is None:
        await answer(interaction, asked_over_text())
    elif action is Action.DENY:
        await acknowledge_press(interaction)
        await _close(interaction.client, key, _withdrawn if withdraws else _denied)
    else:
        await _allow(interaction, key)


async def _allow(interaction: Interaction, key: str) -> None:
    message_id = await acknowledge(interaction, private=False)
    if message_id is None:
        return  # the question stays open: nobody would see what came of it
    speak(language_here(interaction).code)
    consent = await _close(interaction.client, key, _allowed)
    if consent is None:
        await fill_in(interaction, asked_over_text())
        return
    task = asyncio.current_task()
    assert task is not None
    # From here on it is a request of who asked: it ends when they are forgotten.
    interaction.client.services.crew.ongoing.take(Owner(consent.user_id, consent.guild_id), task, interaction)
    try:
        await submit_allowed(interaction, consent, message_id, partial(go_on_allowed, interaction))
    except Refused as refused:
        log.info("interaction=%d allowed, and not taken", interaction.id)
        await fill_in(interaction, allowed_refused_text(consent.user_id, refused.text))


def _allowed(consent: Consent) -> str:
    return allowed_text(consent.author_id, consent.user_id)


def _denied(consent: Consent) -> str:
    return denied_text(consent.author_id, consent.user_id)


def _withdrawn(consent: Consent) -> str:
    return withdrawn_text(consent.user_id)


def _unanswered(consent: Consent) -> str:
    return unanswered_text(consent.author_id, consent.user_id)


async def _close(client: ServiceClient, key: str, say: Callable[[Consent], str]) -> Consent | None:
    """End a question, and let its message say how it ended, in its own language. None: it was over."""
    consent = await client.services.store.trust.consents.take(key)
    if consent is None:
        return None
    with speaking(consent.request.get("language")):
        told = say(consent)
    channel = client.get_partial_messageable(consent.channel_id, guild_id=consent.guild_id)
    with contextlib.suppress(*NETWORK_ERRORS):  # it may be deleted, or the channel closed
        await channel.get_partial_message(consent.message_id).edit(
            content=told, view=None, allowed_mentions=discord.AllowedMentions.none()
        )
    return consent


async def end_unanswered(client: ServiceClient) -> None:
    """Refuse what was not answered in time, until cancelled; also what became so while the bot was off."""
    await client.wait_until_ready()
    consents = client.services.store.trust.consents
    while True:
        for consent in await consents.over():
            log.info("a question for consent was not answered")
            await _close(client, consent.key, _unanswered)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await consents.look.wait()
        consents.look.clear()
