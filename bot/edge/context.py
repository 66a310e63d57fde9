"""What everything at the edge shares: the services, the client that carries them, and the type of its interactions.

Tested in tests/bot/edge/test_client.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord

from bot.config import Config
from bot.edge.connection.kept_requests import KeptRequests
from bot.edge.status_cards import StatusCards
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.crew import Crew
from bot.work.requests import Requests
from bot.work.switches import Switches
from bot.work.turns import Intake
from bot.work.uplink.fitting import Shrink
from bot.work.uplink.remaking import Remaking
from bot.work.uplink.screening import Screening
from generator.picture.intake import PictureChild

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=3600, sock_connect=30, sock_read=180)
"""an hour in all, and three minutes from the last byte sent to the first one of the answer"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a command may use. `preload` asks the backends to load a variant before its first job.

    `check_variant` says why a variant cannot run here and what to do about it; None when it can.
    """

    config: Config
    store: JobStore
    spool: Spool
    pictures: PictureChild
    intake: Intake
    switches: Switches
    cards: StatusCards
    crew: Crew
    requests: Requests
    shrink: Shrink
    remaking: Remaking
    screening: Screening
    preload: Callable[[str], None]
    certificates: str = ""
    """those with which clips are signed here, in PEM; empty: none are"""
    check_variant: Callable[[str], Awaitable[str | None]]


class ServiceClient(discord.AutoShardedClient):
    """discord.py's client with the bot's services. `connector` carries its requests and its downloads."""

    def __init__(self, services: Services, connector: aiohttp.BaseConnector, **options: Any) -> None:
        super().__init__(proxy=services.config.proxy, connector=connector, **options)
        self.services = services
        self.announcing = asyncio.Lock()
        """held while an announcement is posted"""
        self.downloads = aiohttp.ClientSession(connector=connector, connector_owner=False)
        """what fetches attachments"""
        self.advised: set[int] = set()
        """servers where somebody was told since the start which permission is missing"""
        self.kept = KeptRequests()
        self.told_failures: set[int] = set()
        """jobs of which the owners were told since the start that they failed"""

    async def login(self, token: str) -> None:
        """Log in, and let a request take as long as it moves: aiohttp ends each after five minutes, uploads too."""
        await super().login(token)
        session: Any = self.http._HTTPClient__session  # type: ignore[attr-defined]  # discord.py offers no other way
        session._timeout = REQUEST_TIMEOUT

    async def close(self) -> None:
        """Close the connection and the downloads."""
        self.kept.close()
        await self.downloads.close()
        await super().close()


Interaction = discord.Interaction[ServiceClient]
