"""The page's web application: who is refused, and how uploads are served."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """One without a bot or a browser, in place of the one that this folder's other tests share."""
    async with Sandbox() as running:
        yield running


async def test_other_sites_are_refused(sandbox: Sandbox) -> None:
    url = sandbox.page_url
    own = {"Origin": url}
    async with aiohttp.ClientSession() as session:
        form = {"payload_json": '{"actor": "1", "channel": "1", "message": "1"}'}
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {}):
            async with session.post(f"{url}/api/delete", headers=headers, data=form) as answer:
                assert answer.status == 403
        async with session.get(f"{url}/", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{url}/api/events?actor=1", headers={"Origin": "http://evil.example"})
        async with session.get(f"{url}/", headers=own) as answer:
            assert answer.status == 200
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_an_uploaded_page_is_only_ever_downloaded(sandbox: Sandbox) -> None:
    world = sandbox.world
    upload = Upload("page.html", "text/html", b"<script>alert(1)</script>")
    message = world.post(world.actor("Ben"), world.channel("general"), "", [upload])
    path = message["attachments"][0]["url"].removeprefix("https://cdn.discordapp.com")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{sandbox.page_url}/cdn{path}") as answer:
            assert answer.content_type == "application/octet-stream"
            assert answer.headers["Content-Disposition"] == "attachment"
        async with session.get(f"{sandbox.page_url}/cdn{path}", headers={"Range": "bytes=8-12"}) as answer:
            assert (answer.status, await answer.read()) == (206, upload.data[8:13])
