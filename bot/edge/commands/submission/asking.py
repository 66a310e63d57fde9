"""Asks a picture's author whether somebody else may animate it. The question outlives the process; the picture waits.

Nothing of the picture is fetched before a yes: the row has what is needed to go on.

Tested in tests/bot/edge/commands/trust/test_consent.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import discord

from bot.edge.commands.submission.admitting import AskAuthor
from bot.edge.commands.submission.answers import acknowledge, answer, repeat_lost, take_back
from bot.edge.commands.submission.channel import can_post, elsewhere_of
from bot.edge.commands.submission.shares import share_of
from bot.edge.commands.submission.sources import LinkedPicture, Source
from bot.edge.connection.languages import language_here
from bot.edge.context import Interaction
from bot.edge.layouts.buttons import consent_buttons
from bot.policy.facts import Facts
from bot.queue.servers.trust.consents import Consent
from bot.texts.languages.spoken import speaking, spoken
from bot.texts.refusals import asks_enough_text, cannot_ask_text
from bot.texts.safety.trust import ask_author_text
from generator.clip import ClipSettings

WAIT_MS = 3_600_000
"""how long an author has to answer; a link to a picture is good for longer"""
MOST_ASKED = 5
"""requests of one person that may wait for somebody's word: nobody is to be pestered"""


def picture_request(source: Source) -> dict[str, Any]:
    """Return what is kept of a picture that is not fetched yet."""
    return {
        "url": source.url,
        "filename": source.filename,
        "spoiler": source.is_spoiler(),
        "content_type": source.content_type or "",
        "size": source.size,
    }


def picture_of(request: Mapping[str, Any]) -> LinkedPicture:
    """Return the picture of which `picture_request` was kept."""
    return LinkedPicture(**request)


async def ask_privately(
    interaction: Interaction, ask: AskAuthor, settings: ClipSettings, request: Mapping[str, Any]
) -> None:
    """Ask the picture's author, or say privately why that is not possible."""
    if refusal := await _refuse_asking(interaction, ask.facts):
        await answer(interaction, refusal)
        return
    message_id = await acknowledge(interaction, private=False)
    if message_id is not None:
        await _ask_author(interaction, ask.facts, message_id, settings, request)


async def ask_publicly(
    interaction: Interaction, ask: AskAuthor, message_id: int, settings: ClipSettings, request: Mapping[str, Any]
) -> None:
    """Ask the picture's author in the answer that was deferred publicly, or take it back."""
    if refusal := await _refuse_asking(interaction, ask.facts):
        await take_back(interaction, refusal)
        return
    await _ask_author(interaction, ask.facts, message_id, settings, request)


async def _refuse_asking(interaction: Interaction, facts: Facts) -> str | None:
    """Say why the author cannot be asked here, or by this person now; None when they can."""
    is_here = interaction.guild_id is not None and elsewhere_of(interaction) is None
    if not is_here or not can_post(interaction) or not facts.picture.can_answer:
        return cannot_ask_text()
    asked = await interaction.client.services.store.trust.consents.count_of(interaction.user.id)
    return asks_enough_text(MOST_ASKED) if asked >= MOST_ASKED else None


async def _ask_author(
    interaction: Interaction, facts: Facts, message_id: int, settings: ClipSettings, request: Mapping[str, Any]
) -> None:
    """Keep the request, and make the deferred answer the question to the author."""
    author_id, guild_id = facts.picture.author_id, interaction.guild_id
    assert author_id is not None and guild_id is not None and interaction.channel_id is not None
    services = interaction.client.services
    consents = services.store.trust.consents
    consent = Consent(
        key=str(interaction.id),
        user_id=interaction.user.id,
        author_id=author_id,
        guild_id=guild_id,
        channel_id=interaction.channel_id,
        message_id=message_id,
        until_ms=consents.now_ms() + WAIT_MS,
        request={
            **request,
            "settings": settings.to_json(),
            "person": {"roles": sorted(facts.person.roles)},
            "share": await share_of(interaction),
            "language": language_here(interaction).code,
            "own_language": spoken().code,
        },
    )
    if not await consents.ask(consent, MOST_ASKED):  # others came in between
        await take_back(interaction, asks_enough_text(MOST_ASKED))
        return
    with speaking(language_here(interaction).code):
        text = ask_author_text(author_id, interaction.user.id, consent.until_ms, _link(interaction, facts))
        view = consent_buttons(author_id, consent.key)
    author = discord.AllowedMentions(users=[discord.Object(author_id)])
    await repeat_lost(lambda: interaction.edit_original_response(content=text, view=view, allowed_mentions=author))


def _link(interaction: Interaction, facts: Facts) -> str | None:
    """Return the address of the message with the picture, where one is known."""
    if facts.picture.message_id is None:
        return None
    return f"https://discord.com/channels/{interaction.guild_id}/{interaction.channel_id}/{facts.picture.message_id}"
