"""The form over real sockets: from its command, from a message, and what becomes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.edge.commands.submission import answers
from bot.edge.commands.submission.answers import Form
from bot.policy.motion import Motion
from bot.policy.server import OthersPictures
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction, State
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, LOBBY, PICTURES, TABLEAUX, THREAD
from generator.clip import Format, Framing, Loop, Quality, Shape
from tests.support.edge import Edge, Start, buttons, png, running_edge, until, words
from tests.support.fakes import Act, FakeBackend
from tests.support.openapi import discord_description

MENU = "Animate with choices"
EVERYTHING = {"motion": "wild", "shape": "square", "loop": "boomerang", "format": "gif"}


async def open_on_message(edge: Edge, *files: Upload, author: str = ADA) -> Interaction:
    posted = edge.world.post(author, PICTURES, "look", list(files) or [png()])
    chosen = await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
    return await chosen.acknowledged()


async def send(edge: Edge, opened: Interaction, *, actor: str = ADA, **values: Any) -> Interaction:
    assert opened.modal is not None
    menus = {name for name, field in fields(opened).items() if field["type"] == 3}
    values = {name: [value] if name in menus else value for name, value in values.items()}
    sent = await edge.world.submit_modal(actor, opened.id, opened.modal["custom_id"], values)
    return await sent.acknowledged()


def fields(opened: Interaction) -> dict[str, Any]:
    """Return the form's fields by custom id."""
    assert opened.modal is not None
    parts = (row["component"] for row in opened.modal["components"] if "component" in row)
    return {part["custom_id"]: part for part in parts}


def chosen_in(field: dict[str, Any]) -> list[str]:
    return [option["value"] for option in field["options"] if option.get("default")]


@pytest.mark.parametrize("channel", [PICTURES, THREAD, LOBBY, DIRECT_ADA])
async def test_an_uploaded_picture_becomes_the_clip_that_was_chosen(start: Start, channel: str) -> None:
    async with start() as edge:
        opened = await edge.invoke("animate-form", channel=channel)
        assert opened.state is State.MODAL
        assert list(fields(opened)) == ["picture", "motion", "shape", "loop", "format"]
        sent = await send(edge, opened, picture=[png()], **EVERYTHING)
        assert sent.acknowledged_after is not None and sent.acknowledged_after < 0.5
        await edge.clip(channel=channel)
        settings = edge.backend.requests[0].settings
        assert (settings.motion_bucket, settings.shape, settings.loop) == (230, Shape.SQUARE, Loop.BOOMERANG)
        assert settings.format is Format.GIF


async def test_the_form_and_what_it_becomes_keep_discords_own_description(start: Start) -> None:
    async with start() as edge:
        await send(edge, await open_on_message(edge))
        await edge.clip()
        answers = [one for one in edge.sandbox.record.exchanges if one.path.startswith(("/interactions", "/webhooks"))]
        assert len(answers) >= 3
        assert [text for one in answers for text in discord_description().problems(one)] == []


async def test_from_a_message_the_picture_is_known_and_there_is_room_for_boxes(start: Start) -> None:
    async with start() as edge:
        opened = await open_on_message(edge)
        assert list(fields(opened)) == ["motion", "shape", "loop", "format", "extras"]
        await send(edge, opened, extras=["smooth", "fast", "pad"])
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert (settings.smooth, settings.quality, settings.framing) == (True, Quality.FAST, Framing.PAD)


