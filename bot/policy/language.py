"""The languages that the bot speaks, and which of them is spoken where. Knows neither Discord nor the catalogues."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """One language. The signs of its numbers are CLDR's; a test compares them with Babel's."""

    code: str
    """as the settings keep it"""
    name: str
    """as its speakers call it"""
    locales: tuple[str, ...]
    """Discord's codes for it"""
    group: str = ","
    """between the thousands"""
    grouped_from: int = 1_000
    """the smallest number that is written with it"""
    point: str = "."
    """before the decimals"""
    percent: str = "{number}%"
    is_complete: bool = True
    """whether a sentence without a translation is a mistake (a test looks), or still to be expected"""

    @property
    def folder(self) -> str:
        """Return the name of the folder with its catalogue, as gettext names it."""
        return self.code.replace("-", "_")


ENGLISH = Language("en", "English", ("en-US", "en-GB"))
"""the language of the sentences in the code"""

_TRANSLATED = (
    Language("de", "Deutsch", ("de",), group=".", point=",", percent="{number}\N{NO-BREAK SPACE}%"),
    Language(
        "fr",
        "Français",
        ("fr",),
        group="\N{NARROW NO-BREAK SPACE}",
        point=",",
        percent="{number}\N{NO-BREAK SPACE}%",
    ),
    Language(
        "es",
        "Español",
        ("es-ES", "es-419"),
        group=".",
        grouped_from=10_000,
        point=",",
        percent="{number}\N{NO-BREAK SPACE}%",
    ),
    Language("pt-BR", "Português do Brasil", ("pt-BR",), group=".", point=","),
    Language("ja", "日本語", ("ja",)),
)
LANGUAGES = {language.code: language for language in (ENGLISH, *_TRANSLATED)}
"""by their codes; English first"""

_BY_LOCALE = {locale: language for language in LANGUAGES.values() for locale in language.locales}


def language_of(code: str | None) -> Language | None:
    """Return the language of one of Discord's codes or of our own; None when the bot does not speak it."""
    return _BY_LOCALE.get(code or "") or LANGUAGES.get(code or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is known of an interaction that bears on languages. The codes are Discord's, the server's choice is ours."""

    person: str | None
    """what the person's client is set to"""
    server: str | None = None
    """what Discord says of the server; None in direct messages"""
    is_community: bool = False
    chosen: str | None = None
    """what was chosen for the server with /settings"""


def person_language(heard: Heard, usual: Language) -> Language:
    """Return the language of what one person alone reads. `usual` is the operator's choice."""
    return language_of(heard.person) or (ENGLISH if heard.person else usual)


def channel_language(heard: Heard, usual: Language) -> Language:
    """Return the language of what everybody in the channel reads.

    Discord's own language of a server can be changed in communities alone and is American English everywhere else.
    So that one says nothing unless the server is a community, and then the person's language is spoken.
    """
    if chosen := language_of(heard.chosen):
        return chosen
    is_meant = heard.server is not None and (heard.is_community or heard.server != "en-US")
    return language_of(heard.server if is_meant else None) or person_language(heard, usual)
