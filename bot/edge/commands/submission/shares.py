"""A person's share of the GPU, by the roles that they have where they ask, or else in the servers of the bot."""

from __future__ import annotations

import logging
from collections.abc import Collection

import discord

from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS

log = logging.getLogger(__name__)

ORDINARY = 100
"""the share of somebody without a weighted role, in percent"""


async def share_of(interaction: Interaction) -> int:
    """Return the person's share in percent: the largest of their weighted roles' shares."""
    weights = {int(role): share for role, share in interaction.client.services.config.queue.role_weights.items()}
    known = await _roles_by_server(interaction, weights)
    shares = [max((weights[role] for role in roles), default=ORDINARY) for roles in known]
    return max(shares, default=ORDINARY)


async def roles_of(interaction: Interaction, wanted: Collection[int]) -> frozenset[int]:
    """Return which of the wanted roles the person has where they ask, or else in the servers of the bot."""
    return frozenset().union(*await _roles_by_server(interaction, wanted))


async def _roles_by_server(interaction: Interaction, wanted: Collection[int]) -> list[frozenset[int]]:
    """Return which of the wanted roles the person has, for each server that is asked.

    Direct messages and places without the bot know no roles. There the servers that have such roles are asked, so that
    nobody gets something else by asking elsewhere.
    """
    client = interaction.client
    if not wanted:
        return []
    if interaction.guild_id is not None and client.get_guild(interaction.guild_id) is not None:
        return [own_roles(interaction).intersection(wanted)]
    return [
        frozenset(role.id for role in member.roles).intersection(wanted)
        for guild in client.guilds
        if any(guild.get_role(role) for role in wanted) and (member := await _member(guild, interaction.user.id))
    ]


def own_roles(interaction: Interaction) -> frozenset[int]:
    """Return the person's roles in the server where they ask, its own id (everyone) included; none elsewhere."""
    if interaction.guild_id is None:
        return frozenset()
    known = {role.id for role in getattr(interaction.user, "roles", ())}
    # Member.roles leaves out what the cache does not know, which is every role where the bot is no member.
    return frozenset({interaction.guild_id, *known, *getattr(interaction.user, "_roles", ())})


async def roles_in_server(interaction: Interaction, user_id: int) -> frozenset[int]:
    """Return somebody's roles in the server of the interaction, its own id included; none elsewhere."""
    if interaction.guild_id is None:
        return frozenset()
    guild = interaction.client.get_guild(interaction.guild_id)
    member = None if guild is None else await _member(guild, user_id)
    return frozenset({interaction.guild_id, *(role.id for role in (member.roles if member else ()))})


async def _member(guild: discord.Guild, user_id: int) -> discord.Member | None:
    try:
        return await guild.fetch_member(user_id)
    except discord.NotFound:
        return None
    except NETWORK_ERRORS as error:
        log.warning("guild=%d the roles of somebody could not be read: %s", guild.id, type(error).__name__)
        return None