async def test_of_several_pictures_the_form_asks_which_one(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        opened = await open_on_message(edge, png("a.png"), png("SPOILER_b.png"))
        names = [option["label"] for option in fields(opened)["picture"]["options"]]
        assert names == ["1. a.png", "2. b.png"]
        await send(edge, opened, picture="1")
        clip = await edge.clip()
        assert clip["attachments"][0]["filename"].startswith("SPOILER_"), "the second picture was covered"


async def test_a_message_without_a_picture_is_told_so_and_opens_nothing(start: Start) -> None:
    async with start() as edge:
        posted = edge.world.post(ADA, PICTURES, "only words")
        chosen = await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        assert "There is no picture in that message" in await edge.answer(await chosen.acknowledged())


async def test_the_next_form_begins_with_what_this_person_chose_last(start: Start) -> None:
    async with start() as edge:
        await send(edge, await open_on_message(edge), extras=["smooth"], **EVERYTHING)
        await until(lambda: edge.store.choices.of(int(ADA)), "what was chosen")
        again = fields(await edge.invoke("animate-form"))
        assert {name: chosen_in(again[name]) for name in EVERYTHING} == {key: [val] for key, val in EVERYTHING.items()}
        await send(edge, await edge.invoke("animate-form"), picture=[png()], motion="gentle")
        await until(lambda: _motion_is(edge, "gentle"), "what was chosen the second time")
        later = fields(await open_on_message(edge))
        assert chosen_in(later["motion"]) == ["gentle"]
        assert chosen_in(later["extras"]) == ["smooth"], "that form did not ask for it"
        others = fields(await edge.invoke("animate-form", actor=BEN))
        assert chosen_in(others["motion"]) == ["usual"]


async def _motion_is(edge: Edge, value: str) -> bool:
    return bool((await edge.store.choices.of(int(ADA)))["motion"] == value)


async def test_who_is_forgotten_begins_anew(start: Start) -> None:
    async with start() as edge:
        await send(edge, await open_on_message(edge), **EVERYTHING)
        await until(lambda: edge.store.choices.of(int(ADA)), "what was chosen")
        asked = await edge.invoke("forget-me")
        [question] = [item for item in edge.seen() if item["id"] == asked.message_id]
        label = next(name for name in buttons(question["components"]) if "post" not in name.lower())
        pressed = await edge.world.press(ADA, PICTURES, question["id"], buttons(question["components"])[label])
        await pressed.acknowledged()
        await until(lambda: _nothing_chosen(edge), "forgotten")
        assert chosen_in(fields(await edge.invoke("animate-form"))["motion"]) == ["usual"]


async def _nothing_chosen(edge: Edge) -> bool:
    return await edge.store.choices.of(int(ADA)) == {}


async def test_what_may_not_be_chosen_is_not_offered(start: Start) -> None:
    async with start() as edge:
        await edge.store.choices.keep(int(ADA), EVERYTHING)
        limits = {"most_motion": Motion.MEDIUM, "formats": [Format.WEBP], "qualities": [Quality.QUALITY]}
        await edge.store.servers.change(int(TABLEAUX), int(BEN), limits)
        opened = await edge.invoke("animate-form")
        if opened.modal is None:  # the demo model makes clips of another quality
            raise AssertionError(await edge.answer(opened))
        assert [option["value"] for option in fields(opened)["motion"]["options"]] == ["usual", "gentle", "medium"]
        assert chosen_in(fields(opened)["motion"]) == ["usual"], "wild was chosen last, elsewhere"
        assert "format" not in fields(opened)
        await send(edge, opened, picture=[png()])
        await edge.clip()
        assert edge.backend.requests[0].settings.format is Format.WEBP


async def test_a_refused_form_keeps_what_was_chosen(start: Start) -> None:
    async with start() as edge:
        opened = await edge.invoke("animate-form")
        await edge.switches.pause("new model coming.")
        sent = await send(edge, opened, picture=[png()], **EVERYTHING)
        assert "The bot is paused" in await edge.answer(sent)
        assert await edge.store.jobs.of_user(int(ADA)) == []
        await edge.switches.resume()
        await until(lambda: edge.store.choices.of(int(ADA)), "what was chosen")
        assert chosen_in(fields(await edge.invoke("animate-form"))["motion"]) == ["wild"]


async def test_a_file_that_is_no_picture_is_refused_in_words(start: Start) -> None:
    async with start() as edge:
        opened = await edge.invoke("animate-form")
        sent = await send(edge, opened, picture=[Upload("notes.txt", "text/plain", b"words")])
        assert "Nothing was queued" in await edge.answer(sent)


async def test_a_refused_form_is_mended_with_all_that_was_chosen_in_it(start: Start) -> None:
    async with start() as edge:
        opened = await edge.invoke("animate-form")
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"most_motion": Motion.GENTLE})
        sent = await send(edge, opened, picture=[png()], **EVERYTHING)
        assert "no stronger motion than Gentle" in await edge.answer(sent)
        mend = await open_mending(edge)
        assert fields(mend)["motion"]["value"] == "wild"
        sent = await send(edge, mend, motion="banana", format="gif", rest="shape: square\nloop: boomerang")
        assert "I know no motion `banana`" in await edge.answer(sent), "as /animate says it"
        mend = await open_mending(edge)
        menu = {item["value"]: (item["label"], item.get("description")) for item in fields(mend)["format"]["options"]}
        form = {item["value"]: (item["label"], item.get("description")) for item in fields(opened)["format"]["options"]}
        assert menu == form, "both forms call a choice the same"
        await send(edge, mend, motion="gentle", format="gif", rest="shape: square\nloop: boomerang")
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert (settings.motion_bucket, settings.shape, settings.loop) == (60, Shape.SQUARE, Loop.BOOMERANG)
        assert settings.format is Format.GIF


