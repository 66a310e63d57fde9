"""What is wrong with a translation: placeholders, formatting, names of commands, Discord's limits.

Tested in tests/test_languages.py.
"""

from __future__ import annotations

import asyncio
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence

from babel.messages.catalog import Catalog, Message

from bot.edge.connection.languages import CatalogueTranslator
from bot.sandbox.rules.commands import check_definition, check_unique
from bot.sandbox.rules.errors import Refusal
from bot.texts.limits import count_letters
from scripts.languages.catalogues import is_translated, sentences
from scripts.languages.labels import key_of, label_limits
from scripts.languages.names import Names
from scripts.languages.texts import CommandText, translated_commands

MOST_LETTERS = {"command name": 32, "option name": 32, "menu entry": 32, "description": 100, "choice": 100}
_NAME = re.compile(r"[-_'\w]{1,32}")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_MARKS = ("**", "`", "\n", "-# ", "### ", "__", "<@", "<#", "<t:", "||")


def problems(catalogue: Catalog, texts: Sequence[CommandText]) -> list[str]:
    """Say what is wrong with what is translated; nothing when all is well. What is missing is counted elsewhere."""
    names = Names(texts, catalogue)
    found = []
    for message in sentences(catalogue):
        if message.fuzzy:
            found.append(f"{_name(message)}: it is marked as fuzzy. Mend it and take the mark away.")
        elif is_translated(message):
            found += [f"{_name(message)}: {text}" for text in _wrong(message, names)]
    return found


def _name(message: Message) -> str:
    text = message.id if isinstance(message.id, str) else message.id[-1]
    return f"{text!r}" + (f" ({message.context})" if message.context else "")


def _wrong(message: Message, names: Names) -> Iterator[str]:
    english = [message.id] if isinstance(message.id, str) else list(message.id)
    forms = [message.string] if isinstance(message.string, str) else list(message.string or ())
    for form in forms:
        yield from _wrong_placeholders(english, form)
        if not any(_marks(form) == _marks(text) for text in english):
            yield f"its formatting is not that of the English one ({', '.join(map(repr, _MARKS))}): {form!r}"
        if form != form.strip() and message.context != "between the items of a list":
            yield f"it begins or ends with a space: {form!r}"
        if english[-1].endswith(".") and not form.endswith((".", "。", ".`")):
            yield f"the English one ends with a full stop: {form!r}"
        most = most_letters(message)
        if most is not None and _least_letters(form) > most:
            yield f"it has {_least_letters(form)} letters, and Discord takes {most}: {form!r}"
        if message.context in ("command name", "option name") and (not _NAME.fullmatch(form) or form != form.lower()):
            yield f"a name has small letters, digits, - and _ alone: {form!r}"
        for shown, count in names.mentioned(english[-1]).items():
            if len(re.findall(rf"{re.escape(shown)}(?![-\w])", form)) != count:
                yield f"the command is called {shown} in this language: {form!r}"
        for allowed in names.quoted(english[-1]):
            if not any(shown in form for shown in allowed):
                yield f"what it names is called {' or '.join(allowed)} in this language: {form!r}"
        yield from _wrong_typography(names.language, form)


def most_letters(message: Message) -> int | None:
    """Return how many letters Discord takes where a text is shown; None for a sentence in a message."""
    found = [MOST_LETTERS.get(message.context or ""), label_limits().get(key_of(message.id, message.context))]
    return min((most for most in found if most is not None), default=None)


def _least_letters(form: str) -> int:
    """Count the letters of a text without what is filled in; how long that gets, tests of the functions try."""
    return count_letters(_PLACEHOLDER.sub("", form))


def _wrong_placeholders(english: list[str], form: str) -> Iterator[str]:
    allowed = [placeholders(text) for text in english]
    try:
        found = placeholders(form)
    except ValueError:
        yield f"its braces do not match: {form!r}"
        return
    if found not in allowed and (len(english) == 1 or found != allowed[-1] - Counter(["{count}"])):
        yield f"its placeholders are {sorted(found)}, those of the English one {sorted(allowed[-1])}"


def placeholders(text: str) -> Counter[str]:
    """Count the placeholders of a sentence as they are written in it. Raises ValueError for unmatched braces."""
    fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None]
    return Counter(f"{{{name}:{spec}}}" if spec else f"{{{name}}}" for name, spec in fields)


_TYPOGRAPHY = {
    "fr": (
        re.compile(r"(?<!\u00a0)[:»](?=[\s.,)]|$)(?<!\*)|(?<!\u202f)[;?!]|«(?!\u00a0)"),
        "a no-break space is missing",
    ),
    "es": (re.compile(r"^[^¿]*\?|^[^¡]*!"), "¿ or ¡ is missing"),
    "ja": (re.compile(r"[\u3040-\u30ff\u4e00-\u9fff][,.;:!?](?!\w)|[,;!?](?=[\u3040-\u9fff])"), "it is not full-width"),
}
"""what is wrong in a language's punctuation, and what to say of it; addresses and code are looked at without it"""
_NO_PROSE = re.compile(r"`[^`]*`|https?://\S+|<[^<>]*>|\{[^{}]*\}")


def _wrong_typography(language: str, form: str) -> Iterator[str]:
    pattern, said = _TYPOGRAPHY.get(language, (None, ""))
    if pattern and pattern.search(_NO_PROSE.sub("x", form)):
        yield f"{said}: {form!r}"


def _marks(text: str) -> list[int]:
    return [text.count(mark) for mark in _MARKS]


def refused_commands() -> list[str]:
    """Return what Discord's rules refuse in the commands with all their translations."""
    refused = []
    definitions = asyncio.run(translated_commands(CatalogueTranslator()))
    for definition in definitions:
        try:
            check_definition(definition)
        except Refusal as error:
            refused.append(f"/{definition['name']}: {error}")
    for kind in sorted({item["type"] for item in definitions}):
        try:
            check_unique("name", [item for item in definitions if item["type"] == kind], "NAMES_ARE_THE_SAME")
        except Refusal as error:
            refused.append(f"commands of type {kind}: {error}")
    return refused
