"""VivantClient: the connection to Discord. Registers the commands, answers for their failures, paces its own starts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import app_commands

from bot.edge.commands import add_commands
from bot.edge.commands.answers import answer, is_operator
from bot.edge.commands.buttons import press
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts import Action, JobButton, describe_presence
from bot.edge.pacing import paced_start
from bot.edge.redact import hide_tokens_in_logs
from bot.edge.status_cards import wall_clock_ms
from bot.queue.job import JobState
from bot.texts.replies import failed_text, not_here_text

if TYPE_CHECKING:
    from bot.edge.context import Services

log = logging.getLogger(__name__)

CONNECTIONS = 12
"""to one host: a burst of commands shares them, because a TLS handshake for each costs more than the waiting"""
KEEP_CONNECTION_SECONDS = 60.0
ALWAYS_OPEN = ("privacy", "forget-me")
"""also where the bot does not work: what it holds of a person is theirs to ask about"""
PRESENCE_SECONDS = 60.0
"""Discord allows five presence updates in 20 s; nobody needs more than one a minute"""


class Tree(app_commands.CommandTree["VivantClient"]):
    """The commands, and what a person is told when one of them fails."""

    async def interaction_check(self, interaction: discord.Interaction[VivantClient], /) -> bool:
        """Serve only the servers that the operator allows."""
        allowed = interaction.client.services.config.allowed_guilds
        if not allowed or interaction.guild_id in allowed or is_operator(interaction):
            return True
        if interaction.command is not None and interaction.command.name in ALWAYS_OPEN:
            return True
        if interaction.type is not discord.InteractionType.autocomplete:
            await answer(interaction, not_here_text())
        return False

    async def on_error(
        self, interaction: discord.Interaction[VivantClient], error: app_commands.AppCommandError, /
    ) -> None:
        """Log what failed and tell its person, once, whether or not it was acknowledged."""
        await self.report(interaction, error)

    async def report(self, interaction: discord.Interaction[VivantClient], error: Exception) -> None:
        """Log the whole error by the interaction's id, never its token; say a plain sentence."""
        if isinstance(error, app_commands.CheckFailure):
            return  # the check has answered
        if self.client.is_closed():
            log.info("interaction=%d was cut short by the stop", interaction.id)
            return
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        name = interaction.command.qualified_name if interaction.command else "button"
        log.error("interaction=%d %s failed", interaction.id, name, exc_info=cause)
        try:
            await answer(interaction, failed_text())
        except NETWORK_ERRORS as late:
            log.info("interaction=%d could not be told: %s", interaction.id, type(late).__name__)


class VivantClient(discord.AutoShardedClient):
    """discord.py's client with our commands; needs no privileged intent."""

    def __init__(
        self,
        services: Services,
        *,
        connector: aiohttp.BaseConnector | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._connector = connector or aiohttp.TCPConnector(
            limit_per_host=CONNECTIONS, keepalive_timeout=KEEP_CONNECTION_SECONDS
        )
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            guild_ready_timeout=0.2,  # on_ready is all that waits for it, and READY itself names every server
            proxy=services.config.proxy,
            connector=self._connector,
        )
        self.services = services
        self.tree = Tree(self)
        self.ready_seconds: float | None = None
        """from the object's making to the first gateway READY"""
        self._now_ms = now_ms
        self._made = time.monotonic()
        self._downloads: aiohttp.ClientSession | None = None
        self._shown = ""
        add_commands(self.tree)

    @property
    def downloads(self) -> aiohttp.ClientSession:
        """The session that fetches attachments."""
        if self._downloads is None:
            self._downloads = aiohttp.ClientSession(connector=self._connector, connector_owner=False)
        return self._downloads

    async def close(self) -> None:
        """Close the connection and the downloads."""
        if self._downloads is not None:
            await self._downloads.close()
        await super().close()

    async def setup_hook(self) -> None:
        """Register buttons, and the commands where Discord may not hold them as they are now."""
        hide_tokens_in_logs()
        self.add_dynamic_items(JobButton)
        await self._sync_changed_commands()

    async def _sync_changed_commands(self) -> None:
        store = self.services.store
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        text = json.dumps([self.application_id, payload], sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if await store.get_setting("commands_hash") == digest:
            # Others with this token may have removed them, and a new local Discord begins without any.
            registered = {command.name for command in await self.tree.fetch_commands()}
            if registered == {str(item["name"]) for item in payload}:
                return
        await self.tree.sync()
        await store.set_setting("commands_hash", digest)
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
            # discord.py swallows a cancellation while it identifies anew, and would wait for ever: close it first
            await self.close()
            connection.cancel()
            await asyncio.wait({presence, connection})

    async def on_shard_ready(self, shard_id: int) -> None:
        """Note how long the first start took; what was shown below the bot's name is gone with a new session."""
        self._shown = ""
        if self.ready_seconds is None:
            self.ready_seconds = time.monotonic() - self._made
            log.info("ready %.2f s after the start, %d servers", self.ready_seconds, len(self.guilds))

    async def on_ready(self) -> None:
        """Forget the servers that sent the bot away while it was off: every shard has named its servers by now."""
        assert self.application_id is not None
        known = await self.services.store.guilds(self.application_id)
        for guild_id in known - {guild.id for guild in self.guilds}:
            await self._forget_guild(guild_id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Forget a server that has sent the bot away."""
        await self._forget_guild(guild.id)

    async def _forget_guild(self, guild_id: int) -> None:
        ours = [job.id for job in await self.services.store.active_jobs() if job.route.guild_id == guild_id]
        names = await self.services.store.forget_guild(guild_id)
        for job_id in ours:
            for worker in self.services.workers:
                worker.cancel(job_id)
        await asyncio.to_thread(self.services.spool.delete, names)
        log.info("guild=%d left, %d files deleted", guild_id, len(names))

    async def press(self, interaction: discord.Interaction[Any], action: Action, number: int, key: str) -> None:
        """Do what a button says, with the same checks and failures as a command."""
        try:
            if action is Action.FORGET or await self.tree.interaction_check(interaction):  # ALWAYS_OPEN, as its command
                await press(interaction, action, number, key)
        except Exception as error:  # noqa: BLE001 - a button has no tree to catch its errors
            await self.tree.report(interaction, error)

    async def _keep_presence(self) -> None:
        await self.wait_until_ready()
        while True:
            services = self.services
            waiting = (await services.store.counts())[JobState.QUEUED]
            text = describe_presence(services.switches.variant, waiting, services.switches.hold)
            if text != self._shown:
                try:
                    await self.change_presence(activity=discord.CustomActivity(text))
                    self._shown = text
                except (*NETWORK_ERRORS, discord.ConnectionClosed) as error:
                    log.info("presence not updated: %s", type(error).__name__)
            await asyncio.sleep(PRESENCE_SECONDS)
