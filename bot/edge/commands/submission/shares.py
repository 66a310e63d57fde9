"""A person's share of the GPU, by the roles that they have where they ask, or else in the servers of the bot."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import discord

from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS

log = logging.getLogger(__name__)

ORDINARY = 100
"""the share of somebody without a weighted role, in percent"""


async def share_of(interaction: Interaction) -> int:
    """Return the person's share in percent: the largest of their weighted roles' shares.

    Direct messages and places without the bot know no roles. There the servers whose roles have weights are asked, so
    that nobody gets another share by asking elsewhere.
    """
    client, weights = interaction.client, interaction.client.services.config.queue.role_weights
    if not weights:
        return ORDINARY
    if interaction.guild_id is not None and client.get_guild(interaction.guild_id) is not None:
        return _largest(getattr(interaction.user, "roles", ()), weights)
    shares = [
        _largest(member.roles, weights)
        for guild in client.guilds
        if any(guild.get_role(int(role)) for role in weights) and (member := await _member(guild, interaction.user.id))
    ]
    return max(shares, default=ORDINARY)


def _largest(roles: Iterable[discord.Role], weights: Mapping[str, int]) -> int:
    return max((weights[str(role.id)] for role in roles if str(role.id) in weights), default=ORDINARY)


async def _member(guild: discord.Guild, user_id: int) -> discord.Member | None:
    try:
        return await guild.fetch_member(user_id)
    except discord.NotFound:
        return None
    except NETWORK_ERRORS as error:
        log.warning("guild=%d the roles of somebody could not be read: %s", guild.id, type(error).__name__)
        return None
