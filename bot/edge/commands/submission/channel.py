"""What an interaction says about its channel: whether a clip can be posted there later, and how large it may be."""

from __future__ import annotations

import logging
from typing import Any

import discord

from bot.edge.commands.submission.answers import answer
from bot.edge.connection.languages import language_here
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.queue.job import Route, wall_clock_ms
from bot.texts.languages.spoken import spoken
from bot.texts.replies import no_history_text
from generator.memory import MIB

log = logging.getLogger(__name__)

LARGEST_POST = 24 * MIB
"""Discord takes 25 MiB a request, whatever a server's own limit says"""
TOKEN_MS = 15 * 60 * 1000
ANSWER_WITHIN_MS = 12 * 60 * 1000
"""of the token's 15 minutes, what a job may take where the bot can only answer and not post"""


def missing_permissions(interaction: Interaction) -> list[str]:
    """Name the permissions that the bot lacks for posting a clip here later."""
    if interaction.guild_id is None or not can_post(interaction):
        return []
    allowed = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    return [
        name
        for name, has in (
            ("View Channel", allowed.view_channel),
            ("Send Messages in Threads", allowed.send_messages_in_threads)
            if in_thread
            else ("Send Messages", allowed.send_messages),
            ("Attach Files", allowed.attach_files),
        )
        if not has
    ]


def can_post(interaction: Interaction) -> bool:
    """Tell whether the bot can post here with its own token, also after the interaction's 15 minutes."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    # A server may have installed the commands without the bot: then it is no member.
    is_member = interaction.is_guild_integration() and interaction.client.get_guild(interaction.guild_id) is not None
    return is_member and not _is_hidden(interaction)


def _is_hidden(interaction: Interaction) -> bool:
    """Tell whether this is a private thread that the bot is not in: it can answer there, and see nothing.

    The interaction's permissions are those of the thread's channel and do not tell.
    """
    thread = interaction.channel
    if not isinstance(thread, discord.Thread) or not thread.is_private():
        return False
    return thread.me is None and not interaction.app_permissions.manage_threads


def route_of(interaction: Interaction, *, spoiler: bool) -> Route:
    """Return where the answers to an interaction go."""
    assert interaction.channel_id is not None
    posts = can_post(interaction)
    limit = interaction.filesize_limit
    if posts:
        # the interaction's number may be its person's own (Nitro), which a post by the bot does not have
        guild = interaction.guild
        limit = min(limit, guild.filesize_limit if guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES)
    return Route(
        application_id=interaction.application_id,
        channel_id=interaction.channel_id,
        guild_id=interaction.guild_id,
        interaction_token=interaction.token,
        token_expires_ms=wall_clock_ms() + TOKEN_MS,
        can_post=posts,
        max_bytes=min(limit, LARGEST_POST),
        spoiler=spoiler,
        language=language_here(interaction).code,
        own_language=spoken().code,
    )


async def write_card(interaction: Interaction, **content: Any) -> None:
    """Fill in the public answer with the status card; then advise privately, as a followup before would fill it in."""
    await interaction.edit_original_response(**content)
    try:
        await advise(interaction)
    except NETWORK_ERRORS as error:
        log.info("interaction=%d advice not sent: %s", interaction.id, type(error).__name__)


async def advise(interaction: Interaction) -> None:
    """Tell who can change it what is weaker without Read Message History: once a start in each server."""
    guild_id, person = interaction.guild_id, interaction.permissions
    if guild_id is None or not can_post(interaction) or interaction.app_permissions.read_message_history:
        return
    told = interaction.client.advised
    if guild_id not in told and (person.manage_guild or person.manage_roles):
        told.add(guild_id)
        await answer(interaction, no_history_text())
