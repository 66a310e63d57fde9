"""Which language is spoken where."""

from __future__ import annotations

import pytest
from babel.numbers import format_decimal, format_percent

from bot.policy.language import ENGLISH, LANGUAGES, Heard, Language, channel_language, language_of, person_language
from bot.sandbox.rules.locales import LOCALES

GERMAN, FRENCH = LANGUAGES["de"], LANGUAGES["fr"]


def test_each_locale_is_one_of_discords_and_belongs_to_one_language() -> None:
    locales = [locale for language in LANGUAGES.values() for locale in language.locales]
    assert len(locales) == len(set(locales))
    assert set(locales) <= set(LOCALES)


@pytest.mark.parametrize(
    ("code", "known"), [("es-ES", "es"), ("es-419", "es"), ("en-GB", "en"), ("pt-BR", "pt-BR"), ("ja", "ja")]
)
def test_discords_codes_and_our_own_name_the_same_language(code: str, known: str) -> None:
    assert language_of(code) is language_of(known) is LANGUAGES[known]


def test_a_language_that_is_not_spoken_is_none() -> None:
    assert language_of("it") is language_of(None) is language_of("") is None


@pytest.mark.parametrize(
    ("person", "spoken"), [("de", GERMAN), ("it", ENGLISH), (None, FRENCH)], ids=["known", "unknown", "nobody"]
)
def test_a_person_reads_their_own_language_else_english(person: str | None, spoken: Language) -> None:
    assert person_language(Heard(person=person), FRENCH) is spoken


CHANNELS = {
    "the choice of /settings wins": (Heard(person="de", server="ja", is_community=True, chosen="fr"), "fr"),
    "a choice from an earlier version that is not spoken": (Heard(person="de", server="fr", chosen="it"), "fr"),
    "the server's own language": (Heard(person="de", server="fr"), "fr"),
    "American English by default says nothing": (Heard(person="de", server="en-US"), "de"),
    "American English of a community is meant": (Heard(person="de", server="en-US", is_community=True), "en"),
    "a server's language that is not spoken": (Heard(person="de", server="it"), "de"),
    "direct messages": (Heard(person="de"), "de"),
    "nobody asked": (Heard(person=None), "ja"),
}


@pytest.mark.parametrize(("heard", "spoken"), CHANNELS.values(), ids=CHANNELS.keys())
def test_a_channel_reads_the_servers_language_as_far_as_there_is_one(heard: Heard, spoken: str) -> None:
    assert channel_language(heard, LANGUAGES["ja"]).code == spoken


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES.keys())
def test_the_signs_of_numbers_are_those_of_the_unicode_consortium(language: Language) -> None:
    """Babel has them from CLDR; it leaves out that Spanish groups five digits at least (minimumGroupingDigits)."""
    assert format_decimal(1_234_567.5, locale=language.folder) == (
        f"1{language.group}234{language.group}567{language.point}5"
    )
    assert format_percent(0.42, locale=language.folder) == language.percent.format(number=42)
