"""What an interaction says about its channel: whether a clip can be posted there later, and how large it may be."""

from __future__ import annotations

import discord

from bot.edge.context import Interaction
from bot.queue.job import Route, wall_clock_ms
from bot.texts.explanations import explain_channel
from generator.memory import MIB

LARGEST_POST = 24 * MIB
"""Discord takes 25 MiB a request, whatever a server's own limit says"""
TOKEN_MS = 15 * 60 * 1000
ANSWER_WITHIN_MS = 12 * 60 * 1000
"""of the token's 15 minutes, what a job may take where the bot can only answer and not post"""


def refuse_channel(interaction: Interaction) -> str | None:
    """Say why a clip could not be posted here later; None when it can."""
    if interaction.guild_id is None or not can_post(interaction):
        return None
    allowed = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    missing = [
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
    return explain_channel(missing) if missing else None


def can_post(interaction: Interaction) -> bool:
    """Tell whether the bot can post here with its own token, also after the interaction's 15 minutes."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    # A server may have installed the commands without the bot: then it is no member.
    return interaction.is_guild_integration() and interaction.client.get_guild(interaction.guild_id) is not None


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
    )
