"""Posting an announcement in every server, each at most once, also when the bot dies in the middle.

What is left is kept as a setting. Before a server is written to, that is noted; after a death the channel's history
tells whether it arrived, and a server whose history cannot be read is left out: twice would be worse.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import discord

from bot.edge.commands.settings.log_channel import write_to_channel
from bot.edge.connection.languages import server_language
from bot.edge.context import ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.policy.language import LANGUAGES, Language
from bot.queue.job import wall_clock_ms
from bot.texts.languages.spoken import speaking
from bot.texts.safety.operators import announcement_text

_KEY = "announcement"
_LOOKED_AT = 5_000
"""messages at most: 50 requests; a log channel has fewer while the bot is away"""
_EARLIER = 60.0
"""seconds before its beginning from which the history is searched: clocks differ"""

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Announcement:
    """What is told, and how far that has come."""

    text: str
    began_ms: int
    left: list[int]
    """servers that were not written to yet"""
    writing: int | None = None
    """the server that is being written to"""
    reached: int = 0
    failed: int = 0
    without: int = 0
    """servers that have chosen no log channel"""

    def posted(self, language: Language) -> str:
        """Return the message as a server sees it."""
        with speaking(language.code):
            return announcement_text(self.text)

    def nonce(self, guild_id: int) -> str:
        """Return what Discord knows a repeated post by for some minutes: another for each server, 25 letters."""
        return f"{guild_id:x}-{self.began_ms % 16**7:x}"


async def announce_everywhere(client: ServiceClient, text: str) -> Announcement:
    """Post in the log channel of every server, after what an earlier announcement has left."""
    async with client.announcing:
        await _go_on(client)
        left = [guild.id for guild in client.guilds]
        return await _post(client, Announcement(text=text, began_ms=wall_clock_ms(), left=left))


async def resume_announcement(client: ServiceClient) -> None:
    """Go on with what a process before this one has left, once all servers are known; then wait to be cancelled."""
    await client.wait_until_ready()
    async with client.announcing:
        await _go_on(client)
    await asyncio.Event().wait()


async def _go_on(client: ServiceClient) -> None:
    kept = await client.services.store.settings.get(_KEY)
    if kept is None:
        return
    found = Announcement(**json.loads(kept))
    if found.writing is not None:
        await _conclude_write(client, found, found.writing)
    await _post(client, found)


async def _conclude_write(client: ServiceClient, found: Announcement, guild_id: int) -> None:
    """Find out what became of the post during which the process died."""
    match await _has_arrived(client, found, guild_id):
        case True:
            found.reached += 1
        case False:
            found.left.append(guild_id)
        case None:
            found.failed += 1
    found.writing = None


async def _has_arrived(client: ServiceClient, found: Announcement, guild_id: int) -> bool | None:
    """Tell whether a server's channel has the announcement; None when that cannot be seen."""
    channel = client.get_channel(client.services.store.servers.settings(guild_id).log_channel or 0)
    if not isinstance(channel, discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread):
        return None
    # Where the history may not be read, Discord answers as if it were empty.
    if not channel.permissions_for(channel.guild.me).read_message_history:
        return None
    after = discord.Object(discord.utils.time_snowflake(datetime.fromtimestamp(found.began_ms / 1000 - _EARLIER, UTC)))
    posted = {found.posted(language) for language in LANGUAGES.values()}  # its own may have changed since
    try:
        async for message in channel.history(limit=_LOOKED_AT, after=after):
            if message.author == channel.guild.me and message.content in posted:
                return True
    except NETWORK_ERRORS as error:
        log.info("announcement: channel=%d cannot be looked at: %s", channel.id, type(error).__name__)
        return None
    return False


async def _post(client: ServiceClient, found: Announcement) -> Announcement:
    """Write to the servers that are left, and keep at each step how far it has come."""
    settings = client.services.store.settings
    while found.left:
        found.writing = found.left.pop()
        await settings.set(_KEY, json.dumps(asdict(found)))
        await _write(client, found, found.writing)
        if client.is_closed():  # the bot ends: what is kept says where the next one goes on
            return found
        found.writing = None
    await settings.set(_KEY, None)
    log.info("announcement: posted in %d servers, not in %d, %d without", found.reached, found.failed, found.without)
    return found


async def _write(client: ServiceClient, found: Announcement, guild_id: int) -> None:
    channel_id = client.services.store.servers.settings(guild_id).log_channel
    posted = found.posted(server_language(client, guild_id))
    if channel_id is None:
        found.without += 1
    elif await write_to_channel(client, channel_id, posted, found.nonce(guild_id)):
        found.reached += 1
    else:
        found.failed += 1
