"""How a command answers: privately, once, and whether or not it was acknowledged before."""

from __future__ import annotations

import logging
from typing import Any

import discord
from discord import app_commands

from bot.edge.http_errors import NETWORK_ERRORS
from bot.texts.replies import failed_text, taken_back_text

log = logging.getLogger(__name__)


async def answer(interaction: discord.Interaction[Any], text: str, **more: Any) -> None:
    """Answer privately: as the response if there was none yet, else as a followup."""
    if interaction.response.is_done():
        await interaction.followup.send(text, ephemeral=True, **more)
    else:
        await interaction.response.send_message(text, ephemeral=True, **more)


async def acknowledge(interaction: discord.Interaction[Any], *, private: bool) -> int | None:
    """Defer, and return the answer's message id; None when it was too late, so that nobody waits for an answer."""
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


async def report(interaction: discord.Interaction[Any], error: Exception) -> None:
    """Log the whole error with the interaction's id, never its token, and tell its person once, in a plain sentence."""
    if isinstance(error, app_commands.CheckFailure):
        return  # the check has answered
    if interaction.client.is_closed():
        log.info("interaction=%d was cut short by the stop", interaction.id)
        return
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    name = interaction.command.qualified_name if interaction.command else "button"
    log.error("interaction=%d %s failed", interaction.id, name, exc_info=cause)
    try:
        await answer(interaction, failed_text())
    except NETWORK_ERRORS as late:
        log.info("interaction=%d could not be told: %s", interaction.id, type(late).__name__)
