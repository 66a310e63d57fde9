"""Where the bot may post: permissions, threads, deleted channels, closed direct messages."""

from __future__ import annotations

import pytest

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.directory import ANNOUNCEMENT, FORUM
from bot.sandbox.world.standard import (
    ADA,
    BEN,
    DIRECT_ADA,
    GENERAL,
    LOBBY,
    NO_FILES,
    PICTURES,
    READ_ONLY,
    TABLEAUX,
    THREAD,
    VIVANT,
)
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


async def test_a_locked_thread_takes_no_message_and_no_edit_but_from_who_manages_threads(
    bot: RawBot, sandbox: Sandbox
) -> None:
    path, channels = f"/channels/{THREAD}/messages", sandbox.world.channels
    _, message = await bot.call("POST", path, {"content": "x"})
    channels.lock_thread(THREAD)
    assert (await bot.call("POST", path, {"content": "x"}))[1]["code"] == 160005
    assert (await bot.call("PATCH", f"{path}/{message['id']}", {"content": "y"}))[1]["code"] == 160005
    channels.set_bot_permission(PICTURES, Permission.MANAGE_THREADS, allowed=True)
    assert (await bot.call("POST", path, {"content": "x"}))[0] == 200
    channels.archive_thread(THREAD)
    assert (await bot.call("POST", path, {"content": "x"}))[0] == 200


async def test_a_private_thread_is_seen_by_its_people_and_by_who_manages_threads(bot: RawBot, sandbox: Sandbox) -> None:
    channels = sandbox.world.channels
    thread = channels.open_thread(PICTURES, "secret", [ADA], private=True)
    assert (await bot.call("GET", f"/channels/{thread}"))[1]["code"] == 50001
    assert (await bot.call("POST", f"/channels/{thread}/messages", {"content": "x"}))[1]["code"] == 50001
    with pytest.raises(NotPossible):
        sandbox.world.post(BEN, thread, "may I?")
    assert sandbox.world.post(ADA, thread, "here")["channel_id"] == thread

    channels.add_to_thread(thread, VIVANT)
    status, seen = await bot.call("GET", f"/channels/{thread}")
    assert (status, seen["type"], seen["member"]["user_id"]) == (200, 12, VIVANT)
    assert (await bot.call("POST", f"/channels/{thread}/messages", {"content": "x"}))[0] == 200

    channels.remove_from_thread(thread, VIVANT)
    assert (await bot.call("GET", f"/channels/{thread}"))[0] == 403
    channels.set_bot_permission(PICTURES, Permission.MANAGE_THREADS, allowed=True)
    assert (await bot.call("GET", f"/channels/{thread}"))[0] == 200


async def test_the_gateway_names_the_active_threads_that_the_bot_sees(sandbox: Sandbox) -> None:
    channels = sandbox.world.channels
    channels.open_thread(PICTURES, "secret", [ADA], private=True)
    joined = channels.open_thread(PICTURES, "ours", [ADA, VIVANT], private=True)
    archived = channels.open_thread(PICTURES, "old")
    channels.archive_thread(archived)
    told = {thread["id"]: "member" in thread for thread in channels.threads_for_bot(TABLEAUX)}
    assert told == {THREAD: False, joined: True}


async def test_a_forum_takes_messages_in_its_posts_alone_and_an_announcement_has_its_own_threads(
    bot: RawBot, sandbox: Sandbox
) -> None:
    sandbox.world.directory.channels[GENERAL]["type"] = FORUM
    post = sandbox.world.channels.open_thread(GENERAL, "a post")
    assert (await bot.call("POST", f"/channels/{GENERAL}/messages", {"content": "x"}))[1]["code"] == 40058
    assert (await bot.call("POST", f"/channels/{post}/messages", {"content": "x"}))[0] == 200
    sandbox.world.directory.channels[PICTURES]["type"] = ANNOUNCEMENT
    thread = sandbox.world.channels.open_thread(PICTURES, "about it")
    assert (await bot.call("GET", f"/channels/{thread}"))[1]["type"] == 10


async def test_without_read_message_history_replies_are_refused_and_the_history_is_empty(
    bot: RawBot, sandbox: Sandbox
) -> None:
    path = f"/channels/{PICTURES}/messages"
    _, first = await bot.call("POST", path, {"content": "x"})
    reply = {"content": "y", "message_reference": {"message_id": first["id"], "fail_if_not_exists": False}}
    assert (await bot.call("POST", path, reply))[0] == 200
    assert len((await bot.call("GET", path))[1]) == 2
    sandbox.world.channels.set_bot_permission(PICTURES, Permission.READ_MESSAGE_HISTORY, allowed=False)
    status, refusal = await bot.call("POST", path, reply)
    assert (status, refusal["code"]) == (403, 160002)
    assert (await bot.call("POST", path, {"content": "z"}))[0] == 200
    assert await bot.call("GET", path) == (200, [])
