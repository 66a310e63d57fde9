"""What commands, options, buttons and choices are called in a language, and which of them a sentence names.

Tested in tests/test_languages.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from babel.messages.catalog import Catalog

from bot.policy.motion import Motion
from generator.clip import Quality
from scripts.languages.catalogues import is_translated, sentences
from scripts.languages.labels import key_of, label_limits
from scripts.languages.texts import CommandText

_COMMAND = re.compile(r"(?<![\w/<.])/([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
_QUOTED = re.compile(r'"([^"{}]+)"')
_BOLD = re.compile(r"\*\*([^*{}]+)\*\*")
_OPTION = re.compile(r"`([a-z_]+)`|`/[^`]* ([a-z_]+):|(?<![\w`{.])([a-z]+_[a-z_]+)(?![\w`}])")
_TYPED = (tuple(Motion), tuple(Quality))
"""words of which a sentence lists all that can be typed"""
QUOTES = {
    "de": ("„", "“"),
    "fr": ("«\N{NO-BREAK SPACE}", "\N{NO-BREAK SPACE}»"),
    "es": ("«", "»"),
    "pt": ("“", "”"),
    "ja": ("「", "」"),
}
_NAMED = ("button", "menu entry", "permission")
"""contexts of the labels that sentences may name without quotation marks"""
_DOES = r" (?:button|makes|deletes|hands|asks)\b"
"""what follows such a label at the beginning of a sentence"""
_LABEL_CONTEXTS = ("menu entry", "choice", "permission")
"""of the labels that no component of ours shows, but Discord"""


@dataclass(frozen=True)
class Names:
    """What the commands are called in a language, by their English names."""

    texts: Sequence[CommandText]
    catalogue: Catalog

    @property
    def language(self) -> str:
        """Return the language's code, without its country."""
        return self.catalogue.locale.language if self.catalogue.locale else ""

    @cached_property
    def commands(self) -> set[str]:
        """Return the English names of all commands and subcommands, as they are typed without the slash."""
        return {text.command for text in self.texts if text.context == "command name"}

    @cached_property
    def options(self) -> set[str]:
        """Return the English names of all options."""
        return {text.text for text in self.texts if text.context == "option name"}

    @cached_property
    def labels(self) -> dict[str, list[str]]:
        """Return what each English label is called; a word that is one in several places may have several names."""
        found: dict[str, list[str]] = {}
        for message in sentences(self.catalogue):
            is_label = key_of(message.id, message.context) in label_limits() or message.context in _LABEL_CONTEXTS
            if is_label and isinstance(message.id, str) and isinstance(message.string, str) and is_translated(message):
                found.setdefault(message.id, []).append(message.string)
        return found

    def of(self, name: str, context: str = "command name") -> str:
        """Return what one word of a command, or an option, is called."""
        found = self.catalogue.get(name, context)
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

    def pressed(self, text: str) -> list[str]:
        """Return the buttons, menu entries, permissions and strengths that a sentence names without quotation marks.

        They have a capital where a sentence has none, or do something as its subject.
        """
        return [label for label, pattern in self._patterns.items() if pattern.search(text)]

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        named = {message.id for message in sentences(self.catalogue) if message.context in _NAMED}
        strengths = {motion.capitalize() for motion in Motion}
        found = {}
        for label in sorted(self.labels.keys() & (named | strengths)):
            before = r"(?<![\w\"*])" if label in strengths else r"(?<=[a-z,;:] )"
            found[label] = re.compile(rf"{before}{re.escape(label)}(?![\w\"*])|(?<![\w\"*]){re.escape(label)}{_DOES}")
        return found

    def quoted(self, text: str) -> Iterator[list[str]]:
        """Yield, for each label and option that an English text names, how the language may write it."""
        begin, end = QUOTES.get(self.language, ('"', '"'))
        for label in _QUOTED.findall(text):
            if label in self.labels:
                yield [f"{begin}{name}{end}" for name in self.labels[label]]
        for label in _BOLD.findall(text):
            if label in self.labels:
                yield [f"**{name}**" for name in self.labels[label]]
        for label in self.pressed(text):
            yield self.labels[label]
        for quoted, given, plain in _OPTION.findall(text):
            if (option := quoted or given or plain) in self.options:
                name = self.of(option, "option name")
                yield [f"`{name}`" if quoted else f"{name}:" if given else name]
        for words in _TYPED:
            if all(re.search(rf"\b{word}\b", text) for word in words):
                for word in words:
                    names = self.labels.get(word.capitalize(), [])
                    yield [*names, *map(str.lower, names)]