async def open_mending(edge: Edge) -> Interaction:
    """Press the button under the newest refusal."""
    told = [item for item in edge.seen() if "Mend and try again" in buttons(item["components"])][-1]
    pressed = await edge.world.press(ADA, PICTURES, told["id"], buttons(told["components"])["Mend and try again"])
    return await pressed.acknowledged()


async def test_the_author_is_asked_when_the_form_is_sent(start: Start) -> None:
    async with start() as edge:
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"others_pictures": OthersPictures.ASK})
        opened = await open_on_message(edge, author=BEN)
        await send(edge, opened, **EVERYTHING)
        question = await until(lambda: _question(edge), "a question")
        pressed = await edge.world.press(BEN, PICTURES, question["id"], buttons(question["components"])["Allow"])
        await pressed.acknowledged()
        await edge.clip()
        assert edge.backend.requests[0].settings.loop is Loop.BOOMERANG


def _question(edge: Edge) -> dict[str, Any] | None:
    found = edge.seen(actor=BEN)
    return next((item for item in found if "Allow" in buttons(item["components"])), None)


async def test_a_form_that_was_open_at_a_restart_is_answered_in_words(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        async with running_edge(tmp_path, sandbox) as edge:
            opened = await open_on_message(edge)
            known = await open_on_message(edge)
            assert "no longer know" not in words(edge.seen())
            await send(edge, known)  # the negative control
            await edge.clip()
            again = await send(edge, known)  # Discord keeps a form open whose answer it has not seen
            assert "I no longer know that form" in await edge.answer(again)
        assert opened.modal is not None
        Form.known.pop(opened.modal["custom_id"])  # another process has no such object
        sandbox.gateway.online.clear()
        async with running_edge(tmp_path, sandbox) as edge:
            sent = await send(edge, opened)
            assert "I no longer know that form" in await edge.answer(sent)


async def test_a_form_that_is_left_alone_is_let_go_of(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers.FORM_SECONDS == 3600, "as the privacy notice says"
    monkeypatch.setattr(answers, "FORM_SECONDS", 0.05)
    async with start() as edge:
        opened = await open_on_message(edge)
        assert opened.modal is not None
        custom_id = opened.modal["custom_id"]

        async def is_gone() -> bool:
            await asyncio.sleep(0)
            return custom_id not in Form.known

        await until(is_gone, "nobody holds the form")
        sent = await send(edge, opened)
        assert "I no longer know that form" in await edge.answer(sent)
