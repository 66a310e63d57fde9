"""Takes every marked sentence out of the code, and the names and descriptions out of the tree of commands.

Tested in tests/test_languages.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import discord
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from discord import app_commands

from bot.edge.commands import add_commands
from bot.edge.connection.languages import context_of
from scripts.languages.labels import key_of, label_limits
from scripts.languages.origins import KEYWORDS, ROOT

COMMENT_TAG = "Translators:"
LIMITS = {
    "command name": "32 small letters, digits, - or _ at most, and no space",
    "option name": "32 small letters, digits, - or _ at most, and no space",
    "menu entry": "32 letters at most",
    "description": "100 letters at most",
    "choice": "100 letters at most",
}
"""what Discord allows, by the catalogue's context: shown to translators, and held by `checks.py`"""


@dataclass(frozen=True, slots=True)
class CommandText:
    """One text of the tree of commands."""

    context: str
    text: str
    command: str
    """whose it is, as people type it"""


class _Recorder(app_commands.Translator):
    """Is asked by discord.py for every text of the commands, as at a start, and writes down what was asked."""

    def __init__(self) -> None:
        self.texts: list[CommandText] = []

    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> None:
        owner: Any = getattr(context.data, "command", context.data)
        name = getattr(owner, "qualified_name", "")
        text = CommandText(context_of(context), string.message, name)
        if locale is discord.Locale.american_english and text not in self.texts:
            self.texts.append(text)


def command_texts() -> list[CommandText]:
    """Return every text of the commands, in their order."""
    recorder = _Recorder()
    asyncio.run(translated_commands(recorder))
    return recorder.texts


async def translated_commands(translator: app_commands.Translator) -> list[dict[str, Any]]:
    """Return the commands as they are registered with Discord."""
    tree = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    add_commands(tree)
    return [await command.get_translated_payload(tree, translator) for command in tree.get_commands()]


def extract() -> Catalog:
    """Return the template: every sentence of the bot, untranslated."""
    template, labels = Catalog(project="Vivant", charset="utf-8"), label_limits()
    for path in sorted((ROOT / "bot").rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        found = extract_from_file("python", path, KEYWORDS, [COMMENT_TAG], strip_comment_tags=True)
        for _line, message, comments, context in found:
            most = labels.get(key_of(message, context))
            comments = [*comments, *([f"{most} letters at most"] if most else [])]
            template.add(message, None, [(where, 0)], auto_comments=comments, context=context)
    for text in command_texts():
        comments = [LIMITS[text.context], *([f"of {text.command}"] if text.command else [])]
        template.add(text.text, None, [("bot/edge/commands", 0)], auto_comments=comments, context=text.context)
    return template
