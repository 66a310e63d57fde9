"""The sandbox's rules for messages that the bot posts with its own token."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.rules.uploads import MIB, Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import (
    ADA,
    BEN,
    DIRECT_ADA,
    GENERAL,
    LOBBY,
    MIA,
    NO_FILES,
    PICTURES,
    READ_ONLY,
    TABLEAUX,
    THREAD,
    VIVANT,
)
from tests.support.openapi import discord_description
from tests.support.raw_bot import RawBot
from tests.support.sandbox_fixtures import bot, sandbox

__all__ = ["bot", "sandbox"]
V2 = 1 << 15
TEXT = {"type": 10, "content": "hello"}


def button(custom_id: str = "go", **more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "Go", "custom_id": custom_id} | more


def row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


REFUSED = {
    "nothing at all": ({}, 50006),
    "content too long": ({"content": "x" * 2001}, 50035),
    "components v2 with content": ({"flags": V2, "content": "x", "components": [TEXT]}, 50035),
    "components v2 with embeds": ({"flags": V2, "embeds": [{"title": "x"}], "components": [TEXT]}, 50035),
    "components v2 without components": ({"flags": V2}, 50006),
    "a text display without the flag": ({"components": [TEXT]}, 50035),
    "a button outside a row": ({"content": "x", "components": [button()]}, 50035),
    "six buttons in a row": ({"content": "x", "components": [row(*(button(str(n)) for n in range(6)))]}, 50035),
    "six rows": ({"content": "x", "components": [row(button(str(n))) for n in range(6)]}, 50035),
    "an empty row": ({"content": "x", "components": [row()]}, 50035),
    "a custom id twice": ({"content": "x", "components": [row(button("a"), button("a"))]}, 50035),
    "a custom id too long": ({"content": "x", "components": [row(button("a" * 101))]}, 50035),
    "a label too long": ({"content": "x", "components": [row(button(label="x" * 81))]}, 50035),
    "a link button without url": ({"content": "x", "components": [row(button(style=5))]}, 50035),
    "41 components": ({"flags": V2, "components": [TEXT] * 41}, 50035),
    "text displays above 4000 together": (
        {"flags": V2, "components": [{"type": 10, "content": "x" * 2001}] * 2},
        50035,
    ),
    "a container in a container": (
        {"flags": V2, "components": [{"type": 17, "components": [{"type": 17, "components": [TEXT]}]}]},
        50035,
    ),
    "media that was not uploaded": (
        {"flags": V2, "components": [{"type": 12, "items": [{"media": {"url": "attachment://no.png"}}]}]},
        50035,
    ),
    "embeds above 6000 characters": ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]}, 50035),
    "a nonce too long": ({"content": "x", "nonce": "n" * 26}, 50035),
    "the ephemeral flag's neighbour": ({"content": "x", "flags": 1 << 7}, 50035),
    "an attachment that was not sent": ({"content": "x", "attachments": [{"id": 3}]}, 50035),
    "a reply to nothing": ({"content": "x", "message_reference": {"message_id": "1"}}, 50035),
    "users parsed and named": (
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": [ADA]}},
        50035,
    ),
}


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_bad_message_is_refused_with_discords_code(
    bot: RawBot, sandbox: Sandbox, body: dict[str, Any], code: int
) -> None:
    status, answer = await bot.call("POST", f"/channels/{PICTURES}/messages", body)
    assert (status, answer["code"]) == (400, code)
    assert sandbox.world.messages_for(ADA, PICTURES) == []


async def test_the_server_numbers_components_and_resolves_media(bot: RawBot, sandbox: Sandbox) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (32, 18)).save(picture, "png")
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}
    container = {"type": 17, "components": [TEXT, gallery, {"type": 13, "file": {"url": "attachment://a.png"}}]}
    body = {"flags": V2, "components": [container, {"type": 14, "id": 2}, row(button())]}
    status, message = await bot.call("POST", f"/channels/{PICTURES}/messages", body, {"a.png": picture.getvalue()})
    assert status == 200
    container = message["components"][0]
    ids = [container["id"], *(item["id"] for item in container["components"]), message["components"][1]["id"]]
    assert sorted(ids) == [1, 2, 3, 4, 5]
    media = container["components"][1]["items"][0]["media"]
    assert (media["width"], media["height"]) == (32, 18)
    assert media["attachment_id"] == message["attachments"][0]["id"]
    assert (container["components"][2]["name"], container["components"][2]["size"]) == ("a.png", picture.tell())
    description = discord_description()
    assert description.problems(sandbox.record.exchanges[-1]) == []


PLACES = {
    "no such channel": ("1", {}, 404, 10003),
    "a server without the bot": (LOBBY, {}, 403, 50001),
    "no permission to send": (READ_ONLY, {}, 403, 50013),
    "no permission to attach": (NO_FILES, {"a.txt": b"x"}, 403, 50013),
}


@pytest.mark.parametrize(("channel", "files", "status", "code"), PLACES.values(), ids=PLACES.keys())
async def test_a_place_where_the_bot_may_not_post_refuses(
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


async def test_a_file_above_the_places_limit_is_413_and_one_below_passes(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.world.channels.set_upload_limit(TABLEAUX, 256 * 1024)
    status, answer = await bot.call("POST", f"/channels/{PICTURES}/messages", {}, {"a.bin": b"x" * (256 * 1024 + 1)})
    assert (status, answer["code"]) == (413, 40005)
    assert (await bot.call("POST", f"/channels/{PICTURES}/messages", {}, {"a.bin": b"x" * 256 * 1024}))[0] == 200


async def test_a_request_above_25_mib_is_413_whatever_the_guild_takes(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.world.channels.set_upload_limit(TABLEAUX, 100 * MIB)
    status, answer = await bot.call("POST", f"/channels/{PICTURES}/messages", {}, {"a.bin": bytes(25 * MIB)})
    assert (status, answer["code"]) == (413, 40005)


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


async def test_turning_a_message_to_components_v2_needs_its_content_gone(bot: RawBot) -> None:
    path = f"/channels/{PICTURES}/messages"
    _, message = await bot.call("POST", path, {"content": "x"})
    body = {"flags": V2, "components": [TEXT]}
    assert (await bot.call("PATCH", f"{path}/{message['id']}", body))[1]["code"] == 50035
    assert (await bot.call("PATCH", f"{path}/{message['id']}", body | {"content": None, "embeds": []}))[0] == 200
    assert (await bot.call("PATCH", f"{path}/{message['id']}", {"content": "back"}))[1]["code"] == 50035


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


async def test_attachment_links_are_signed_expire_and_serve_ranges(bot: RawBot, sandbox: Sandbox) -> None:
    message = sandbox.world.post(ADA, PICTURES, "", [Upload("../ü a.png", "image/png", b"picture")])
    attachment = message["attachments"][0]
    assert attachment["filename"] == "a.png" or attachment["filename"].endswith("_a.png")
    assert await bot.fetch(attachment["url"]) == (200, b"picture")
    assert (await bot.fetch(attachment["url"].replace("hm=", "hm=0")))[0] == 404
    sandbox.world.clock.advance(sandbox.world.timing.link_life + 1)
    assert (await bot.fetch(attachment["url"]))[0] == 404
    _, fresh = await bot.call("GET", f"/channels/{PICTURES}/messages/{message['id']}")
    assert (await bot.fetch(fresh["attachments"][0]["url"]))[0] == 200


async def test_people_are_bound_by_permissions_too(sandbox: Sandbox, bot: RawBot) -> None:
    world = sandbox.world
    mine, other = world.post(ADA, GENERAL, "mine"), world.post(BEN, GENERAL, "other")
    world.delete_message(ADA, GENERAL, mine["id"])
    with pytest.raises(NotPossible):
        world.delete_message(ADA, GENERAL, other["id"])
    world.delete_message(MIA, GENERAL, other["id"])
    assert world.messages_for(ADA, GENERAL) == []
    assert LOBBY not in [channel["id"] for channel in world.channels_for(MIA)]
    assert VIVANT not in [actor["id"] for actor in world.actors()]
