"""Where the bot may post: permissions, threads, deleted channels, closed direct messages."""

from __future__ import annotations

import pytest

from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, DIRECT_ADA, GENERAL, LOBBY, NO_FILES, PICTURES, READ_ONLY, THREAD
from tests.support.raw_bot import RawBot

CLOSED = {
    "no such channel": ("1", {}, 404, 10003),
    "a server without the bot": (LOBBY, {}, 403, 50001),
    "no permission to send": (READ_ONLY, {}, 403, 50013),
    "no permission to attach": (NO_FILES, {"a.txt": b"x"}, 403, 50013),
}


@pytest.mark.parametrize(("channel", "files", "status", "code"), CLOSED.values(), ids=CLOSED.keys())
async def test_a_channel_where_the_bot_may_not_post_refuses(
    bot: RawBot, channel: str, files: dict[str, bytes], status: int, code: int
) -> None:
    found = await bot.call("POST", f"/channels/{channel}/messages", {"content": "x"}, files or None)
    assert (found[0], found[1]["code"]) == (status, code)


async def test_text_is_welcome_where_files_are_not_and_in_threads_and_direct_messages(bot: RawBot) -> None:
    for channel in (NO_FILES, THREAD, DIRECT_ADA):
        assert (await bot.call("POST", f"/channels/{channel}/messages", {"content": "x"}))[0] == 200


async def test_a_permission_can_be_taken_away_and_given_back(bot: RawBot, sandbox: Sandbox) -> None:
    channels = sandbox.world.channels
    channels.set_bot_permission(PICTURES, Permission.VIEW_CHANNEL, allowed=False)
    assert (await bot.call("POST", f"/channels/{PICTURES}/messages", {"content": "x"}))[1]["code"] == 50001
    channels.set_bot_permission(PICTURES, Permission.VIEW_CHANNEL, allowed=True)
    channels.set_bot_permission(PICTURES, Permission.SEND_MESSAGES, allowed=False)
    assert (await bot.call("POST", f"/channels/{PICTURES}/messages", {"content": "x"}))[1]["code"] == 50013
    channels.set_bot_permission(PICTURES, Permission.SEND_MESSAGES, allowed=True)
    assert (await bot.call("POST", f"/channels/{PICTURES}/messages", {"content": "x"}))[0] == 200


async def test_a_locked_thread_refuses_and_an_archived_one_opens_for_a_new_message(
    bot: RawBot, sandbox: Sandbox
) -> None:
    path = f"/channels/{THREAD}/messages"
    _, message = await bot.call("POST", path, {"content": "x"})
    sandbox.world.channels.archive_thread(THREAD, locked=False)
    assert (await bot.call("PATCH", f"{path}/{message['id']}", {"content": "y"}))[1]["code"] == 50083
    assert (await bot.call("POST", path, {"content": "x"}))[0] == 200
    sandbox.world.channels.archive_thread(THREAD)
    assert (await bot.call("POST", path, {"content": "x"}))[1]["code"] == 50083


async def test_a_deleted_channel_is_unknown_and_a_closed_inbox_refuses(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.world.channels.delete_channel(GENERAL)
    assert (await bot.call("POST", f"/channels/{GENERAL}/messages", {"content": "x"}))[1]["code"] == 10003
    sandbox.world.channels.close_direct_messages(ADA)
    _, channel = await bot.call("POST", "/users/@me/channels", {"recipient_id": ADA})
    assert (await bot.call("POST", f"/channels/{channel['id']}/messages", {"content": "x"}))[1]["code"] == 50007
