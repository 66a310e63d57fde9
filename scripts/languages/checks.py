"""What is wrong with a translation: placeholders, formatting, names of commands, Discord's limits.

Tested in tests/test_languages.py.
"""

from __future__ import annotations

import asyncio
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from babel.messages.catalog import Catalog, Message

from bot.edge.connection.languages import CatalogueTranslator
from bot.sandbox.rules.commands import check_definition
from bot.sandbox.rules.errors import Refusal
from bot.texts.limits import count_letters
from scripts.languages.catalogues import is_translated, sentences
from scripts.languages.texts import CommandText, translated_commands

MOST_LETTERS = {"command name": 32, "option name": 32, "menu entry": 32, "description": 100, "choice": 100}
_NAME = re.compile(r"[-_'\w]{1,32}")
_COMMAND = re.compile(r"(?<![\w/<.])/([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
_MARKS = ("**", "`", "\n", "-# ", "### ", "__", "<@", "<#", "<t:", "||")


@dataclass(frozen=True)
class Names:
    """What the commands are called in a language, by their English names."""

    texts: Sequence[CommandText]
    catalogue: Catalog

    @cached_property
    def commands(self) -> set[str]:
        """Return the English names of all commands and subcommands, as they are typed without the slash."""
        return {text.command for text in self.texts if text.context == "command name"}

    def of(self, name: str) -> str:
        """Return what one word of a command is called."""
        found = self.catalogue.get(name, "command name")
        return str(found.string) if found and found.string else name

    def mentioned(self, text: str) -> Counter[str]:
        """Count the commands that an English text mentions, as they are called in the language."""
        found: Counter[str] = Counter()
        for match in _COMMAND.finditer(text):
            first, second = match.groups()
            if f"{first} {second}" in self.commands:
                found[f"/{self.of(first)} {self.of(second)}"] += 1
            elif first in self.commands or any(name.startswith(f"{first} ") for name in self.commands):
                found[f"/{self.of(first)}"] += 1
        return found


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
        most = MOST_LETTERS.get(message.context or "")
        if most is not None and count_letters(form) > most:
            yield f"it has {count_letters(form)} letters, and Discord takes {most}: {form!r}"
        if message.context in ("command name", "option name") and (not _NAME.fullmatch(form) or form != form.lower()):
            yield f"a name has small letters, digits, - and _ alone: {form!r}"
        for shown, count in names.mentioned(english[-1]).items():
            if len(re.findall(rf"{re.escape(shown)}(?![-\w])", form)) != count:
                yield f"the command is called {shown} in this language: {form!r}"


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


def _marks(text: str) -> list[int]:
    return [text.count(mark) for mark in _MARKS]


def refused_commands() -> list[str]:
    """Return what Discord's rules refuse in the commands with all their translations."""
    refused = []
    for definition in asyncio.run(translated_commands(CatalogueTranslator())):
        try:
            check_definition(definition)
        except Refusal as error:
            refused.append(f"/{definition['name']}: {error}")
    return refused
