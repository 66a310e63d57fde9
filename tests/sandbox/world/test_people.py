"""What people do: the interactions that the bot receives, and what their clients do not let them send."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, GENERAL, LOBBY, MIA, NO_FILES, PICTURES, TABLEAUX, VIVANT
from tests.support.interactions import CHOICES, MESSAGE, MODAL, PICTURE, animate
from tests.support.raw_bot import RawBot


async def test_the_payload_carries_what_discord_promises(ready: Sandbox) -> None:
    interaction = await animate(ready, motion=9)
    payload = interaction.payload
    image = payload["data"]["options"][1]["value"]
    assert payload["data"]["options"][0] == {"type": 4, "name": "motion", "value": 9}
    assert payload["data"]["resolved"]["attachments"][image]["ephemeral"] is True
    assert payload["authorizing_integration_owners"] == {"0": TABLEAUX}
    assert (payload["context"], payload["guild_id"], payload["member"]["user"]["id"]) == (0, TABLEAUX, ADA)
    assert int(payload["app_permissions"]) & Permission.ATTACH_FILES
    assert payload["attachment_size_limit"] == 10 * 1024 * 1024
    there = await animate(ready, NO_FILES)
    assert not int(there.payload["app_permissions"]) & Permission.ATTACH_FILES
    direct = await animate(ready, DIRECT_ADA)
    assert (direct.payload["context"], direct.payload["user"]["id"]) == (1, ADA)
    assert direct.payload["authorizing_integration_owners"] == {"0": "0"}


NOT_POSSIBLE = {
    "no image": ({"motion": 1}, {}, "required"),
    "below the least": ({"motion": 0}, {"image": PICTURE}, "from 1 to 255"),
    "not a number": ({"motion": "fast"}, {"image": PICTURE}, "enter a number"),
    "not a choice": ({"style": "wild"}, {"image": PICTURE}, "choices"),
    "no such option": ({"speed": 1}, {"image": PICTURE}, "no option speed"),
    "a text for an attachment": ({"image": "a.png"}, {}, "Choose a file"),
    "a file above the limit": ({}, {"image": Upload("a", "", bytes(10 * 1024 * 1024 + 1))}, "too powerful"),
}


@pytest.mark.parametrize(("options", "files", "text"), NOT_POSSIBLE.values(), ids=NOT_POSSIBLE.keys())
async def test_a_persons_client_refuses_what_discords_would(
    ready: Sandbox, options: dict[str, Any], files: dict[str, Upload], text: str
) -> None:
    with pytest.raises(NotPossible, match=text):
        await ready.world.invoke(ADA, PICTURES, "animate", options, files)


async def test_a_message_command_carries_the_whole_message(ready: Sandbox, bot: RawBot) -> None:
    message = ready.world.post(BEN, PICTURES, "look", [PICTURE])
    interaction = await ready.world.invoke_on_message(ADA, PICTURES, message["id"], "Animate this image")
    data = interaction.payload["data"]
    assert data["resolved"]["messages"][data["target_id"]]["attachments"][0]["filename"] == "a.png"
    _, answer = await bot.answer(interaction.payload, MESSAGE, {"content": "x"})
    assert answer["resource"]["message"]["type"] == 23


async def test_a_form_opens_is_filled_and_answered(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    text = {"type": 4, "custom_id": "why", "style": 1, "label": "Why", "required": True}
    file = {"type": 19, "custom_id": "file", "required": False}
    components = [{"type": 1, "components": [text]}, {"type": 18, "label": "File", "component": file}]
    await bot.answer(interaction.payload, MODAL, {"custom_id": "form", "title": "Form", "components": components})
    assert interaction.state is State.MODAL
    with pytest.raises(NotPossible, match="required"):
        await ready.world.submit_modal(ADA, interaction.id, "form", {})
    sent = await ready.world.submit_modal(ADA, interaction.id, "form", {"why": "so", "file": [PICTURE]})
    rows = sent.payload["data"]["components"]
    assert rows[0]["components"][0]["value"] == "so"
    assert rows[1]["component"]["values"][0] in sent.payload["data"]["resolved"]["attachments"]
    assert (await bot.answer(sent.payload, MESSAGE, {"content": "thanks"}))[0] == 200


async def test_suggestions_come_while_typing(ready: Sandbox, bot: RawBot) -> None:
    socket = await bot.connect()
    await socket.identify(ready.token)

    async def suggest() -> None:
        payload = (await socket.receive("INTERACTION_CREATE"))["d"]
        focused = payload["data"]["options"][0]
        await bot.answer(payload, CHOICES, {"choices": [{"name": focused["value"], "value": "svd"}]})

    async with asyncio.TaskGroup() as group:
        group.create_task(suggest())
        choices = await ready.world.autocomplete(ADA, PICTURES, "animate", {"variant": "sv"}, "variant")
    assert choices == [{"name": "sv", "value": "svd"}]


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
