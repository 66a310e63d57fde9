"""The languages of Discord's clients, and what a command is called in each of them.

Source: the reference's page on locales, and "Localization" in its page on application commands, of November 2026.

Tested in tests/sandbox/rules/test_commands.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.sandbox.rules.errors import NotPossible, invalid_form
from bot.sandbox.rules.payloads import Json

USUAL_LOCALE = "en-US"
LOCALES = {
    "en-US": "English, US",
    "en-GB": "English, UK",
    "bg": "български",
    "zh-CN": "中文",
    "zh-TW": "繁體中文",
    "hr": "Hrvatski",
    "cs": "Čeština",
    "id": "Bahasa Indonesia",
    "da": "Dansk",
    "nl": "Nederlands",
    "fi": "Suomi",
    "fr": "Français",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "hi": "हिन्दी",
    "hu": "Magyar",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "es-419": "Español, LATAM",
    "lt": "Lietuviškai",
    "no": "Norsk",
    "pl": "Polski",
    "pt-BR": "Português do Brasil",
    "ro": "Română",
    "ru": "Русский",
    "es-ES": "Español",
    "sv-SE": "Svenska",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
}
"""each code, and what Discord calls it in its settings"""


def check_locale(locale: str) -> str:
    """Return a language that a client can be set to. Raises NotPossible for another."""
    if locale not in LOCALES:
        raise NotPossible(f"Discord has no language {locale!r}.")
    return locale


def localizations(definition: Json, key: str) -> dict[str, str]:
    """Return the texts of a definition by language. Raises Refusal for a language that Discord does not have."""
    found: dict[str, str] = definition.get(f"{key}_localizations") or {}
    for locale in found:
        if locale not in LOCALES:
            text = f"Value must be one of {set(LOCALES)}."
            raise invalid_form(f"{key}_localizations", "APPLICATION_COMMAND_INVALID_LOCALE", text)
    return found


def longest(definition: Json, key: str) -> int:
    """Return the letters of a text in the language in which it is longest: that is what counts for the whole."""
    texts = [definition.get(key) or "", *localizations(definition, key).values()]
    return max(len(str(text)) for text in texts)


def total_letters(definition: Json) -> int:
    """Return what counts for the 8000 letters that a command may have: names, descriptions, and values of choices."""
    inside: list[Json] = [*(definition.get("options") or []), *(definition.get("choices") or [])]
    value = len(str(definition["value"])) if "value" in definition else 0
    return longest(definition, "name") + longest(definition, "description") + value + sum(map(total_letters, inside))


def names_in_each(definitions: list[Json]) -> Iterator[list[Any]]:
    """Yield, for each language, what commands or options beside each other are called in it."""
    for locale in LOCALES:
        yield [localizations(item, "name").get(locale, item["name"]) for item in definitions]


def as_shown(definition: Json, locale: str) -> Json:
    """Return a command, an option or a choice as a client in that language shows it.

    What is sent stays: the names of commands and options, with `name_localized` beside them, as Discord has it too.
    """
    shown = dict(definition)
    name = localizations(definition, "name").get(locale)
    description = localizations(definition, "description").get(locale)
    if name:
        shown |= {"name": name} if "value" in definition else {"name_localized": name}
    if description:
        shown["description"] = description
    for key in ("options", "choices"):
        if definition.get(key):
            shown[key] = [as_shown(item, locale) for item in definition[key]]
    return shown
