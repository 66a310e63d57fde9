"""Bring the catalogues of sentences up to date with the code, check them, and compile what the bot reads.

Tested in tests/test_languages.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bot.texts.languages.sentences import CATALOGUES
from scripts.languages.catalogues import (
    TEMPLATE,
    TRANSLATED,
    bring_up_to_date,
    fill,
    missing,
    po_path,
    po_text,
    read,
    read_language,
    sentences,
    write_compiled,
    write_text,
)
from scripts.languages.checks import problems, refused_commands
from scripts.languages.texts import command_texts, extract


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def update(folder: Path = CATALOGUES) -> None:
    """Take all sentences out of the code, bring every language up to date, compile, and say what is missing."""
    template = extract()
    write_text(folder / TEMPLATE, po_text(template))
    for language in TRANSLATED:
        catalogue = read_language(language, folder)
        bring_up_to_date(catalogue, template)
        write_text(po_path(language, folder), po_text(catalogue))
    compile_all(folder)


def compile_all(folder: Path = CATALOGUES) -> None:
    """Write what the bot reads, and say how much of each language is missing."""
    for language in TRANSLATED:
        catalogue = read_language(language, folder)
        write_compiled(language, catalogue, folder)
        lacks, total = len(missing(catalogue)), len(sentences(catalogue))
        say(f"{language.code:6s} {total - lacks} of {total} translated" + (f", {lacks} missing" if lacks else ""))


def take(code: str, paths: list[Path], folder: Path = CATALOGUES) -> None:
    """Fill what a language misses from other files of translations."""
    language = next(item for item in TRANSLATED if item.code == code)
    catalogue = read_language(language, folder)
    number = fill(catalogue, [read(path) for path in paths])
    write_text(po_path(language, folder), po_text(catalogue))
    say(f"{code}: {number} taken")
    compile_all(folder)


def check(folder: Path = CATALOGUES) -> bool:
    """Say everything that is wrong; return whether nothing is."""
    texts = command_texts()
    found = []
    for language in TRANSLATED:
        catalogue = read_language(language, folder)
        found += [f"{language.code}: {text}" for text in problems(catalogue, texts)]
        if language.is_complete:
            found += [f"{language.code}: {message.id!r} is missing" for message in missing(catalogue)]
    found += refused_commands() if folder == CATALOGUES else []
    for text in found:
        say(text)
    return not found


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.languages", description=__doc__)
    parser.add_argument("--folder", type=Path, default=CATALOGUES, help="other catalogues than the bot's own")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("update", help="take the sentences out of the code, bring every language up to date, compile")
    commands.add_parser("compile", help="write what the bot reads, after a translation")
    commands.add_parser("check", help="say what is wrong with the translations")
    taking = commands.add_parser("take", help="fill what a language misses from other files of translations")
    taking.add_argument("language", choices=[language.code for language in TRANSLATED])
    taking.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    match given.command:
        case "update":
            update(given.folder)
        case "compile":
            compile_all(given.folder)
        case "take":
            take(given.language, given.files, given.folder)
        case _:
            return 0 if check(given.folder) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
