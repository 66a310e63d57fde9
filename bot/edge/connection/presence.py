"""Keeps what is shown below the bot's name up to date: its model, how many wait, a pause.

Tested in tests/bot/edge/test_client.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import discord

from bot.edge.context import ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.queue.job import JobState
from bot.texts.jobs.running import describe_presence

log = logging.getLogger(__name__)

PRESENCE_SECONDS = 60.0
"""Discord allows five presence updates in 20 s; only a pause and its end are shown sooner than after a minute"""


class Presence:
    """What a client shows of itself just now."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._shown = ""

    def forget(self) -> None:
        """Show it again the next time, even if nothing has changed."""
        self._shown = ""

    async def keep(self) -> None:
        """Show it once the client is ready, and each time that it has changed."""
        await self._client.wait_until_ready()
        while True:
            try:
                await self._show()
            except (*NETWORK_ERRORS, discord.ConnectionClosed) as error:
                log.info("presence not updated: %s", type(error).__name__)
            except Exception as error:
                log.error("presence not updated", exc_info=error)
            # Not wait_for: before Python 3.12 it swallows a stop that comes at the moment of a change.
            with contextlib.suppress(TimeoutError):  # at once when the bot is paused or goes on
                async with asyncio.timeout(PRESENCE_SECONDS):
                    await self._client.services.switches.gate.changed.wait()

    async def _show(self) -> None:
        services = self._client.services
        services.switches.gate.changed.clear()
        hold = services.switches.gate.hold
        waiting = (await services.store.jobs.counts())[JobState.QUEUED]
        text = describe_presence(services.switches.variant, waiting, hold)
        if text != self._shown:
            status = discord.Status.idle if hold else discord.Status.online
            await self._client.change_presence(activity=discord.CustomActivity(text), status=status)
            self._shown = text
