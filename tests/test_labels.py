"""The text of every component is found, with how many letters Discord takes there.

That a longer one in a translation is seen: `BROKEN` in test_languages.py.
"""

from __future__ import annotations

import ast

import pytest

from scripts.languages.catalogues import sentences
from scripts.languages.checks import most_letters, problems
from scripts.languages.labels import COMPONENTS, given_labels, key_of, label_limits
from scripts.languages.origins import ROOT, Origins, Scope, parse_module
from scripts.languages.texts import extract

NAMED_BY_PEOPLE = {
    "commands.admin Choice name",  # a variant's; a longer one is left out
    "commands.settings.panel SelectOption label",  # `settings.choices Choice 1`, cut
    "commands.submission.answers Modal title",  # `Form title`
    "commands.submission.choosing.mending SelectOption label",  # a channel's, cut
    "commands.submission.picture_choice _PictureButton 3",  # a file's, cut
    "commands.submission.picture_choice Button label",  # `_PictureButton 3`
    "layouts.cards Thumbnail description",  # `_layout alt_text`
}
"""what shows no text of ours, or one that is found where it is handed on"""


def test_the_texts_of_every_component_are_found() -> None:
    shown = {given.where for given in given_labels() if given.texts}
    empty = {given.where for given in given_labels()} - shown
    assert empty == NAMED_BY_PEOPLE
    assert {where.split()[1] for where in shown | empty} == COMPONENTS.keys()


def test_every_button_and_every_kind_of_label_has_its_limit() -> None:
    template = extract()
    buttons = [message for message in sentences(template) if message.context == "button"]
    assert len(buttons) > 30 and all((most_letters(message) or 1000) <= 80 for message in buttons)
    limits = label_limits()
    assert limits[key_of("Animate a picture", None)] == limits[key_of("Motion", None)] == 45
    assert limits[key_of("Tick what you want", None)] == limits[key_of("Half the speed", None)] == 100
    assert limits[key_of("Longer, loop, speed, format", None)] == 150
    assert key_of("Nothing was queued.", None) not in limits


def test_the_english_labels_fit_too() -> None:
    template = extract()
    for message in sentences(template):
        message.string = message.id
    assert [text for text in problems(template, []) if "Discord takes" in text] == []


MODULE = """
TABLE = {1: (N_("one"), "-"), 2: (N_("two"), "-")}

def say(count):
    text = shorten(_("few")) if count < 2 else ngettext("a", "many", count)
    return text
"""


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ('_("yes") if _("no") else N_("well")', {"yes", "well"}),
        ('_("hello {name}", name=_("you"))', {"hello {name}"}),
        ('pgettext("button", "press").upper()', {"press"}),
        ('f"{_(TABLE[key][0])}: {name}" or _("none")', {"one", "two", "none"}),
        ("say(5)", {"few", ("a", "many")}),
        ("[_(text) for text in sorted(given)]", set()),
    ],
)
def test_a_text_is_found_where_an_expression_has_it_from(expression: str, texts: set[object]) -> None:
    origins = Origins()
    module = parse_module("bot.edge.nowhere", MODULE)
    origins.follow(ast.parse(expression, mode="eval").body, Scope(module))
    assert {text for text, _context in origins.texts} == texts


SHOWN = {"label", "placeholder", "title", "description"}
NO_COMPONENTS = {"command", "describe", "Group"}  # whose texts `texts.py` takes from the tree of commands


def made_with_texts(source: str) -> set[str]:
    """Return what of discord.py a module makes with a text that people see."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        call.func.attr
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("ui", "discord", "app_commands")
        and SHOWN & {keyword.arg for keyword in call.keywords}
    }


def test_nothing_is_made_that_nobody_looks_at() -> None:
    made = {name for path in (ROOT / "bot/edge").rglob("*.py") for name in made_with_texts(path.read_text())}
    assert {"Label", "Select", "SelectOption", "File"} <= made
    assert made - NO_COMPONENTS <= COMPONENTS.keys()
    assert made_with_texts('discord.Embed(title=_("Hello"))') == {"Embed"}, "which would be seen"
