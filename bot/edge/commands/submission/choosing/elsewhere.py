"""A request that is taken for another channel of the server than the one in which it is mended.

What is asked of the interaction everywhere else, where it comes from and where its answers go, is noted in it.
Tested in tests/bot/edge/commands/submission/choosing/test_mending.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import discord
from discord import ui

from bot.edge.commands.submission.answers import fill_in, repeat_lost
from bot.edge.commands.submission.channel import LARGEST_POST, Elsewhere, elsewhere_of, note_elsewhere, where_in
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.policy.admission import OF_CHANNELS, decide
from bot.policy.facts import Entrance, Facts
from bot.queue.job import Route
from bot.texts.asking.mending import moved_text, moving_text

MOST_CHANNELS = 25
"""choices in a menu"""


def open_channels(interaction: Interaction) -> list[discord.TextChannel]:
    """Return the other channels of the server in which this person may ask, and the bot may post."""
    guild, person = interaction.client.get_guild(interaction.guild_id or 0), interaction.user
    if guild is None or not isinstance(person, discord.Member):
        return []
    others = (channel for channel in guild.text_channels if channel.id != interaction.channel_id)
    return [channel for channel in others if _is_open(interaction, channel, person)][:MOST_CHANNELS]


def _is_open(interaction: Interaction, channel: discord.TextChannel, person: discord.Member) -> bool:
    allowed = channel.permissions_for(person)
    if not (allowed.view_channel and allowed.send_messages and allowed.use_application_commands):
        return False
    server = interaction.client.services.store.servers.settings(channel.guild.id)
    facts = Facts(entrance=Entrance.MEND, where=where_in(channel), server=server)
    return decide(facts, OF_CHANNELS) is None


def move(interaction: Interaction, channel_id: str) -> None:
    """Let a request be taken for another channel, where its person may ask there."""
    channel = next((item for item in open_channels(interaction) if str(item.id) == channel_id), None)
    if channel is None:
        return
    route = Route(
        application_id=interaction.application_id,
        channel_id=channel.id,
        guild_id=channel.guild.id,
        max_bytes=min(channel.guild.filesize_limit, LARGEST_POST),
    )
    note_elsewhere(interaction, Elsewhere(channel=channel, where=where_in(channel), route=route))


@contextlib.asynccontextmanager
async def place_for_card(interaction: Interaction, message_id: int) -> AsyncIterator[int]:
    """Give the message that becomes the card: the answer, or one posted elsewhere, which goes when nothing is taken."""
    elsewhere = elsewhere_of(interaction)
    if elsewhere is None:
        yield message_id
        return
    view = ui.LayoutView()
    view.add_item(ui.TextDisplay(moving_text()))
    elsewhere.card = await elsewhere.channel.send(view=view, allowed_mentions=discord.AllowedMentions.none())
    try:
        yield elsewhere.card.id
    except BaseException:
        with contextlib.suppress(*NETWORK_ERRORS):
            await repeat_lost(elsewhere.card.delete)
        raise
    await fill_in(interaction, moved_text(elsewhere.card.jump_url))
