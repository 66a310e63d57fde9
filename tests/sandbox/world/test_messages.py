"""How messages are stored: nonces, mentions, replies, edits."""

from __future__ import annotations

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, PICTURES
from tests.support.raw_bot import RawBot


async def test_an_enforced_nonce_gives_the_earlier_message_for_some_minutes(bot: RawBot, sandbox: Sandbox) -> None:
    body = {"content": "x", "nonce": "job-1", "enforce_nonce": True}
    path = f"/channels/{PICTURES}/messages"
    first, second = (await bot.call("POST", path, body))[1], (await bot.call("POST", path, body))[1]
    assert first["id"] == second["id"]
    sandbox.world.clock.advance(sandbox.world.timing.nonce_memory + 1)
    assert (await bot.call("POST", path, body))[1]["id"] != first["id"]


async def test_a_nonce_that_is_not_enforced_posts_again(bot: RawBot, sandbox: Sandbox) -> None:
    for _ in range(2):
        await bot.call("POST", f"/channels/{PICTURES}/messages", {"content": "x", "nonce": "job-1"})
    assert len(sandbox.world.messages_for(ADA, PICTURES)) == 2


async def test_messages_older_than_an_hour_take_few_edits(bot: RawBot, sandbox: Sandbox) -> None:
    path = f"/channels/{PICTURES}/messages"
    old = (await bot.call("POST", path, {"content": "x"}))[1]["id"]
    assert [(await bot.call("PATCH", f"{path}/{old}", {"content": "y"}))[0] for _ in range(5)] == [200] * 5
    sandbox.world.clock.advance(sandbox.world.timing.message_old + 1)
    new = (await bot.call("POST", path, {"content": "x"}))[1]["id"]
    assert [(await bot.call("PATCH", f"{path}/{old}", {"content": "z"}))[0] for _ in range(3)] == [200] * 3
    status, body = await bot.call("PATCH", f"{path}/{old}", {"content": "z"})
    assert (status, body["code"]) == (429, 30046)
    assert 0 < body["retry_after"] <= 20
    assert (await bot.call("PATCH", f"{path}/{new}", {"content": "z"}))[0] == 200
    sandbox.world.clock.advance(21)
    assert (await bot.call("PATCH", f"{path}/{old}", {"content": "z"}))[0] == 200


async def test_only_allowed_mentions_ping_and_edits_never_do(bot: RawBot, sandbox: Sandbox) -> None:
    path = f"/channels/{PICTURES}/messages"
    both = f"<@{ADA}> <@{BEN}> @everyone"
    _, message = await bot.call("POST", path, {"content": both, "allowed_mentions": {"parse": [], "users": [ADA]}})
    await bot.call("POST", path, {"content": both, "allowed_mentions": {"parse": []}})
    await bot.call("PATCH", f"{path}/{message['id']}", {"content": f"<@{BEN}>"})
    assert sandbox.world.messages.notified == [(ADA, message["id"])]
    assert message["mention_everyone"] is False


async def test_a_reply_pings_its_author_only_when_asked(bot: RawBot, sandbox: Sandbox) -> None:
    asked = sandbox.world.post(ADA, PICTURES, "please")
    reference = {"message_id": asked["id"]}
    path = f"/channels/{PICTURES}/messages"
    quiet = {"content": "x", "message_reference": reference, "allowed_mentions": {"parse": []}}
    _, message = await bot.call("POST", path, quiet)
    assert (message["type"], message["referenced_message"]["id"]) == (19, asked["id"])
    assert sandbox.world.messages.notified == []
    await bot.call("POST", path, quiet | {"allowed_mentions": {"parse": [], "replied_user": True}})
    assert [user for user, _ in sandbox.world.messages.notified] == [ADA]
    gone = {"message_reference": {"message_id": "1", "fail_if_not_exists": False}}
    assert (await bot.call("POST", path, quiet | gone))[0] == 200


async def test_an_edit_keeps_what_it_does_not_name_and_replaces_listed_attachments(
    bot: RawBot, sandbox: Sandbox
) -> None:
    path = f"/channels/{PICTURES}/messages"
    _, message = await bot.call("POST", path, {"content": "x"}, {"a.txt": b"1", "b.txt": b"2"})
    _, edited = await bot.call("PATCH", f"{path}/{message['id']}", {"content": "y"})
    assert [item["filename"] for item in edited["attachments"]] == ["a.txt", "b.txt"]
    assert edited["edited_timestamp"]
    body = {"attachments": [{"id": message["attachments"][1]["id"]}, {"id": 0, "filename": "c.txt"}]}
    _, edited = await bot.call("PATCH", f"{path}/{message['id']}", body, {"c.txt": b"3"})
    assert [item["filename"] for item in edited["attachments"]] == ["b.txt", "c.txt"]
