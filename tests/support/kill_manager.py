"""Somebody who changes a server's settings while the bot is killed, and knows what must be kept afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import OLGA, PICTURES
from bot.texts.settings.server_settings import LANGUAGES

MENU = "vivant-settings:replies:language"


class Manager:
    """Opens the panel of /settings and chooses one language after the other; each choice is another one."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._languages = itertools.cycle(LANGUAGES)
        self.tried: list[str] = []
        self.acknowledged: list[int] = []
        """which of the tried ones were shown as chosen"""

    async def run(self) -> None:
        """Go on for ever; what nobody answered may have arrived."""
        while True:
            await self._sandbox.gateway.online.wait()
            try:
                await self._choose()
            except (NotPossible, TimeoutError):
                await asyncio.sleep(0.05)

    async def _choose(self) -> None:
        world = self._sandbox.world
        opened = await (await world.invoke(OLGA, PICTURES, "settings")).acknowledged()
        if opened.state is not State.ANSWERED or opened.message_id is None:
            return
        turned = await world.press(OLGA, PICTURES, opened.message_id, "vivant-settings-page:replies")
        await turned.acknowledged()
        for _ in range(5):
            language = next(self._languages)
            self.tried.append(language)
            chosen = await world.press(OLGA, PICTURES, opened.message_id, MENU, [language])
            await chosen.acknowledged()
            if chosen.state is State.FAILED:
                return
            self.acknowledged.append(len(self.tried) - 1)
            await asyncio.sleep(0.1)

    def count_lost(self, kept: list[str], log: list[str]) -> int:
        """Count the acknowledged changes that are not in the log in their order, and what does not agree."""
        changes = [json.loads(what)["language"] for what in log]
        logged = iter([after for _, after in changes])
        lost: int = sum(self.tried[number] not in logged for number in self.acknowledged)
        torn: int = sum(first[1] != second[0] for first, second in itertools.pairwise(changes))
        last = changes[-1][1] if changes else None
        unkept: int = sum(json.loads(settings)["language"] != last for settings in kept)
        return lost + torn + unkept
