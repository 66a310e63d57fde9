"""How a command answers: privately, once, and whether or not it was acknowledged before."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord

from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.owner_alerts import owner_ids
from bot.texts.replies import taken_back_text

if TYPE_CHECKING:
    from bot.edge.client import VivantClient
    from bot.queue.job import Job

log = logging.getLogger(__name__)


async def answer(interaction: discord.Interaction[Any], text: str, **more: Any) -> None:
    """Answer privately: as the response if there was none yet, else as a followup."""
    if interaction.response.is_done():
        await interaction.followup.send(text, ephemeral=True, **more)
    else:
        await interaction.response.send_message(text, ephemeral=True, **more)


async def acknowledge(interaction: discord.Interaction[Any], *, private: bool) -> int | None:
    """Defer, and give the answer's message id; None: it was too late, so nobody waits for an answer."""
    try:
        callback = await interaction.response.defer(ephemeral=private, thinking=True)
    except discord.NotFound:
        log.warning("interaction=%d was acknowledged too late", interaction.id)
        return None
    return callback.message_id if callback else None


async def take_back(interaction: discord.Interaction[Any], text: str) -> None:
    """Replace the public "thinking" by a private answer.

    A deferred answer cannot become private, the first followup would fill it in, and after its deletion followups fail
    with Unknown Message (discord-api-docs#2739, #3087). So it is filled in, answered privately, then deleted.
    """
    await interaction.edit_original_response(content=taken_back_text())
    try:
        await interaction.followup.send(text, ephemeral=True)
    except NETWORK_ERRORS as error:
        log.info("interaction=%d refusal fell back to the public answer: %s", interaction.id, type(error).__name__)
        await interaction.edit_original_response(content=text)
    else:
        await interaction.delete_original_response()


def is_operator(interaction: discord.Interaction[VivantClient]) -> bool:
    """Tell whether the person owns this bot: listed in `owners`, or the application's owner or in its team."""
    owners = owner_ids(interaction.client, interaction.client.services.config.owners)
    return interaction.user.id in owners


def is_admin(interaction: discord.Interaction[VivantClient]) -> bool:
    """Tell whether the person may pause and resume: an operator, or listed in `admins`."""
    return is_operator(interaction) or interaction.user.id in interaction.client.services.config.admins


def may_end(interaction: discord.Interaction[VivantClient], job: Job) -> bool:
    """Tell whether the person may cancel or delete: the requester, a moderator of that very server, an operator."""
    if interaction.user.id == job.user_id or is_operator(interaction):
        return True
    same_guild = interaction.guild_id is not None and interaction.guild_id == job.route.guild_id
    return same_guild and interaction.permissions.manage_messages
