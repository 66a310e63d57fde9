"""The catalogues are up to date with the code, complete where they say so, and right in what a machine can see.

The negative controls break a copy of them on purpose.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog

from bot.edge.connection.languages import CatalogueTranslator
from bot.policy.language import LANGUAGES, Language
from bot.texts.asking.choosing import choice_text
from bot.texts.languages.sentences import CATALOGUES
from bot.texts.languages.spoken import speaking
from generator.clip import Framing, Loop, Shape
from scripts.languages.__main__ import main
from scripts.languages.catalogues import (
    TEMPLATE,
    TRANSLATED,
    bring_up_to_date,
    compiled,
    compiled_sentences,
    fill,
    missing,
    po_path,
    po_text,
    read_language,
    sentences,
)
from scripts.languages.checks import placeholders, problems, refused_commands
from scripts.languages.texts import CommandText, command_texts, extract

GERMAN = LANGUAGES["de"]
EACH = pytest.mark.parametrize("language", TRANSLATED, ids=lambda language: language.code)


@pytest.fixture(scope="module")
def template() -> Catalog:
    return extract()


@pytest.fixture(scope="module")
def texts() -> list[CommandText]:
    return command_texts()


def test_every_sentence_of_the_code_is_in_the_template(template: Catalog) -> None:
    """If this fails: `python -m scripts.languages update`."""
    assert (CATALOGUES / TEMPLATE).read_text(encoding="utf-8") == po_text(template)
    assert len(sentences(template)) > 200


@EACH
def test_every_language_has_the_sentences_of_the_code(language: Language, template: Catalog) -> None:
    """If this fails: `python -m scripts.languages update`."""
    before = po_path(language).read_text(encoding="utf-8")
    catalogue = read_language(language)
    bring_up_to_date(catalogue, template)
    assert po_text(catalogue) == before


@EACH
def test_the_bot_reads_what_was_translated(language: Language) -> None:
    """If this fails: `python -m scripts.languages compile`."""
    written = po_path(language).with_suffix(".mo").read_bytes()
    assert compiled_sentences(written) == compiled_sentences(compiled(read_language(language)))


@EACH
def test_a_language_that_is_said_to_be_complete_is(language: Language) -> None:
    lacks = [message.id for message in missing(read_language(language))]
    assert lacks == [] or not language.is_complete


@EACH
def test_nothing_is_wrong_with_the_translations(language: Language, texts: list[CommandText]) -> None:
    assert problems(read_language(language), texts) == []


def test_discord_takes_the_commands_with_all_their_translations() -> None:
    assert refused_commands() == []


def test_two_commands_of_one_name_in_a_language_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = CatalogueTranslator.translate

    async def translate(self: CatalogueTranslator, string: Any, locale: Any, context: Any) -> str | None:
        said = await usual(self, string, locale, context)
        return "warteschlange" if said == "verlauf" else said

    monkeypatch.setattr(CatalogueTranslator, "translate", translate)
    [problem] = refused_commands()
    assert problem.startswith("commands of type 1")


def test_each_text_of_the_commands_is_found_with_its_kind(texts: list[CommandText]) -> None:
    found = {(text.context, text.text) for text in texts}
    assert {
        ("command name", "animate"),
        ("command name", "admin"),
        ("command name", "resume"),
        ("option name", "image"),
        ("choice", "Portrait"),
        ("description", "Work again"),
        ("menu entry", "Animate this image"),
    } <= found


def in_place_of(english: str, letters: int) -> Callable[[str], str]:
    """Return what gives a message a translation of so many letters."""
    return lambda text: re.sub(rf'(?<=\nmsgid "{english}"\nmsgstr ").*(?=")', "W" * letters, text)


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "a placeholder that is not there": (lambda text: text.replace("Höchstens {limits}", "Höchstens {limit}"), "limits"),
    "a brace that is not closed": (lambda text: text.replace("Höchstens {limits}", "Höchstens {limits"), "braces"),
    "formatting that is lost": (lambda text: text.replace('"**Du, überall**"', '"**Du, überall"'), "formatting"),
    "no full stop": (lambda text: text.replace("Höchstens {limits}.", "Höchstens {limits}"), "full stop"),
    "a space at the end": (lambda text: text.replace('"Jeder Kanal"', '"Jeder Kanal "'), "space"),
    "a description that is too long": (lambda text: text.replace('"Wessen Grenze"', f'"{"W" * 101}"'), "100"),
    "a button's label that is too long": (in_place_of("More motion", 81), "81 letters, and Discord takes 80"),
    "a form's title that is too long": (in_place_of("Animate a picture", 46), "takes 45"),
    "a field's label that is too long": (in_place_of("Seconds of the GPU in 24 hours", 46), "takes 45"),
    "a field's description that is too long": (in_place_of("How much shall move", 101), "takes 100"),
    "a menu's text that is too long": (in_place_of("Longer, loop, speed, format", 151), "takes 150"),
    "an option's label that is too long": (in_place_of("Cover them as spoilers", 101), "takes 100"),
    "an option's description that is too long": (in_place_of("Half the speed", 101), "takes 100"),
    "an alt text that is too long": (in_place_of("Your picture, as framed", 257), "takes 256"),
    "a capital in a name": (lambda text: text.replace('"sperren-liste"', '"Sperren-liste"'), "small letters"),
    "a command by its English name": (
        lambda text: text.replace("bis /admin fortsetzen", "bis /admin resume"),
        "is called",
    ),
    "a button by another name than it has": (
        lambda text: text.replace("„Noch mal“ macht", "„Nochmals“ macht"),
        "Noch mal",
    ),
    "a button in other quotation marks": (
        lambda text: text.replace("„Länger: von früher an“ im", "Länger: von früher an im"),
        "„Länger: von früher an“",
    ),
    "a button in bold by its English name": (
        lambda text: text.replace("**Lebhafter machen**", "**Make it move**"),
        "**Lebhafter machen**",
    ),
    "a menu entry that is called otherwise": (
        lambda text: text.replace("Apps, „Mit Auswahl animieren“", "Apps, „Mit Optionen animieren“"),
        "Mit Auswahl animieren",
    ),
    "an option by its English name": (
        lambda text: text.replace("Lass `schritte` weg", "Lass `steps` weg"),
        "`schritte`",
    ),
    "an option of a command by its English name": (
        lambda text: text.replace("/ergebnis auftrag:", "/ergebnis job:"),
        "auftrag:",
    ),
    "an option without code marks by its English name": (
        lambda text: text.replace("Erhöhe abspiel_fps, lass", "Erhöhe playback_fps, lass"),
        "abspiel_fps",
    ),
    "a word to type by its English name": (
        lambda text: text.replace(
            "sanft, mittel, stark, wild oder eine Zahl", "gentle, mittel, stark, wild oder eine Zahl"
        ),
        "Sanft or sanft",
    ),
    "a translation that nobody has looked at": (
        lambda text: text.replace('msgid "Choose"', '#, fuzzy\nmsgid "Choose"'),
        "fuzzy",
    ),
}


@pytest.mark.parametrize(("damage", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_would_be_seen(
    damage: Callable[[str], str], said: str, tmp_path: Path, texts: list[CommandText]
) -> None:
    path = po_path(GERMAN, tmp_path)
    path.parent.mkdir(parents=True)
    text = po_path(GERMAN).read_text(encoding="utf-8")
    damaged = damage(text)
    assert damaged != text
    path.write_text(damaged, encoding="utf-8")
    [problem, *more] = problems(read_language(GERMAN, tmp_path), texts)
    assert said in problem and not more, (problem, more)


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        ("fr", "C'est fait\u00a0:", "C'est fait :"),
        ("fr", "Quel clip\u202f?", "Quel clip ?"),
        ("fr", "«\u00a0Encore\u00a0»", "« Encore »"),
        ("es", "¿Qué clip?", "Qué clip?"),
        ("ja", "どのクリップですか\uff1f", "どのクリップですか?"),
    ],
)
def test_wrong_punctuation_would_be_seen(
    code: str, right: str, wrong: str, tmp_path: Path, texts: list[CommandText]
) -> None:
    language = LANGUAGES[code]
    path = po_path(language, tmp_path)
    path.parent.mkdir(parents=True)
    text = po_path(language).read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    found = problems(read_language(language, tmp_path), texts)
    assert found and all(wrong in problem for problem in found)


@EACH
def test_a_choice_is_called_the_same_in_the_menu_and_where_it_is_suggested(language: Language) -> None:
    catalogue = read_language(language)
    with speaking(language.code):
        for word in (*Loop, *Shape, *Framing):
            with speaking("en"):
                english = choice_text(word)
            menu = catalogue.get(english, "choice")
            assert menu is not None and menu.string == choice_text(word)


def test_a_plural_form_too_few_counts_as_missing(tmp_path: Path) -> None:
    path = po_path(GERMAN, tmp_path)
    path.parent.mkdir(parents=True)
    text = po_path(GERMAN).read_text(encoding="utf-8")
    path.write_text(text.replace('msgstr[1] "{count} Clips gleichzeitig"\n', ""), encoding="utf-8")
    [lacking] = missing(read_language(GERMAN, tmp_path))
    assert lacking.id == ("{count} clip at once", "{count} clips at once")


def test_placeholders_are_counted_as_they_are_written() -> None:
    assert placeholders("{a} of {b:.1f} and {a}, {{not this}}") == {"{a}": 2, "{b:.1f}": 1}
    with pytest.raises(ValueError, match="expected"):
        placeholders("{a")


def test_a_sentence_that_comes_back_has_its_translation_again(template: Catalog) -> None:
    """So that nothing is lost when two people's changes are put together."""
    catalogue, empty = read_language(GERMAN), Catalog(charset="utf-8")
    whole = po_text(catalogue)
    bring_up_to_date(catalogue, empty)
    assert sentences(catalogue) == [] and "Höchstens" in po_text(catalogue)
    bring_up_to_date(catalogue, template)
    assert po_text(catalogue) == whole


