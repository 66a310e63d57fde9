"""Forms: each refused form, what the server fills in, and what a person may answer, with real discord.py's forms."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from discord import ui

from bot.sandbox.rules.errors import NotPossible, Refusal
from bot.sandbox.rules.layout.modals import check_answer, check_modal, complete_modal, untouched
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import ADA
from tests.support.interactions import MODAL, PICTURE, animate
from tests.support.openapi import discord_description
from tests.support.raw_bot import RawBot

Json = dict[str, Any]


def options(count: int, **more: Any) -> list[Json]:
    return [{"label": f"Option {number}", "value": str(number)} | more for number in range(count)]


TEXT = {"type": 4, "custom_id": "text", "style": 1}
MENU = {"type": 3, "custom_id": "menu", "options": options(2)}
FILES = {"type": 19, "custom_id": "files"}
RADIOS = {"type": 21, "custom_id": "radios", "options": options(2)}
BOXES = {"type": 22, "custom_id": "boxes", "options": options(3)}
BOX = {"type": 23, "custom_id": "box"}
FIELDS: list[Json] = [
    TEXT,
    MENU,
    FILES,
    RADIOS,
    BOXES,
    BOX,
    *({"type": kind, "custom_id": "menu"} for kind in (5, 6, 7, 8)),
]


def label(component: Json, **more: Any) -> Json:
    return {"type": 18, "label": "Label", "component": component} | more


def form(*rows: Json, **more: Any) -> Json:
    return {"custom_id": "form", "title": "Form", "components": list(rows)} | more


def form_with(component: Json, **more: Any) -> Json:
    return form(label(component | more))


GOOD = {
    **{f"type {field['type']}": form(label(field)) for field in FIELDS},
    "a text among the rows": form({"type": 10, "content": "Read this."}, label(BOX)),
    "a text input in a row of its own": form({"type": 1, "components": [TEXT | {"label": "Text"}]}),
    "five rows": form(*(label(BOX | {"custom_id": str(number)}) for number in range(5))),
    "ten radio buttons": form_with(RADIOS, options=options(10)),
    "one box": form_with(BOXES, options=options(1)),
    "ten files, none of them required": form_with(FILES, min_values=0, max_values=10, required=False),
    "as many boxes ticked as there are": form_with(BOXES, options=options(3, default=True)),
    "a label's description": form(label(BOX, description="x" * 100)),
}

REFUSED = {
    "no title": form(label(BOX), title=""),
    "a title too long": form(label(BOX), title="x" * 46),
    "a custom id too long": form(label(BOX), custom_id="x" * 101),
    "no rows": form(),
    "six rows": form(*(label(BOX | {"custom_id": str(number)}) for number in range(6))),
    "a field without a label": form(RADIOS),
    "a button": form(label({"type": 2, "custom_id": "x", "style": 1, "label": "x"})),
    "a label in a label": form(label(label(BOX))),
    "a text in a label": form(label({"type": 10, "content": "x"})),
    "a menu in a row of its own": form({"type": 1, "components": [MENU]}),
    "a group in a row of its own": form({"type": 1, "components": [BOXES]}),
    "two text inputs in a row": form({"type": 1, "components": [TEXT | {"label": "a"}, TEXT | {"label": "b"}]}),
    "a text input in a row without its label": form({"type": 1, "components": [TEXT]}),
    "an empty label": form(label(BOX, label="")),
    "a label too long": form(label(BOX, label="x" * 46)),
    "a description too long": form(label(BOX, description="x" * 101)),
    "an empty description": form(label(BOX, description="")),
    "a text too long": form({"type": 10, "content": "x" * 4001}),
    "a field without a custom id": form(label({"type": 23})),
    "a custom id twice": form(label(BOX), label(BOX)),
    "an id twice": form(label(BOX, id=7), label(TEXT | {"id": 7})),
    "one radio button": form_with(RADIOS, options=options(1)),
    "eleven radio buttons": form_with(RADIOS, options=options(11)),
    "two radio buttons chosen before": form_with(RADIOS, options=options(2, default=True)),
    "a radio button's label too long": form_with(RADIOS, options=options(2, label="x" * 101)),
    "a radio button's description too long": form_with(RADIOS, options=options(2, description="x" * 101)),
    "a value twice": form_with(RADIOS, options=options(2, value="x")),
    "no boxes": form_with(BOXES, options=[]),
    "eleven boxes": form_with(BOXES, options=options(11)),
    "more boxes to tick than there are": form_with(BOXES, max_values=4),
    "more boxes ticked before than may be": form_with(BOXES, options=options(3, default=True), max_values=2),
    "eleven boxes at most": form_with(BOXES, max_values=11),
    "no box at least, but required": form_with(BOXES, min_values=0),
    "no file at least, but required": form_with(FILES, min_values=0),
    "no choice at least, but required": form_with(MENU, min_values=0, required=True),
    "eleven files": form_with(FILES, max_values=11),
    "more files at least than at most": form_with(FILES, min_values=3, max_values=2),
    "26 options in a menu": form_with(MENU, options=options(26)),
    "a menu that is disabled": form_with(MENU, disabled=True),
    "a text of no style": form_with(TEXT, style=3),
    "a text whose value is too long": form_with(TEXT, value="x" * 4001),
    "a text of 4001 letters": form_with(TEXT, max_length=4001),
    "a text's placeholder too long": form_with(TEXT, placeholder="x" * 101),
}


@pytest.mark.parametrize("modal", GOOD.values(), ids=GOOD)
def test_a_good_form_is_taken(modal: Json) -> None:
    check_modal(modal)
    assert all(row["id"] for row in complete_modal(modal)["components"])


@pytest.mark.parametrize("modal", REFUSED.values(), ids=REFUSED)
def test_a_bad_form_is_refused_with_discords_code(modal: Json) -> None:
    with pytest.raises(Refusal) as refusal:
        check_modal(modal)
    assert (refusal.value.status, refusal.value.code) == (400, 50035)
    assert refusal.value.errors


async def test_good_forms_keep_discords_own_description(ready: Sandbox, bot: RawBot) -> None:
    for modal in GOOD.values():
        interaction = await animate(ready)
        assert (await bot.answer(interaction.payload, MODAL, modal))[0] == 200
    answers = [exchange for exchange in ready.record.exchanges if exchange.path.endswith("/callback")]
    assert len(answers) == len(GOOD)
    assert [problem for exchange in answers for problem in discord_description().problems(exchange)] == []


async def test_what_is_left_as_it_was_is_sent_as_the_form_had_it(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    chosen = [{"label": "A", "value": "a"}, {"label": "B", "value": "b", "default": True}]
    rows = (
        RADIOS | {"options": chosen},
        BOXES | {"options": chosen},
        MENU | {"options": chosen},
        TEXT | {"value": "t"},
    )
    modal = form(label(BOX | {"default": True}), *(label(row) for row in rows))
    await bot.answer(interaction.payload, MODAL, modal)
    assert interaction.state is State.MODAL
    sent = (await ready.world.submit_modal(ADA, interaction.id, "form", {})).payload["data"]["components"]
    fields = [row["component"] for row in sent]
    assert [field.get("value", field.get("values")) for field in fields] == [True, "b", ["b"], ["b"], "t"]
    ids = [number for row in sent for number in (row["id"], row["component"]["id"])]
    assert ids == list(range(1, 11))


async def test_nothing_chosen_is_sent_as_discord_sends_it(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    modal = form(*(label(field | {"required": False}) for field in (RADIOS, BOXES, FILES, TEXT)), label(BOX))
    await bot.answer(interaction.payload, MODAL, modal)
    sent = (await ready.world.submit_modal(ADA, interaction.id, "form", {})).payload["data"]
    fields = [row["component"] for row in sent["components"]]
    assert [field.get("value", field.get("values")) for field in fields] == [None, [], [], "", False]
    assert "resolved" not in sent


ANSWERS: dict[str, tuple[Json, Any, str]] = {
    "a radio button that is needed": (RADIOS, None, "required"),
    "a box that is needed": (BOXES, [], "required"),
    "a file that is needed": (FILES, [], "required"),
    "a radio button that is not there": (RADIOS, "9", "one of the options"),
    "a box that is not there": (BOXES, ["9"], "one of the options"),
    "too many boxes": (BOXES | {"max_values": 1}, ["0", "1"], "Pick 1 to 1"),
    "too few boxes": (BOXES | {"min_values": 2, "required": False}, ["0"], "Pick 2 to 3"),
    "too many files": (FILES, [PICTURE, PICTURE], "Pick 1 to 1"),
    "too short a text": (TEXT | {"min_length": 3}, "ab", "between 3 and 4000"),
    "too long a text": (TEXT | {"max_length": 3}, "abcd", "between 0 and 3"),
}


@pytest.mark.parametrize(("field", "value", "told"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_the_form_does_not_take_is_not_sent(field: Json, value: Any, told: str) -> None:
    [row] = complete_modal(form(label(field)))["components"]
    with pytest.raises(NotPossible, match=told):
        check_answer(row["component"], value)


def test_an_answer_that_the_form_takes_is_sent() -> None:
    """The negative control."""
    for field, value in ((RADIOS, "1"), (BOXES, ["0", "2"]), (FILES, [PICTURE]), (TEXT, "abc"), (BOX, False)):
        [row] = complete_modal(form(label(field)))["components"]
        check_answer(row["component"], value)
        assert untouched(row["component"]) != value or field is BOX


async def test_a_file_above_the_channels_limit_is_not_sent(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, MODAL, form(label(FILES)))
    huge = Upload("huge.png", "image/png", bytes(10 * 1024 * 1024 + 1))
    with pytest.raises(NotPossible, match="too powerful"):
        await ready.world.submit_modal(ADA, interaction.id, "form", {"files": [huge]})
    sent = await ready.world.submit_modal(ADA, interaction.id, "form", {"files": [PICTURE]})
    [row] = sent.payload["data"]["components"]
    [file] = sent.payload["data"]["resolved"]["attachments"].values()
    assert row["component"]["values"] == [file["id"]]
    assert (file["ephemeral"], file["filename"], file["size"]) == (True, "a.png", len(PICTURE.data))
    assert "/ephemeral-attachments/" in file["url"]


MENU_OPTIONS = [discord.SelectOption(label="a")]


def test_every_field_of_discord_py_is_taken() -> None:
    class Everything(ui.Modal, title="Everything"):
        text: ui.Label[Everything] = ui.Label(text="Text", component=ui.TextInput())
        menu: ui.Label[Everything] = ui.Label(
            text="Menu", component=ui.Select(options=[discord.SelectOption(label="a")])
        )
        files: ui.Label[Everything] = ui.Label(
            text="Files", component=ui.FileUpload(required=False, min_values=0, max_values=10)
        )
        radios: ui.Label[Everything] = ui.Label(
            text="Radios", component=ui.RadioGroup(options=[discord.RadioGroupOption(label=name) for name in "ab"])
        )
        boxes: ui.Label[Everything] = ui.Label(
            text="Boxes", component=ui.CheckboxGroup(options=[discord.CheckboxGroupOption(label="a")], required=False)
        )

    class Rest(ui.Modal, title="Rest"):
        words: ui.TextDisplay[Any] = ui.TextDisplay("Words")
        box: ui.Label[Rest] = ui.Label(text="Box", component=ui.Checkbox(default=True))
        files: ui.Label[Rest] = ui.Label(text="Files", component=ui.FileUpload())
        people: ui.Label[Rest] = ui.Label(text="People", component=ui.UserSelect())

    for modal in (Everything, Rest):
        taken = complete_modal(modal.to_dict(modal()))
        check_modal(taken)
        assert len(taken["components"]) == len(modal().children)
