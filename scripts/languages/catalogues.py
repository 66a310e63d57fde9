"""The files of the catalogues: read, brought up to date with the code, written so that two people's changes merge.

Tested in tests/test_languages.py.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.policy.language import ENGLISH, LANGUAGES, Language
from bot.texts.languages.sentences import CATALOGUES, DOMAIN

TRANSLATED = tuple(language for language in LANGUAGES.values() if language != ENGLISH)
TEMPLATE = f"{DOMAIN}.pot"
_HEADER = re.compile(
    r'^"(?:Generated-By|POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Report-Msgid-Bugs-To'
    r'|Project-Id-Version): .*\n(?:(?<=[^n]"\n)".*\n)*',
    re.MULTILINE,
)
"""what would differ from day to day and from tool to tool, and clash at every merge"""


def po_path(language: Language, folder: Path = CATALOGUES) -> Path:
    """Return where a language's translations are written."""
    return folder / language.folder / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(path: Path) -> Catalog:
    """Read a file of translations."""
    with path.open("rb") as file:
        return read_po(file)


def read_language(language: Language, folder: Path = CATALOGUES) -> Catalog:
    """Read a language's translations; none where there is no file yet."""
    path = po_path(language, folder)
    if path.exists():
        with path.open("rb") as file:
            return read_po(file, locale=language.folder)
    return Catalog(locale=language.folder, charset="utf-8", fuzzy=False)


def bring_up_to_date(catalogue: Catalog, template: Catalog) -> None:
    """Let a catalogue have the template's sentences. What is gone waits at its end, and comes back with its sentence.

    Nothing is guessed from similar sentences: a translation is right, or it is missing.
    """
    for message in list(catalogue.obsolete.values()):
        catalogue.obsolete.pop(catalogue._key_for(message.id, message.context))
        if message.id not in catalogue:
            catalogue[message.id] = message
    catalogue.update(template, no_fuzzy_matching=True)


def fill(catalogue: Catalog, others: Iterable[Catalog]) -> int:
    """Fill what is missing from other catalogues of the language. Return how much was filled."""
    filled = 0
    for message in missing(catalogue):
        for other in others:
            found = other.get(message.id, message.context)
            if found is not None and is_translated(found):
                message.string, filled = found.string, filled + 1
                break
    return filled


def is_translated(message: Message) -> bool:
    """Tell whether a sentence is translated, in every plural form."""
    forms = message.string if isinstance(message.string, (list, tuple)) else [message.string]
    return bool(forms) and all(forms) and not message.fuzzy


def sentences(catalogue: Catalog) -> list[Message]:
    """Return the sentences of a catalogue, without its header."""
    return [message for message in catalogue if message.id]


def missing(catalogue: Catalog) -> list[Message]:
    """Return what is not translated."""
    return [message for message in sentences(catalogue) if not is_translated(message)]


def po_text(catalogue: Catalog) -> str:
    """Return the text of a file of translations: no dates, no line numbers, one line for each sentence."""
    title = f"{catalogue.locale.english_name} translations" if catalogue.locale else "Every sentence of the bot"
    catalogue.header_comment = f"# {title}. Written by `python -m scripts.languages update`; see docs/translating.md."
    catalogue.fuzzy = False
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=0, include_lineno=False)
    return _HEADER.sub("", buffer.getvalue().decode("utf-8"))


def compiled(catalogue: Catalog) -> bytes:
    """Return what the bot reads: what is translated, and no English in a language's own plural forms."""
    translated = Catalog(locale=catalogue.locale, charset="utf-8")
    translated.mime_headers = catalogue.mime_headers  # with the plural forms of the file, which are not all Babel's
    for message in sentences(catalogue):
        if is_translated(message):
            translated[message.id] = message
    buffer = io.BytesIO()
    write_mo(buffer, translated)
    return buffer.getvalue()


def compiled_sentences(data: bytes) -> dict[Any, str]:
    """Return what is in a compiled catalogue, without its header, which names the tool that wrote it."""
    kept: dict[Any, str] = dict(gettext.GNUTranslations(io.BytesIO(data))._catalog)  # type: ignore[attr-defined]
    kept.pop("", None)
    return kept


def write_compiled(language: Language, catalogue: Catalog, folder: Path = CATALOGUES) -> None:
    """Write what the bot reads, if anything in it is new."""
    path = po_path(language, folder).with_suffix(".mo")
    data = compiled(catalogue)
    if not path.exists() or compiled_sentences(path.read_bytes()) != compiled_sentences(data):
        path.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a file of translations, if anything in it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
