"""Every bound of Discord's own description of a form, inside labels too: the local Discord refuses what breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.sandbox.rules.errors import Refusal
from bot.sandbox.rules.layout.modals import check_modal
from tests.sandbox.rules.layout.test_modals import BOX, FIELDS, Json, form, label, options
from tests.support.openapi import discord_description

FORM = "ModalInteractionCallbackRequestData"
LABEL = "LabelComponentForModalRequest"
IN_LABEL = {
    3: "StringSelect",
    4: "TextInput",
    5: "UserSelect",
    6: "RoleSelect",
    7: "MentionableSelect",
    8: "ChannelSelect",
    19: "FileUpload",
    21: "RadioGroup",
    22: "CheckboxGroup",
    23: "Checkbox",
}


def beyond(schema: Json, good: Any) -> Iterator[tuple[str, Any]]:
    """Yield values that break one bound of a field's schema, with the bound's name; `good` is one that keeps them."""
    kind = schema.get("type")
    if "maxLength" in schema:
        yield "maxLength", "x" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield "minLength", ""
    if "maximum" in schema:
        yield "maximum", schema["maximum"] + 1
    if "minimum" in schema:
        yield "minimum", schema["minimum"] - 1
    if "maxItems" in schema and good:
        yield "maxItems", [good[0] | {"value": str(number)} for number in range(schema["maxItems"] + 1)]
    if schema.get("minItems"):
        yield "minItems", good[: schema["minItems"] - 1] if good else []
    kinds = kind if isinstance(kind, list) else [kind]
    wrong = {"string": 7, "integer": "seven", "boolean": "yes", "array": "a, b"}
    yield from (("type", wrong[name]) for name in kinds if name in wrong)


def mistakes(schema: Json, good: Json) -> Iterator[tuple[str, Json]]:
    """Yield objects like `good` with one mistake each, by what is wrong."""
    for field, rules in schema["properties"].items():
        if field == "type":
            yield "type", good | {"type": 99}
            continue
        for name, value in beyond(rules, good.get(field)):
            yield f"{field} {name}", good | {field: value}
    for field in schema["required"]:
        yield f"{field} left out", {key: value for key, value in good.items() if key != field}


def forms() -> Iterator[tuple[str, Json]]:
    """Yield forms with one mistake each."""
    described = discord_description()
    whole = {key: value for key, value in form(label(BOX)).items() if key != "type"}
    yield from (
        ("form: " + what, bad) for what, bad in mistakes(described.schema(FORM), whole) if "maxItems" not in what
    )
    yield from (("label: " + what, form(bad)) for what, bad in mistakes(described.schema(LABEL), label(BOX)))
    for field in FIELDS:
        name = IN_LABEL[field["type"]]
        schema = described.schema(f"{name}ComponentForModalRequest")
        yield from ((f"{name}: {what}", form(label(bad))) for what, bad in mistakes(schema, field))
        if "options" in field:
            [option, *others] = field["options"]
            rules = described.schema(f"{name}OptionForRequest")
            for what, bad in mistakes(rules, option):
                yield f"{name}'s option: {what}", form(label(field | {"options": [bad, *others]}))


def is_refused(modal: Json) -> bool:
    try:
        check_modal(modal)
    except Refusal:
        return True
    return False


def test_whatever_breaks_a_bound_of_discords_description_is_refused() -> None:
    found = dict(forms())
    assert len(found) > 200, "the negative control: each field has some"
    assert [what for what, modal in found.items() if not is_refused(modal)] == []


@pytest.mark.parametrize("more", [{"id": 2**31}, {"placeholder": "x" * 151}, {"custom_id": None}])
def test_a_menu_in_a_label_keeps_the_rules_of_menus(more: Json) -> None:
    menu = {"type": 3, "custom_id": "menu", "options": options(2)}
    assert is_refused(form(label(menu | more)))
    assert not is_refused(form(label(menu | {"id": 2**31 - 1, "placeholder": "x" * 150})))


@pytest.mark.parametrize("wrong", ["a label", None, [], 18])
def test_what_is_no_component_is_refused(wrong: Any) -> None:
    assert is_refused(form(wrong)) and is_refused(form(label(wrong)))
