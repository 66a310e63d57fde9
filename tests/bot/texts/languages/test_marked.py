"""Which sentences still wait for their mark, file by file: a list that only gets shorter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot

MARKS = {"_", "N_", "ngettext", "nN_", "pgettext", "pN_"}
FOLDER = Path(str(bot.__file__)).parent
LEFT: set[str] = set()
"""whose sentences are still English for everybody. Take a file out of it when all of its sentences are marked"""

_WORDS = re.compile(r"[A-Za-z]{2,}[ ,.:;][^{]*[A-Za-z]{2,}|[A-Z][a-z]{2,}")
"""what reads like a sentence, or like a label: not a key, not a placeholder alone"""
_FILE_NAME = re.compile(r"[a-z]+\.png")


def unmarked(source: str) -> list[str]:
    """Return the sentences of a module that nobody would find for the catalogue."""
    texts = [text for text in _texts(ast.parse(source)) if not _FILE_NAME.fullmatch(text)]
    return [text for text in texts if _WORDS.search(re.sub(r"\{[^{}]*\}", "", text))]


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts of a node, without docstrings, marked ones, and what only programs read."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return
        case ast.Call(func=ast.Name(id=name)) if name in MARKS:
            for keyword in node.keywords:  # what is filled in may be a sentence of its own
                yield from _texts(keyword.value)
            return
        case ast.Call(func=ast.Attribute(attr="compile")) | ast.ImportFrom() | ast.Raise():
            return
        case ast.Constant(value=str() as text):
            yield text
            return
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
            for part in parts:
                yield from () if isinstance(part, ast.Constant) else _texts(part)
            return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)


def checked() -> dict[str, Path]:
    """Return the files that say something to people in Discord."""
    paths = [
        *(FOLDER / "texts").rglob("*.py"),
        *(FOLDER / "edge/layouts").glob("*.py"),
        FOLDER / "edge/commands/settings/panel.py",
    ]
    return {path.relative_to(FOLDER).as_posix(): path for path in paths}


@pytest.mark.parametrize("name", sorted(checked()))
def test_a_file_has_all_of_its_sentences_marked_or_is_known_not_to(name: str) -> None:
    found = unmarked(checked()[name].read_text())
    assert bool(found) == (name in LEFT), found


def test_what_is_left_is_there() -> None:
    assert checked().keys() >= LEFT


@pytest.mark.parametrize(
    "line",
    [
        'TEXT = "Your clip is ready."',
        'LABELS = {"cancel": "Cancel"}',
        "f'Done in {minutes}'",
        "_('Hello {name}', name=f'from {somebody} here')",
    ],
)
def test_a_sentence_without_a_mark_would_be_seen(line: str) -> None:
    assert len(unmarked(line)) >= 1


@pytest.mark.parametrize(
    "line",
    [
        '_("Your clip is ready.")',
        'N_("Cancel")',
        'ngettext("{count} clip", "{count} clips", 3)',
        'pgettext("of a button", "Cancel")',
        '\'"""Say something."""\'',
        '{"clips_per_day": 1, "restricted-only": 2}',
        "f'-# {usual} {notes}'",
        "'{signer}: {name}'",
        '"framing.png"',
    ],
)
def test_what_is_marked_or_no_sentence_is_left_alone(line: str) -> None:
    assert unmarked(line) == []
