"""What the documentation says of the code: pages that it writes are up to date, what is explained is really said."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.config import Config
from bot.doctor import CHECKS
from scripts.site.cards import CARDS, cuda_of, rung_of
from scripts.site.command_line import command_line_page, leaves, programs
from scripts.site.commands import commands_page, flat, tree
from scripts.site.settings import settings_of, settings_page
from scripts.site.written import between_marks, pages

ROOT = Path(__file__).parent.parent


# -- what is written from the code -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_pages_from_the_code_are_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == pages()[name], "run make reference"


def test_every_setting_has_its_row_with_a_sentence() -> None:
    page = settings_page((ROOT / "config.example.toml").read_text())
    settings = list(settings_of(Config))
    assert len(settings) > 40 and {("token",), ("queue", "max_attempts"), ("variants", "frames")} <= {
        one.path for one in settings
    }
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == [setting.path[-1] for setting in settings]
    assert [name for name, says in rows if not says] == [], "a sentence beside the key in config.example.toml"
    assert "| `max_attempts` | whole number, 1 to 10 | `3` |" in page
    assert "| `pipeline` | `lean` or `stock` |" in page


def test_a_setting_without_a_sentence_would_be_seen() -> None:
    page = settings_page('token = ""   # the token\n[queue]\nmax_attempts = 3\n')
    assert re.search(r"^\| `token` .* the token \|$", page, re.MULTILINE)
    assert re.search(r"^\| `max_attempts` .*\|  \|$", page, re.MULTILINE)


def unshown(page: str) -> list[str]:
    """Return the rows of a table of features that name no test, or one that does not exist."""
    heads = r"^\|(?: [^|]*\|)* shown by \|\n\|[-|]+\n((?:\|.*\n)+)"
    rows = [row for table in re.findall(heads, page, re.MULTILINE) for row in table.splitlines()]
    assert rows
    tests = {row: re.findall(r"`([^`]+)`", row.split("|")[-2]) for row in rows}
    return [row for row, named in tests.items() if not named or not all((ROOT / name).is_file() for name in named)]


def test_each_feature_names_the_tests_that_show_it() -> None:
    page = (ROOT / "docs/features.md").read_text()
    assert unshown(page) == []
    assert len(re.findall(r"`tests/[^`]+\.py`", page)) > 50
    head = "| | Vivant | shown by |\n|---|---|---|\n"
    lost, bare = "| flies | yes | `tests/test_flying.py` |", "| swims | yes | |"
    assert unshown(f"{head}{lost}\n{bare}\n| runs | yes | `tests/test_written.py` |\n") == [lost, bare]


def test_every_command_of_the_tree_has_its_heading_and_its_options() -> None:
    page = commands_page()
    names = [name for name, _ in flat(tree())]
    assert {"`/animate`", "`/forget-me`", "`/admin pause`", "*Apps → Animate this image*"} <= set(names)
    assert re.findall("^## (.+)$", page, re.MULTILINE) == names
    animate = next(command for name, command in flat(tree()) if name == "`/animate`")
    for option in animate["options"]:
        assert f"| `{option['name']}`" in page


def test_every_command_line_has_its_heading() -> None:
    names = [typed for program, command in programs().items() for typed, _ in leaves(program, command)]
    assert {"python -m bot doctor", "python -m bot cluster join", "python -m generator plan"} <= set(names)
    assert re.findall("^## `(.+)`$", command_line_page(), re.MULTILINE) == names


def test_the_table_of_cards_says_what_fits_and_which_torch_runs_it() -> None:
    plans = {card.name: rung_of(card) for card in CARDS}
    assert plans["GTX 1650"] == "minimal" and plans["RTX 3070"] == "resident" and plans["RTX 4090"] == "full"
    assert {card.generation: cuda_of(card) for card in CARDS} == {
        "Pascal": "12.6",
        "Volta": "12.6",
        **dict.fromkeys(("Turing", "Ampere", "Ada", "Hopper", "Blackwell"), "13.0"),
    }


def test_a_table_has_one_place() -> None:
    page = "a\n<!-- written by make reference -->\nold\n<!-- end -->\nb\n"
    once = between_marks(page, "new")
    assert "old" not in once and between_marks(once, "new") == once
    with pytest.raises(ValueError, match="no marks"):
        between_marks("a\n", "new")


# -- troubleshooting ---------------------------------------------------------------------------------------------------


def said_by(root: Path) -> Iterator[str]:
    """Yield every text in the program's code, with `…` for each part that is put in."""
    for path in [*(root / "bot").rglob("*.py"), *(root / "generator").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[.\d]*[a-z]", "…", node.value)


def lines_of(page: str) -> list[str]:
    """Return the lines of the doctor and of the log that a page explains."""
    ours = page[: page.index("## In Discord")]
    return re.findall(r"^\| `(.+?)` \|", ours, re.MULTILINE)


def never_said(lines: list[str], said: list[str]) -> list[str]:
    """Return the lines that no code says."""
    return [line for line in lines if not any(line.strip("… ") in text for text in said)]


def test_every_line_of_the_troubleshooting_is_one_that_the_program_says() -> None:
    lines, said = lines_of((ROOT / "docs/troubleshooting.md").read_text()), list(said_by(ROOT))
    assert len(lines) > 50 and never_said(lines, said) == []


def test_a_line_that_nothing_says_would_be_seen() -> None:
    said = list(said_by(ROOT))
    assert never_said(["Discord refuses it", "the bot is on fire", "executor lost: …"], said) == ["the bot is on fire"]


def test_every_check_of_the_doctor_has_its_part_of_the_troubleshooting() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    assert re.findall("^## Doctor: (.+)$", page, re.MULTILINE) and set(CHECKS) == set(
        re.findall("^## Doctor: (.+)$", page, re.MULTILINE)
    )
