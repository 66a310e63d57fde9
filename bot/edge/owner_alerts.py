"""Writes to the bot's owners privately when something needs them. Nobody else gets a message unasked."""

from __future__ import annotations

import asyncio
import logging

import discord

from bot.edge.http_errors import NETWORK_ERRORS
from bot.texts.explanations import storm_text
from generator.errors import ExecutorLost

log = logging.getLogger(__name__)


def owner_ids(client: discord.Client, configured: frozenset[int]) -> set[int]:
    """Return the ids of the people who own this bot: those configured, and the application's owner or team."""
    application = client.application
    if application is None:
        return set(configured)
    members = application.team.members if application.team else [application.owner]
    return set(configured) | {member.id for member in members}


class OwnerAlerts:
    """Writes to the owners (those `configured`, and the application's) once for every storm of executor crashes."""

    def __init__(self, client: discord.Client, configured: frozenset[int]) -> None:
        self._client = client
        self._configured = configured
        self._storms: asyncio.Queue[tuple[ExecutorLost, bool]] = asyncio.Queue()

    def storm(self, error: ExecutorLost, others_go_on: bool) -> None:
        """Note that an executor died again and again, and whether others go on."""
        self._storms.put_nowait((error, others_go_on))

    async def run(self) -> None:
        """Write to the owners until cancelled; an owner who cannot be written to still has the log."""
        while True:
            text = storm_text(*await self._storms.get())
            for owner_id in owner_ids(self._client, self._configured):
                try:
                    owner = await self._client.fetch_user(owner_id)
                    await owner.send(text)
                except NETWORK_ERRORS as error:
                    log.error("owner %d could not be told of the crashes: %s", owner_id, type(error).__name__)
                except Exception as error:
                    log.error("owner %d could not be told of the crashes", owner_id, exc_info=error)
