"""Registered commands: who is offered them, and what another registration changes."""

from __future__ import annotations

import pytest

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, DIRECT_ADA, ELSEWHERE, LOBBY, MIA, OLGA, PICTURES, TABLEAUX, VIVANT
from tests.support.interactions import COMMANDS
from tests.support.raw_bot import RawBot


async def test_people_are_offered_only_the_commands_for_them_and_the_channel(ready: Sandbox) -> None:
    def names(actor: str, channel: str) -> set[str]:
        return {command["name"] for command in ready.world.commands_for(actor, channel)}

    assert names(OLGA, PICTURES) == {"animate", "admin", "Animate this image"}
    assert names(ADA, PICTURES) == {"animate", "Animate this image"}
    assert names(ADA, DIRECT_ADA) == {"animate", "Animate this image"}
    assert names(ADA, LOBBY) == {"animate"}
    with pytest.raises(NotPossible):
        await ready.world.invoke(MIA, PICTURES, "admin pause")
    interaction = await ready.world.invoke(OLGA, PICTURES, "admin pause")
    assert interaction.payload["data"]["options"] == [{"type": 1, "name": "pause", "options": []}]


async def test_commands_keep_their_ids_and_guild_commands_stay_in_their_guild(ready: Sandbox, bot: RawBot) -> None:
    path = f"/applications/{VIVANT}/commands"
    first, second = (await bot.call("GET", path))[1], (await bot.call("PUT", path, COMMANDS))[1]
    assert [item["id"] for item in first] == [item["id"] for item in second]
    guild = f"/applications/{VIVANT}/guilds/{TABLEAUX}/commands"
    await bot.call("PUT", guild, [{"name": "local", "description": "x"}])
    assert "local" in {item["name"] for item in ready.world.commands_for(ADA, PICTURES)}
    assert "local" not in {item["name"] for item in ready.world.commands_for(ADA, DIRECT_ADA)}
    elsewhere = f"/applications/{VIVANT}/guilds/{ELSEWHERE}/commands"
    assert (await bot.call("PUT", elsewhere, []))[1]["code"] == 50001
    assert (await bot.call("DELETE", f"{path}/{first[0]['id']}"))[0] == 204
    assert (await bot.call("GET", f"{path}/{first[0]['id']}"))[1]["code"] == 10063
