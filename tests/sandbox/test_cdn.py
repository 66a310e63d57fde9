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
