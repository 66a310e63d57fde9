"""What an interaction says about its channel: whether a clip can be posted there later, and how large it may be."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import discord

from bot.edge.commands.submission.answers import answer
from bot.edge.connection.languages import language_here
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.policy.facts import Where
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


@dataclass(slots=True, kw_only=True)
class Elsewhere:
    """Another channel for which a request is taken."""

    channel: discord.TextChannel
    where: Where
    route: Route
    card: discord.Message | None = None


_ELSEWHERE = "elsewhere"
"""in an interaction's `extras`"""


def note_elsewhere(interaction: Interaction, elsewhere: Elsewhere) -> None:
    """Note that what an interaction asks for is for another channel."""
    interaction.extras[_ELSEWHERE] = elsewhere


def elsewhere_of(interaction: Interaction) -> Elsewhere | None:
    """Return the other channel for which an interaction asks; None: its own."""
    found: Elsewhere | None = interaction.extras.get(_ELSEWHERE)
    return found


def where_in(channel: discord.TextChannel) -> Where:
    """Return what the rules look at of a channel of a server of which the bot is a member."""
    return Where(
        guild_id=channel.guild.id,
        channel_id=channel.id,
        parents=frozenset() if channel.category_id is None else frozenset({channel.category_id}),
        is_age_restricted=is_age_restricted(channel.guild, channel),
        missing=tuple(_missing(channel.permissions_for(channel.guild.me), in_thread=False)),
    )


def is_age_restricted(guild: discord.Guild | None, channel: object) -> bool:
    """Tell whether Discord shows this channel to adults alone: by the channel, or by its whole server."""
    levels = (discord.NSFWLevel.explicit, discord.NSFWLevel.age_restricted)
    if guild is not None and getattr(guild, "nsfw_level", None) in levels:
        return True
    is_nsfw = getattr(channel, "is_nsfw", None)
    return bool(is_nsfw is not None and is_nsfw())


def missing_permissions(interaction: Interaction) -> list[str]:
    """Name the permissions that the bot lacks for posting a clip here later."""
    if interaction.guild_id is None or not can_post(interaction):
        return []
    return _missing(interaction.app_permissions, in_thread=isinstance(interaction.channel, discord.Thread))


def _missing(allowed: discord.Permissions, *, in_thread: bool) -> list[str]:
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


def chosen_route(interaction: Interaction, *, spoiler: bool) -> Route:
    """Return where a request's answers go: where it is asked, or the other channel for which it is taken."""
    elsewhere = elsewhere_of(interaction)
    return replace(elsewhere.route, spoiler=spoiler) if elsewhere else route_of(interaction, spoiler=spoiler)


async def write_card(interaction: Interaction, **content: Any) -> None:
    """Fill in the public answer with the status card; then advise privately, as a followup before would fill it in."""
    elsewhere = elsewhere_of(interaction)
    if elsewhere is not None and elsewhere.card is not None:
        await elsewhere.card.edit(**content)
        return
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
