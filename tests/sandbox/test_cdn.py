"""The links of the CDN."""

from __future__ import annotations

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.raw_bot import RawBot


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


async def test_copies_of_linked_pictures_are_served_under_discords_own_address(bot: RawBot, sandbox: Sandbox) -> None:
    page = "https://example.org/lake.png"
    message = sandbox.world.post_link(ADA, PICTURES, page, Upload("lake.png", "image/png", b"picture"))
    (embed,) = message["embeds"]
    copy = embed["thumbnail"]["proxy_url"]
    assert embed["thumbnail"]["url"] == page
    assert copy.startswith("https://images-ext-1.discordapp.net/external/")
    assert await bot.fetch(copy) == (200, b"picture")
    assert (await bot.fetch(copy + "x"))[0] == 404


async def test_a_forwarded_message_is_a_snapshot_whose_links_are_signed_anew(bot: RawBot, sandbox: Sandbox) -> None:
    original = sandbox.world.post(ADA, PICTURES, "look", [Upload("a.png", "image/png", b"picture")])
    forwarded = sandbox.world.forward(ADA, PICTURES, original)
    assert (forwarded["content"], forwarded["attachments"]) == ("", [])
    assert forwarded["message_reference"]["type"] == 1
    sandbox.world.clock.advance(sandbox.world.timing.link_life + 1)
    _, read = await bot.call("GET", f"/channels/{PICTURES}/messages/{forwarded['id']}")
    snapshot = read["message_snapshots"][0]["message"]
    assert snapshot["content"] == "look"
    assert await bot.fetch(snapshot["attachments"][0]["url"]) == (200, b"picture")
