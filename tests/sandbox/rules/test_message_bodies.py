"""What a message may be: each refused body, the ids and media that the server fills in, components v2."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.openapi import discord_description
from tests.support.raw_bot import RawBot

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


async def test_turning_a_message_to_components_v2_needs_its_content_gone(bot: RawBot) -> None:
    path = f"/channels/{PICTURES}/messages"
    _, message = await bot.call("POST", path, {"content": "x"})
    body = {"flags": V2, "components": [TEXT]}
    assert (await bot.call("PATCH", f"{path}/{message['id']}", body))[1]["code"] == 50035
    assert (await bot.call("PATCH", f"{path}/{message['id']}", body | {"content": None, "embeds": []}))[0] == 200
    assert (await bot.call("PATCH", f"{path}/{message['id']}", {"content": "back"}))[1]["code"] == 50035
