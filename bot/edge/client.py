"""The connection to Discord: registers the commands, paces its own starts, answers to its events."""

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
from bot.edge.commands.finished.file_menu import FileMenu
from bot.edge.commands.forgetting import forget_guild, note_request
from bot.edge.commands.form.modal import answer_gone
from bot.edge.commands.reviews.deciding import ReviewPress
from bot.edge.commands.reviews.holding import post_missing_cards
from bot.edge.commands.settings.items import ITEMS
from bot.edge.commands.submission.answers import report
from bot.edge.commands.submission.choosing.mending import MendPress
from bot.edge.commands.submission.permissions import is_served
from bot.edge.connection.invalid_requests import InvalidRequests
from bot.edge.connection.languages import CatalogueTranslator, answer_in_own_language
from bot.edge.connection.left_cards import end_cards_in
from bot.edge.connection.pacing import paced_identify, paced_start
from bot.edge.connection.presence import Presence
from bot.edge.connection.restored import look_up_answered
from bot.edge.connection.starting import Pause, explain_close, wait_for_discord
from bot.edge.context import Interaction, ServiceClient, Services
from bot.edge.redact import hide_tokens_in_logs
from bot.work.supervise import keep_going
from bot.work.uplink.uploads import open_socket

log = logging.getLogger(__name__)

CONNECTIONS = 12
"""to one host: a burst of commands shares them, because a TLS handshake for each costs more than the waiting"""
KEEP_CONNECTION_SECONDS = 60.0
LONGEST_LIMIT_SECONDS = 60.0
"""of a rate limit that discord.py waits for by itself: our own loops wait for longer ones without holding anything"""


# discord.py warns at every start about voice libraries that nothing here uses.
discord.VoiceClient.warn_nacl = False
discord.VoiceClient.warn_dave = False


def _connector() -> aiohttp.BaseConnector:
    return aiohttp.TCPConnector(
        limit_per_host=CONNECTIONS, keepalive_timeout=KEEP_CONNECTION_SECONDS, socket_factory=open_socket
    )


class Tree(app_commands.CommandTree[ServiceClient]):
    """The commands, with the checks and the answers to failures that all of them share."""

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Serve only the servers that the operator allows."""
        note_request(interaction)
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
        pause: Pause = asyncio.sleep,
    ) -> None:
        hide_tokens_in_logs()
        self.invalid_requests = InvalidRequests()
        super().__init__(
            services,
            connector or _connector(),
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            http_trace=self.invalid_requests.trace(),
            max_ratelimit_timeout=LONGEST_LIMIT_SECONDS,
            guild_ready_timeout=0.2,  # on_ready is all that waits for it, and READY itself names every server
        )
        self.tree = Tree(self)
        answer_in_own_language(self)
        self.ready_seconds: float | None = None
        """from the object's making to the first gateway READY"""
        self._now_ms = now_ms
        self._pause = pause
        self._made = time.monotonic()
        self._presence = Presence(self)
        add_commands(self.tree, services.config.generator)

    def is_connected(self) -> bool:
        """Tell whether the gateway answers."""
        return self.is_ready() and not self.is_closed()

    async def log_in(self, token: str) -> None:
        """Log in; while Discord cannot be reached, try again. Raises discord.LoginFailure."""
        again = False

        async def attempt() -> None:
            nonlocal again
            if again:
                # Each login makes a session. The connector of the one before is still needed, so it is not closed.
                discord.Webhook.partial(0, "", client=self).session.detach()
            again = True
            await self.login(token)

        await wait_for_discord(attempt, self._pause)

    async def setup_hook(self) -> None:
        """Register the buttons, and the commands if those that Discord has are not the ones of this version."""
        self.add_dynamic_items(JobButton, FileMenu, ReviewPress, MendPress, *ITEMS)
        await look_up_answered(self, self.services.store, self._now_ms())
        await self._sync_changed_commands()

    async def _sync_changed_commands(self) -> None:
        store = self.services.store
        translator = CatalogueTranslator()
        await self.tree.set_translator(translator)
        payload = [await command.get_translated_payload(self.tree, translator) for command in self.tree.get_commands()]
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
        presence = asyncio.create_task(keep_going("the presence", self._presence.keep))
        connection = asyncio.create_task(self._stay_connected(reconnect))
        try:
            await asyncio.wait({connection})
            connection.result()
        finally:
            presence.cancel()
            # While discord.py identifies again it ignores a cancellation and would wait for ever: close it first.
            await self.close()
            connection.cancel()
            await asyncio.wait({presence, connection})

    async def _stay_connected(self, reconnect: bool) -> None:
        await wait_for_discord(self._wait_for_session_start, self._pause)
        await paced_start(self.services.store, self._now_ms)

        async def connect() -> None:
            try:
                await super(VivantClient, self).connect(reconnect=reconnect)
            except (discord.ConnectionClosed, discord.PrivilegedIntentsRequired) as error:
                raise explain_close(error) from error
            except Exception as error:
                if self.is_closed():  # it was connected before: nothing is left to be repeated
                    raise RuntimeError("the connection to Discord ended") from error
                raise

        await wait_for_discord(connect, self._pause)

    async def _wait_for_session_start(self) -> None:
        """Wait until Discord's daily budget of starts has one left: one too many would cost the token."""
        while (limits := await self.fetch_session_start_limits()).remaining < 1:
            log.error("today's starts are used up; the next is allowed in %.0f s", limits.reset_after / 1000)
            await self._pause(limits.reset_after / 1000 + 1)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Count also what identifies again while the bot runs. The first of a start was counted before."""
        if not initial:
            await paced_identify(self.services.store, self._now_ms)
        await super().before_identify_hook(shard_id, initial=initial)

    async def on_shard_ready(self, shard_id: int) -> None:
        """Note how long the first start took, and show the presence again, which a new session does not have."""
        self._presence.forget()
        if self.ready_seconds is None:
            self.ready_seconds = time.monotonic() - self._made
            log.info("ready %.2f s after the start, %d servers", self.ready_seconds, len(self.guilds))

    async def on_ready(self) -> None:
        """Forget the servers that removed the bot while it was off. By now every shard has named its servers."""
        assert self.application_id is not None
        known = await self.services.store.retention.guilds(self.application_id)
        for guild_id in known - {guild.id for guild in self.guilds}:
            await forget_guild(self, guild_id)
        await post_missing_cards(self)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Forget a server that has removed the bot."""
        await forget_guild(self, guild.id)

    async def on_interaction(self, interaction: Interaction) -> None:
        """Answer a form that was opened before the last start, which discord.py does not know."""
        await answer_gone(interaction)

    async def on_thread_join(self, thread: discord.Thread) -> None:
        """End the cards of a thread that was archived."""
        await end_cards_in(self, self.services.store, thread, self._now_ms())

    async def on_thread_update(self, before: discord.Thread, after: discord.Thread) -> None:
        """End the cards of a thread that was locked."""
        if before.locked:
            await self.on_thread_join(after)

    async def on_thread_remove(self, thread: discord.Thread) -> None:
        """Forget our membership of a thread; discord.py keeps it, and with it the belief that we may post there."""
        thread.me = None
