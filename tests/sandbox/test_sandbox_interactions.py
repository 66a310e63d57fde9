"""The sandbox's interactions: the person's side, the three seconds, the fifteen minutes, and every way to answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction, State
from bot.sandbox.world.standard import (
    ADA,
    BEN,
    DIRECT_ADA,
    ELSEWHERE,
    LOBBY,
    MIA,
    NO_FILES,
    OLGA,
    PICTURES,
    TABLEAUX,
    THREAD,
    VIVANT,
)
from tests.support.openapi import discord_description
from tests.support.raw_bot import RawBot
from tests.support.sandbox_fixtures import bot, sandbox

__all__ = ["bot", "sandbox"]
EPHEMERAL = 1 << 6
PICTURE = Upload("a.png", "image/png", b"picture")
MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9

COMMANDS: list[dict[str, Any]] = [
    {
        "name": "animate",
        "description": "x",
        "contexts": [0, 1],
        "integration_types": [0, 1],
        "options": [
            {"type": 11, "name": "image", "description": "x", "required": True},
            {"type": 4, "name": "motion", "description": "x", "min_value": 1, "max_value": 255},
            {"type": 3, "name": "style", "description": "x", "choices": [{"name": "Calm", "value": "calm"}]},
            {"type": 3, "name": "variant", "description": "x", "autocomplete": True},
        ],
    },
    {
        "name": "admin",
        "description": "x",
        "contexts": [0],
        "default_member_permissions": int(Permission.MANAGE_GUILD),
        "options": [{"type": 1, "name": "pause", "description": "x"}],
    },
    {"name": "Animate this image", "type": 3},
]


@pytest.fixture
async def ready(sandbox: Sandbox, bot: RawBot) -> Sandbox:
    status, _ = await bot.call("PUT", f"/applications/{VIVANT}/commands", COMMANDS)
    assert status == 200
    return sandbox


async def animate(sandbox: Sandbox, channel: str = PICTURES, **options: Any) -> Interaction:
    age_seconds = options.pop("age_seconds", 0)
    return await sandbox.world.invoke(ADA, channel, "animate", options, {"image": PICTURE}, age_seconds=age_seconds)


def webhook(interaction: Interaction, message: str = "") -> str:
    return f"/webhooks/{VIVANT}/{interaction.token}{f'/messages/{message}' if message else ''}"


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
async def test_a_persons_client_stops_what_discords_would(
    ready: Sandbox, options: dict[str, Any], files: dict[str, Upload], text: str
) -> None:
    with pytest.raises(NotPossible, match=text):
        await ready.world.invoke(ADA, PICTURES, "animate", options, files)


async def test_people_are_offered_only_the_commands_for_them_and_the_place(ready: Sandbox) -> None:
    def names(actor: str, channel: str) -> set[str]:
        return {command["name"] for command in ready.world.commands_for(actor, channel)}

    assert names(OLGA, PICTURES) == {"animate", "admin", "Animate this image"}
    assert names(ADA, PICTURES) == {"animate", "Animate this image"}
    assert names(ADA, DIRECT_ADA) == {"animate", "Animate this image"}
    assert names(ADA, LOBBY) == {"animate"}
    with pytest.raises(NotPossible):
        await ready.world.invoke(MIA, PICTURES, "admin pause")
    interaction = await ready.world.invoke(OLGA, PICTURES, "admin pause")
    assert interaction.payload["data"]["options"] == [{"type": 1, "name": "pause", "options": []}]


async def test_a_deferred_answer_is_one_message_that_its_edit_completes(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    status, answer = await bot.answer(interaction.payload, DEFER)
    assert status == 200
    assert answer["interaction"]["response_message_loading"] is True
    assert "resource" not in answer
    assert interaction.state is State.THINKING
    edited = await bot.call("PATCH", webhook(interaction, "@original"), {"content": "done"}, {"clip.mp4": b"x"})
    assert (edited[0], edited[1]["id"]) == (200, answer["interaction"]["response_message_id"])
    assert (edited[1]["flags"], edited[1]["edited_timestamp"]) == (0, None)
    assert interaction.state is State.ANSWERED
    assert [message["content"] for message in ready.world.messages_for(BEN, PICTURES)] == ["done"]
    description = discord_description()
    assert [text for item in ready.record.exchanges for text in description.problems(item)] == []


async def test_an_interactions_messages_go_with_their_channel(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, DEFER)
    ready.world.channels.delete_channel(PICTURES)
    asked = [("PATCH", "@original"), ("GET", "@original"), ("DELETE", "@original"), ("POST", "")]
    answers = [await bot.call(method, webhook(interaction, which), {"content": "late"}) for method, which in asked]
    assert [(status, refusal["code"]) for status, refusal in answers] == [(404, 10003)] * 4


async def test_a_followup_after_a_defer_edits_it_and_the_next_one_is_new(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    _, answer = await bot.answer(interaction.payload, DEFER)
    _, first = await bot.call("POST", webhook(interaction), {"content": "one"})
    _, second = await bot.call("POST", webhook(interaction), {"content": "two"})
    assert first["id"] == answer["interaction"]["response_message_id"]
    assert [item["content"] for item in ready.world.messages_for(ADA, PICTURES)] == ["one", "two"]
    assert (await bot.call("DELETE", webhook(interaction, second["id"])))[0] == 204
    assert len(ready.world.messages_for(ADA, PICTURES)) == 1


async def test_a_followup_after_the_deferred_message_was_deleted_stands_alone(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, DEFER)
    assert (await bot.call("DELETE", webhook(interaction, "@original")))[0] == 204
    _, message = await bot.call("POST", webhook(interaction), {"content": "psst", "flags": EPHEMERAL})
    assert message["flags"] == EPHEMERAL
    assert ready.world.messages_for(BEN, PICTURES) == []
    assert (await bot.call("GET", webhook(interaction, "@original")))[1]["code"] == 10008


async def test_a_token_does_not_reach_into_a_closed_thread_or_a_deleted_channel(ready: Sandbox, bot: RawBot) -> None:
    inside, outside = await animate(ready, THREAD), await animate(ready)
    for interaction in (inside, outside):
        await bot.answer(interaction.payload, MESSAGE, {"content": "x"})
    ready.world.channels.archive_thread(THREAD)
    ready.world.channels.delete_channel(PICTURES)
    for interaction, code in ((inside, 50083), (outside, 10003)):
        assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "y"}))[1]["code"] == code
        assert (await bot.call("POST", webhook(interaction), {"content": "y"}))[1]["code"] == code


async def test_after_three_seconds_the_interaction_is_unknown_and_the_person_sees_it(
    ready: Sandbox, bot: RawBot
) -> None:
    interaction = await animate(ready)
    ready.world.clock.advance(3.1)
    status, answer = await bot.answer(interaction.payload, DEFER)
    assert (status, answer["code"]) == (404, 10062)
    assert interaction.state is State.FAILED
    assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "x"}))[1]["code"] == 10015


async def test_silence_fails_without_anybody_asking(ready: Sandbox) -> None:
    ready.world.timing.acknowledge = 0.05
    interaction = await (await animate(ready)).acknowledged()
    assert interaction.state is State.FAILED
    assert interaction.acknowledged_after is None


async def test_a_second_answer_is_refused(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, DEFER)
    status, answer = await bot.answer(interaction.payload, MESSAGE, {"content": "x"})
    assert (status, answer["code"]) == (400, 40060)


async def test_after_fifteen_minutes_the_token_is_dead_but_the_bots_own_edits_its_message(
    ready: Sandbox, bot: RawBot
) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, MESSAGE, {"content": "queued"})
    ready.world.clock.advance(15 * 60 + 1)
    for method, path in (("PATCH", webhook(interaction, "@original")), ("POST", webhook(interaction))):
        status, answer = await bot.call(method, path, {"content": "x"})
        assert (status, answer["code"]) == (401, 50027)
    assert interaction.message_id
    path = f"/channels/{PICTURES}/messages/{interaction.message_id}"
    assert (await bot.call("PATCH", path, {"content": "done"}))[0] == 200


async def test_an_old_interaction_dies_when_its_own_id_says_so(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready, age_seconds=15 * 60 - 5)
    await bot.answer(interaction.payload, DEFER)
    assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "x"}))[0] == 200
    ready.world.clock.advance(6)
    assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "x"}))[1]["code"] == 50027


async def test_an_ephemeral_answer_is_for_one_person_and_beyond_the_bots_own_token(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    with ready.world.subscribe() as events:
        await bot.answer(interaction.payload, MESSAGE, {"content": "psst", "flags": EPHEMERAL})
        told = [await anext(events) for _ in range(2)]
    assert {event["visible_to"] for event in told} == {ADA}
    assert [item["content"] for item in ready.world.messages_for(ADA, PICTURES)] == ["psst"]
    assert ready.world.messages_for(BEN, PICTURES) == []
    path = f"/channels/{PICTURES}/messages/{interaction.message_id}"
    for method in ("GET", "PATCH", "DELETE"):
        body = {"content": "x"} if method == "PATCH" else None
        assert (await bot.call(method, path, body))[1]["code"] == 10008
    assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "y"}))[0] == 200
    _, history = await bot.call("GET", f"/channels/{PICTURES}/messages")
    assert history == []


async def test_an_ephemeral_defer_stays_ephemeral(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, DEFER, {"flags": EPHEMERAL})
    _, message = await bot.call("PATCH", webhook(interaction, "@original"), {"content": "x", "flags": 0})
    assert message["flags"] == EPHEMERAL
    assert ready.world.messages_for(BEN, PICTURES) == []


async def test_where_only_the_person_installed_the_app_there_are_five_followups_and_no_posts(
    ready: Sandbox, bot: RawBot
) -> None:
    interaction = await animate(ready, LOBBY)
    assert interaction.payload["authorizing_integration_owners"] == {"1": ADA}
    assert interaction.payload["guild_id"] == ELSEWHERE
    await bot.answer(interaction.payload, MESSAGE, {"content": "x"})
    codes = [(await bot.call("POST", webhook(interaction), {"content": "x"}))[0] for _ in range(6)]
    assert codes == [200] * 5 + [400]
    assert (await bot.call("POST", f"/channels/{LOBBY}/messages", {"content": "x"}))[1]["code"] == 50001


async def test_a_button_updates_its_message_and_a_disabled_one_cannot_be_pressed(ready: Sandbox, bot: RawBot) -> None:
    button = {"type": 2, "style": 4, "label": "Cancel", "custom_id": "cancel:1"}
    body = {"content": "queued", "components": [{"type": 1, "components": [button]}]}
    _, message = await bot.call("POST", f"/channels/{PICTURES}/messages", body)
    pressed = await ready.world.press(BEN, PICTURES, message["id"], "cancel:1")
    assert pressed.payload["message"]["components"][0]["components"][0]["custom_id"] == "cancel:1"
    disabled = [{"type": 1, "components": [button | {"disabled": True}]}]
    status, answer = await bot.answer(pressed.payload, UPDATE, {"content": "cancelled", "components": disabled})
    assert (status, answer["resource"]["message"]["id"]) == (200, message["id"])
    with pytest.raises(NotPossible, match="disabled"):
        await ready.world.press(ADA, PICTURES, message["id"], "cancel:1")
    with pytest.raises(NotPossible, match="no such button"):
        await ready.world.press(ADA, PICTURES, message["id"], "other")
    assert len(ready.world.messages_for(ADA, PICTURES)) == 1


async def test_a_deferred_update_lets_the_token_edit_the_pressed_message(ready: Sandbox, bot: RawBot) -> None:
    select = {"type": 3, "custom_id": "s", "options": [{"label": "A", "value": "a"}]}
    body = {"content": "pick", "components": [{"type": 1, "components": [select]}]}
    _, message = await bot.call("POST", f"/channels/{PICTURES}/messages", body)
    with pytest.raises(NotPossible):
        await ready.world.press(ADA, PICTURES, message["id"], "s", ["b"])
    picked = await ready.world.press(ADA, PICTURES, message["id"], "s", ["a"])
    assert picked.payload["data"]["values"] == ["a"]
    assert (await bot.answer(picked.payload, DEFER_UPDATE))[0] == 200
    _, edited = await bot.call("PATCH", webhook(picked, "@original"), {"content": "picked", "components": []})
    assert (edited["id"], edited["content"]) == (message["id"], "picked")


async def test_a_command_cannot_be_answered_with_an_update(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    assert (await bot.answer(interaction.payload, UPDATE, {"content": "x"}))[1]["code"] == 50035
    assert (await bot.answer(interaction.payload, 10))[0] == 501
    assert ready.unimplemented


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


async def test_a_form_too_large_is_refused_and_the_interaction_stays_open(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    form = {"custom_id": "form", "title": "x" * 46, "components": [{"type": 18}]}
    assert (await bot.answer(interaction.payload, MODAL, form))[1]["code"] == 50035
    assert (await bot.answer(interaction.payload, MESSAGE, {"content": "x"}))[0] == 200


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


BAD_COMMANDS = {
    "a capital in the name": [{"name": "Animate", "description": "x"}],
    "no description": [{"name": "animate"}],
    "the same name twice": [{"name": "a", "description": "x"}, {"name": "a", "description": "y"}],
    "required after optional": [
        {
            "name": "a",
            "description": "x",
            "options": [
                {"type": 3, "name": "b", "description": "x"},
                {"type": 3, "name": "c", "description": "x", "required": True},
            ],
        }
    ],
}


@pytest.mark.parametrize("commands", BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
async def test_a_bad_command_is_refused(bot: RawBot, commands: list[dict[str, Any]]) -> None:
    status, answer = await bot.call("PUT", f"/applications/{VIVANT}/commands", commands)
    assert (status, answer["code"]) == (400, 50035)


async def test_commands_keep_their_ids_and_guild_commands_stay_in_their_guild(ready: Sandbox, bot: RawBot) -> None:
    path = f"/applications/{VIVANT}/commands"
    first, second = (await bot.call("GET", path))[1], (await bot.call("PUT", path, COMMANDS))[1]
    assert [item["id"] for item in first] == [item["id"] for item in second]
    guild = f"/applications/{VIVANT}/guilds/{TABLEAUX}/commands"
    await bot.call("PUT", guild, [{"name": "local", "description": "x"}])
    assert "local" in {item["name"] for item in ready.world.commands_for(ADA, PICTURES)}
    assert "local" not in {item["name"] for item in ready.world.commands_for(ADA, DIRECT_ADA)}
    elsewhere = f"/applications/{VIVANT}/guilds/{ELSEWHERE}/commands"
    assert (await bot.call("PUT", elsewhere, []))[1]["code"] == 50001
    assert (await bot.call("DELETE", f"{path}/{first[0]['id']}"))[0] == 204
    assert (await bot.call("GET", f"{path}/{first[0]['id']}"))[1]["code"] == 10063
