"""The routes for messages: others' messages, and the history page by page."""

from __future__ import annotations

from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.raw_bot import RawBot


async def test_others_messages_cannot_be_edited_and_deleting_them_needs_a_permission(
    bot: RawBot, sandbox: Sandbox
) -> None:
    asked = sandbox.world.post(ADA, PICTURES, "please")
    path = f"/channels/{PICTURES}/messages/{asked['id']}"
    assert (await bot.call("PATCH", path, {"content": "x"}))[1]["code"] == 50005
    assert (await bot.call("DELETE", path))[1]["code"] == 50013
    sandbox.world.channels.set_bot_permission(PICTURES, Permission.MANAGE_MESSAGES, allowed=True)
    assert (await bot.call("DELETE", path))[0] == 204
    assert (await bot.call("GET", path))[1]["code"] == 10008


async def test_history_is_newest_first_and_pages(bot: RawBot) -> None:
    path = f"/channels/{PICTURES}/messages"
    ids = [(await bot.call("POST", path, {"content": str(number)}))[1]["id"] for number in range(5)]

    async def page(query: str) -> list[int]:
        return [ids.index(message["id"]) for message in (await bot.call("GET", f"{path}?{query}"))[1]]

    assert await page("limit=2") == [4, 3]
    assert await page(f"limit=2&before={ids[3]}") == [2, 1]
    assert await page(f"limit=2&after={ids[0]}") == [2, 1]
    assert await page(f"limit=3&around={ids[2]}") == [3, 2, 1]
    assert (await bot.call("GET", f"{path}?limit=101"))[1]["code"] == 50035
