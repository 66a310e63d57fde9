"""Every way to answer an interaction: messages, deferred ones, followups, updates, forms."""

from __future__ import annotations

import pytest

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import ADA, BEN, ELSEWHERE, LOBBY, PICTURES, THREAD
from tests.support.interactions import DEFER, DEFER_UPDATE, EPHEMERAL, MESSAGE, MODAL, UPDATE, animate, webhook
from tests.support.openapi import discord_description
from tests.support.raw_bot import RawBot


async def test_a_deferred_answer_is_one_message_that_its_edit_completes(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    status, answer = await bot.answer(interaction.payload, DEFER)
    assert status == 200
    assert (answer["interaction"]["response_message_loading"], interaction.state) == (True, State.THINKING)
    assert "resource" not in answer
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


async def test_a_followup_after_the_deferred_message_was_deleted_is_a_new_message(ready: Sandbox, bot: RawBot) -> None:
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


async def test_a_form_too_large_is_refused_and_the_interaction_stays_open(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    form = {"custom_id": "form", "title": "x" * 46, "components": [{"type": 18}]}
    assert (await bot.answer(interaction.payload, MODAL, form))[1]["code"] == 50035
    assert (await bot.answer(interaction.payload, MESSAGE, {"content": "x"}))[0] == 200
