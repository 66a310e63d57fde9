"""Sentences are said in the language that is spoken, with their placeholders filled and the right plural form."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bot
from bot.policy.language import LANGUAGES
from bot.texts.languages.sentences import N_, _, catalogue, ngettext, nN_, pgettext, pN_
from bot.texts.languages.spoken import speaking

MARKS = {"_", "N_", "ngettext", "nN_", "pgettext", "pN_"}


def test_a_sentence_that_no_catalogue_has_stays_english() -> None:
    with speaking("de"):
        assert _("Of this sentence there is no translation.") == "Of this sentence there is no translation."
        assert ngettext("{count} unicorn", "{count} unicorns", 1_234) == "1.234 unicorns"
        assert pgettext("of unicorns", "Gone with {what}", what="{nothing}") == "Gone with {nothing}"


def test_braces_stay_where_nothing_is_filled_in() -> None:
    assert _("Write {this}") == "Write {this}"
    assert N_("marked") == "marked"
    assert nN_("one", "many") == ("one", "many")
    assert pgettext(*pN_("of nothing", "marked")) == "marked"


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("en", ["0 clips at once", "1 clip at once", "2 clips at once"]),
        ("de", ["0 Clips gleichzeitig", "1 Clip gleichzeitig", "2 Clips gleichzeitig"]),
        ("fr", ["0 clip à la fois", "1 clip à la fois", "2 clips à la fois"]),
        ("es", ["0 clips a la vez", "1 clip a la vez", "2 clips a la vez"]),
        ("pt-BR", ["0 clipe ao mesmo tempo", "1 clipe ao mesmo tempo", "2 clipes ao mesmo tempo"]),
        ("ja", ["同時に0本", "同時に1本", "同時に2本"]),
    ],
)
def test_each_language_has_its_own_plural(code: str, texts: list[str]) -> None:
    """French and Brazilian Portuguese count nothing as one; Japanese has one form."""
    with speaking(code):
        assert [ngettext("{count} clip at once", "{count} clips at once", count) for count in (0, 1, 2)] == texts


def test_every_language_has_a_compiled_catalogue_that_the_bot_finds() -> None:
    sizes = {code: catalogue(language).info().get("language") for code, language in LANGUAGES.items() if code != "en"}
    assert sizes == {code: LANGUAGES[code].folder for code in sizes}
    assert len(sizes) >= 5


# -- marking: only what stands in the code as one whole text can be taken out of it ------------------------------------


def wrong_marks(source: str) -> list[str]:
    """Name what would not be extracted, or would hide `_` behind another meaning."""
    tree = ast.parse(source)
    marks = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "bot.texts.languages.sentences"
        for alias in node.names
    } & MARKS
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in marks:
            if any(isinstance(inside, ast.JoinedStr) for argument in node.args for inside in ast.walk(argument)):
                found.append(f"line {node.lineno}: an f-string cannot be looked up: {ast.unparse(node)[:60]}")
            if any(isinstance(argument, ast.BinOp | ast.IfExp) for argument in node.args[:2]):
                found.append(f"line {node.lineno}: not one whole text: {ast.unparse(node)[:60]}")
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in marks:
            found.append(f"line {node.lineno}: {node.id} has another meaning here")
    return found


def test_whatever_is_marked_can_be_taken_out_of_the_code() -> None:
    folder = Path(str(bot.__file__)).parent
    wrong = {str(path.relative_to(folder)): wrong_marks(path.read_text()) for path in folder.rglob("*.py")}
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    "line", ['_(f"Hello {name}")', '_("Hello " + name)', '_("a" if x else "b")', "for _ in range(3): pass"]
)
def test_a_mark_that_hides_its_text_would_be_seen(line: str) -> None:
    header = "from bot.texts.languages.sentences import _\n"
    assert len(wrong_marks(header + line)) == 1
    assert wrong_marks(header + '_("Hello {name}, " "good day", name=f"{x}")') == []