def test_what_is_not_translated_stays_out_of_what_the_bot_reads() -> None:
    """Babel would write the English in its place, in the wrong plural form."""
    catalogue = read_language(LANGUAGES["ja"])
    for message in sentences(catalogue):
        message.string = "" if isinstance(message.id, str) else ("",)
    assert compiled_sentences(compiled(catalogue)) == {}
    assert len(missing(catalogue)) == len(sentences(catalogue))
    assert fill(catalogue, [read_language(LANGUAGES["ja"])]) == len(sentences(catalogue))
    assert compiled_sentences(compiled(catalogue)) == compiled_sentences(compiled(read_language(LANGUAGES["ja"])))


def test_the_commands_of_the_guide_work_one_after_the_other(tmp_path: Path) -> None:
    guide = (Path(__file__).parent.parent / "docs/translating.md").read_text()
    block = guide.partition("tried: tests/test_languages.py -->")[2].partition("```")[2].partition("```")[0]
    lines = [line.partition("#")[0].split()[3:] for line in block.strip().splitlines()]
    assert [line[0] for line in lines] == ["update", "compile", "check", "take"]
    for line in lines:
        words = [str(po_path(GERMAN)) if word == "other.po" else word for word in line]
        assert main(["--folder", str(tmp_path), *words]) == (1 if line[0] == "check" else 0), (
            "nothing is translated yet"
        )


def test_the_tool_updates_takes_checks_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--folder", str(tmp_path)]
    assert main([*folder, "update"]) == 0
    said = capsys.readouterr().out
    assert len(re.findall(r"^\S+ +0 of (\d+) translated, \1 missing$", said, re.MULTILINE)) == len(TRANSLATED)
    assert main([*folder, "check"]) == 1
    assert "de: 'Choose' is missing" in capsys.readouterr().out
    assert main([*folder, "take", "de", str(po_path(GERMAN))]) == 0
    taken, kept = (path.read_text().partition("#~ ")[0] for path in (po_path(GERMAN, tmp_path), po_path(GERMAN)))
    assert taken.rstrip() == kept.rstrip(), "all but what waits for sentences that are gone"
    for language in TRANSLATED:
        shutil.copy(po_path(language), po_path(language, tmp_path))
    assert main([*folder, "compile"]) == 0
    assert main([*folder, "check"]) == 0
