"""All requests of our bot and all answers of the sandbox, checked against Discord's published API description."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bot.sandbox.exchanges import Exchange
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, DIRECT_ADA, OLGA, PICTURES, THREAD, VIVANT
from tests.support.edge import buttons, png, running_edge
from tests.support.openapi import OpenApi, discord_description
from tests.support.raw_bot import RawBot


@pytest.fixture
def description() -> OpenApi:
    return discord_description()


def problems(description: OpenApi, sandbox: Sandbox) -> list[str]:
    return [text for exchange in sandbox.record.exchanges for text in description.problems(exchange)]


async def test_our_bots_requests_and_their_answers_fit_the_description(
    description: OpenApi, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered(1)
        await edge.animate(channel=THREAD)
        await edge.animate(channel=DIRECT_ADA)
        posted = edge.world.post(ADA, PICTURES, "look", [png()])
        await (await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], "Animate this image")).acknowledged()
        for command in ("queue", "help", "privacy"):
            await edge.invoke(command)
        await edge.invoke("admin pause", {"reason": "maintenance"}, actor=OLGA)
        for command in ("admin variant", "admin resume"):
            await edge.invoke(command, actor=OLGA)
        for custom_id in buttons(clip["components"]).values():
            await (await edge.world.press(ADA, PICTURES, clip["id"], custom_id)).acknowledged()
        await edge.delivered(2)
    assert sandbox.unimplemented == []
    assert len(sandbox.record.exchanges) > 30
    assert problems(description, sandbox) == []


READS = [
    "/users/@me",
    "/oauth2/applications/@me",
    "/gateway",
    "/gateway/bot",
    "/users/@me/guilds",
    f"/channels/{PICTURES}",
    f"/channels/{THREAD}",
    f"/channels/{DIRECT_ADA}",
    f"/channels/{PICTURES}/messages/1",
    f"/users/{ADA}",
]


async def test_every_other_answer_of_the_sandbox_fits_too(description: OpenApi, sandbox: Sandbox, bot: RawBot) -> None:
    guild = sandbox.world.channels.bot_guilds()[0]["id"]
    for path in (*READS, *(f"/guilds/{guild}{rest}" for rest in ("", "/channels", "/roles", f"/members/{ADA}"))):
        await bot.call("GET", path)
    await bot.call("POST", f"/channels/{PICTURES}/messages", {"content": "x" * 2001})
    await bot.call("POST", f"/channels/{PICTURES}/typing")
    await bot.call("GET", f"/applications/{VIVANT}/commands")
    await bot.call("POST", "/users/@me/channels", {"recipient_id": ADA})
    assert len(sandbox.record.exchanges) == 18
    assert problems(description, sandbox) == []


GOOD = Exchange(
    method="PATCH",
    path=f"/channels/{PICTURES}/messages/1",
    template="/channels/{channel_id}/messages/{message_id}",
    body={"content": "x", "components": [{"type": 1, "components": [{"type": 2, "style": 1, "custom_id": "a"}]}]},
    files=(),
    status=400,
    answer={"message": "no", "code": 1},
    seconds=0.0,
)
BROKEN = {
    "a misspelt key": ({"contents": "x"}, "$.contents"),
    "a wrong type": ({"content": 5}, "$.content"),
    "a wrong type inside a union": (
        {"components": [{"type": 1, "components": [{"type": 2, "style": "blue", "custom_id": "a"}]}]},
        "style",
    ),
}


@pytest.mark.parametrize(("body", "where"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_request_is_caught_and_named(description: OpenApi, body: dict[str, object], where: str) -> None:
    answer = {"message": "x"}
    found = description.problems(dataclasses.replace(GOOD, body=body, status=204, answer=answer))
    assert any(where in text for text in found), found
    assert not any(where in text for text in description.problems(dataclasses.replace(GOOD, status=204)))


def test_a_broken_answer_is_caught(description: OpenApi) -> None:
    missing = dataclasses.replace(GOOD, answer={"message": "no"})
    assert description.problems(GOOD) == []
    assert any("'code' is a required property" in text for text in description.problems(missing))
    nowhere = dataclasses.replace(GOOD, template="/channels/{channel_id}/polls")
    assert description.problems(nowhere)[0].endswith("no such route")
