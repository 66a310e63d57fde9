"""A server's log channel: what is written there, and whether it can be.

Tested in tests/bot/edge/commands/settings/test_command.py.
"""

from __future__ import annotations

import logging
from typing import Any

import discord

from bot.edge.context import Interaction, ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.texts.limits import MESSAGE_LETTERS, shorten

log = logging.getLogger(__name__)


async def write_to_channel(client: ServiceClient, channel_id: int | None, text: str, nonce: str | None = None) -> bool:
    """Write into a server's own channel, without notifying anybody; return whether it arrived.

    Discord takes a message with the same nonce once within some minutes.
    """
    if channel_id is None:
        return False
    channel = client.get_partial_messageable(channel_id)
    try:
        once: dict[str, Any] = {} if nonce is None else {"nonce": nonce}
        nobody = discord.AllowedMentions.none()
        await channel.send(shorten(text, MESSAGE_LETTERS), allowed_mentions=nobody, **once)
    except NETWORK_ERRORS as error:
        log.info("channel=%d cannot be written to: %s", channel_id, type(error).__name__)
        return False
    return True


def can_write(interaction: Interaction, channel_id: int) -> bool:
    """Tell whether the bot may write into a channel of this server, as far as it knows."""
    channel = interaction.guild.get_channel(channel_id) if interaction.guild else None
    if channel is None or interaction.guild is None:
        return True  # not known: the first line tells
    allowed = channel.permissions_for(interaction.guild.me)
    return allowed.view_channel and allowed.send_messages
