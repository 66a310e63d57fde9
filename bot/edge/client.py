"""The connection to Discord: registers the commands, paces its own starts, keeps the presence up to date."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable

import aiohttp
import discord
from discord import app_commands

from bot.edge.commands import add_commands
from bot.edge.commands.buttons import JobButton
from bot.edge.commands.submission.answers import report
from bot.edge.commands.submission.permissions import is_served
from bot.edge.context import Interaction, ServiceClient, Services
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.pacing import paced_start
from bot.edge.redact import hide_tokens_in_logs
from bot.queue.job import JobState
from bot.texts.descriptions import describe_presence

log = logging.getLogger(__name__)

CONNECTIONS = 12
"""to one host: a burst of commands shares them, because a TLS handshake for each costs more than the waiting"""
KEEP_CONNECTION_SECONDS = 60.0
PRESENCE_SECONDS = 60.0
"""Discord allows five presence updates in 20 s; nobody needs more than one a minute"""


# discord.py warns at every start about voice libraries that nothing here uses.
discord.VoiceClient.warn_nacl = False
discord.VoiceClient.warn_dave = False


class Tree(app_commands.CommandTree[ServiceClient]):
    """The commands, with the checks and the answers to failures that all of them share."""

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Serve only the servers that the operator allows."""
        return await is_served(interaction)

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """Log what failed and tell its person, once, whether or not it was acknowledged."""
        await report(interaction, error)


class VivantClient(ServiceClient):
    """The bot's connection to Discord; needs no privileged intent."""

    def __init__(
        self,
        services: Services,
        *,
        connector: aiohttp.BaseConnector | None,
        now_ms: Callable[[], int],
    ) -> None:
        hide_tokens_in_logs()
        super().__init__(
            services,
            connector or aiohttp.TCPConnector(limit_per_host=CONNECTIONS, keepalive_timeout=KEEP_CONNECTION_SECONDS),
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            guild_ready_timeout=0.2,  # on_ready is all that waits for it, and READY itself names every server
        )
        self.tree = Tree(self)
        self.ready_seconds: float | None = None
        """from the object's making to the first gateway READY"""
        self._now_ms = now_ms
        self._made = time.monotonic()
        self._shown = ""
        add_commands(self.tree)

    def is_connected(self) -> bool:
        """Tell whether the gateway answers."""
        return self.is_ready() and not self.is_closed()

    async def log_in(self, token: str) -> None:
        """Log in; while Discord cannot be reached, try again. Raises discord.LoginFailure."""
        rest_seconds = 1.0
        while True:
            try:
                return await self.login(token)
            except discord.LoginFailure:
                raise
            except (aiohttp.ClientError, OSError, discord.DiscordServerError) as error:
                log.warning("Discord cannot be reached (%s); again in %g s", type(error).__name__, rest_seconds)
            await asyncio.sleep(rest_seconds)
            rest_seconds = min(2 * rest_seconds, 60.0)

    async def setup_hook(self) -> None:
        """Register the buttons, and the commands if those that Discord has are not the ones of this version."""
        self.add_dynamic_items(JobButton)
        await self._sync_changed_commands()

    async def _sync_changed_commands(self) -> None:
        store = self.services.store
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        text = json.dumps([self.application_id, payload], sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if await store.settings.get("commands_hash") == digest:
            # Another program with this token may have removed them, and a new local Discord has none.
            registered = {command.name for command in await self.tree.fetch_commands()}
            if registered == {str(item["name"]) for item in payload}:
                return
        await self.tree.sync()
        await store.settings.set("commands_hash", digest)
        log.info("registered %d commands", len(payload))

    async def connect(self, *, reconnect: bool = True) -> None:
        """Stay connected to the gateway, with the presence kept up to date beside it."""
        await paced_start(self.services.store, self._now_ms)
        presence = asyncio.create_task(self._keep_presence())
        connection = asyncio.create_task(super().connect(reconnect=reconnect))
        try:
            await asyncio.wait({connection})
            connection.result()
        finally:
            presence.cancel()
            # While discord.py identifies again it ignores a cancellation and would wait for ever: close it first.
            await self.close()
            connection.cancel()
            await asyncio.wait({presence, connection})

    async def on_shard_ready(self, shard_id: int) -> None:
        """Note how long the first start took. A new session shows no presence, so it has to be set again."""
        self._shown = ""
        if self.ready_seconds is None:
            self.ready_seconds = time.monotonic() - self._made
            log.info("ready %.2f s after the start, %d servers", self.ready_seconds, len(self.guilds))

    async def on_ready(self) -> None:
        """Forget the servers that removed the bot while it was off. By now every shard has named its servers."""
        assert self.application_id is not None
        known = await self.services.store.retention.guilds(self.application_id)
        for guild_id in known - {guild.id for guild in self.guilds}:
            await self.services.requests.forget_guild(guild_id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Forget a server that has removed the bot."""
        await self.services.requests.forget_guild(guild.id)

    async def _keep_presence(self) -> None:
        await self.wait_until_ready()
        while True:
            services = self.services
            waiting = (await services.store.jobs.counts())[JobState.QUEUED]
            text = describe_presence(services.switches.variant, waiting, services.switches.gate.hold)
            if text != self._shown:
                try:
                    await self.change_presence(activity=discord.CustomActivity(text))
                    self._shown = text
                except (*NETWORK_ERRORS, discord.ConnectionClosed) as error:
                    log.info("presence not updated: %s", type(error).__name__)
            await asyncio.sleep(PRESENCE_SECONDS)
