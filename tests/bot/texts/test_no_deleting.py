"""No sentence advises people to delete what is theirs: found by reading every text of the program."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ADVICE = re.compile(
    r"(?:^|[.:;,`(]\s*|\b(?:then|and|or|please|to) )(?:delete|remove|erase|rm|wipe|unlink)\b[^.]*", re.I
)
OF_A_DISK = re.compile(r"\b(files?|folders?|director(y|ies)|cache|database|weights|checkpoint|snapshots?|disk)\b", re.I)
"""what lies on a person's disk"""
IN_DISCORD = ("edge", "texts")
"""where people are offered to have their own posts and data deleted"""


def texts(source: str) -> list[str]:
    """Return the text literals of a module that people may read: no docstrings, and f-strings with their gaps."""
    tree, found = ast.parse(source), list[str]()
    silent = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    silent |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in node.values}
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            found.append(node.value)
    return found


def advice_to_delete(source: str, *, in_discord: bool = False) -> list[str]:
    """Return the texts that advise to delete something; in Discord's rooms, something on a disk."""
    sentences = [text for text in texts(source) if " " in text.strip() and not _is_sql(text)]
    return [
        text
        for text in sentences
        if any(not in_discord or OF_A_DISK.search(found[0]) for found in ADVICE.finditer(text))
    ]


def _is_sql(text: str) -> bool:
    return bool(re.match(r"\s*(delete from|drop|pragma|update|insert|select|with)\b", text, re.I))


def sources() -> list[Path]:
    rooms = [*(ROOT / "generator").rglob("*.py"), *(ROOT / "bot").rglob("*.py")]
    return [path for path in rooms if "sandbox" not in path.parts]


def test_nothing_that_people_read_advises_to_delete_their_files() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): advice_to_delete(
            path.read_text(), in_discord=path.relative_to(ROOT).parts[1] in IN_DISCORD
        )
        for path in sources()
    }
    assert {name: advice for name, advice in found.items() if advice} == {}


def test_the_documents_advise_it_as_little() -> None:
    for name in ("README.md", "config.example.toml", "SECURITY.md", "docs/vivant.service", "CHANGELOG.md"):
        assert not re.search(
            r"\b(delete|remove|rm -rf?) (the|your|that|this) (folder|file|database|cache)", (ROOT / name).read_text()
        )


@pytest.mark.parametrize(
    "advice",
    [
        'remedy = f"Delete {folder} and let it be downloaded again."',
        'raise Error("The file is damaged. Please remove it and try again.")',
        'text = ("Stop the bot, " f"then delete {path}.")',
        'print("Run `rm -r data` first.")',
        'f"{path} is not ours: erase the cache."',
    ],
)
def test_such_advice_would_be_seen(advice: str) -> None:
    """The negative control: the sentence that destroyed people's weights, and others like it."""
    assert advice_to_delete(advice)


def test_people_may_be_offered_to_delete_their_posts_and_nothing_on_a_disk() -> None:
    assert advice_to_delete('text = "Delete my posts too, please."', in_discord=True) == []
    assert advice_to_delete('text = "Stop the bot, then delete the folder."', in_discord=True)


@pytest.mark.parametrize(
    "fine", ['"""Delete a file."""', 'sql = "delete from job where id = ?"', 'text = "all deleted now"']
)
def test_what_is_no_such_advice_is_left_alone(fine: str) -> None:
    assert advice_to_delete(fine) == []
