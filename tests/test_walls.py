"""The walls of the house: which room may import what, read from every module's imports.

The rows are those of the table in ARCHITECTURE.md. Imports inside functions and under `TYPE_CHECKING` count.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TORCH = ("torch", "diffusers", "transformers", "accelerate")
CLUSTER = "generator.backend.cluster"
VOCABULARY = tuple(f"generator.{name}" for name in ("clip", "variants", "protocol", "errors", "memory"))


@dataclass(frozen=True, slots=True)
class Wall:
    """Nothing in the rooms `inside` (less `doors`) imports anything of `outside`. Names are dotted prefixes."""

    name: str
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    doors: tuple[str, ...] = ()
    """rooms and modules that may"""
    allowed: tuple[str, ...] = ()
    """what may be imported although it lies in `outside`"""

    def breaches(self, imports: Mapping[str, set[str]]) -> set[str]:
        """Name each import through this wall."""
        return {
            f"{name} -> {other}"
            for name, others in imports.items()
            if _within(name, self.inside) and not _within(name, self.doors)
            for other in others
            if _within(other, self.outside) and not _within(other, self.allowed)
        }


WALLS = (
    Wall("the generator knows no bot", ("generator",), ("bot", "discord", "aiosqlite", "aiohttp")),
    Wall("the program does not know its tests", ("bot", "generator"), ("tests",)),
    Wall("torch stays in the model's room", ("bot", "generator"), TORCH, doors=("generator.model",)),
    Wall("only one module knows Ray", ("bot", "generator"), ("ray",), doors=(f"{CLUSTER}.ray_cluster",)),
    Wall(
        "the bot never loads the bridge", ("bot",), tuple(f"{CLUSTER}.{name}" for name in ("ray_cluster", "__main__"))
    ),
    Wall(
        "the bot loads no arrays and no model",
        ("bot",),
        ("numpy", "safetensors", "generator.model", "generator.executor"),
    ),
    Wall(
        "Discord stays at the edge",
        ("bot",),
        ("discord",),
        doors=("bot.edge", "bot.sandbox", "bot.app", "bot.doctor", "bot.__main__"),
    ),
    Wall("the queue knows the vocabulary alone", ("bot.queue",), ("generator",), allowed=VOCABULARY),
    Wall("Babel is a tool of development alone", ("bot", "generator"), ("babel",)),
    Wall("only the demo command knows the sandbox", ("bot",), ("bot.sandbox",), doors=("bot.sandbox", "bot.__main__")),
)


def _within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def modules() -> dict[str, Path]:
    """Return every module of the program by its dotted name."""
    paths = [path for package in ("bot", "generator") for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imports_of(text: str) -> set[str]:
    """Name everything that a module imports, wherever it does."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                assert node.level == 0, "relative imports are not used here"
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        waiting += ast.iter_child_nodes(node)
    return names


@functools.cache
def all_imports() -> dict[str, set[str]]:
    return {name: imports_of(path.read_text()) for name, path in modules().items()}


def own_imports(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Give, for each module, the modules of the program that it imports: a name of a module is the module itself."""
    return {
        name: {own for other in others for own in (other, other.rpartition(".")[0]) if own in imports and own != name}
        for name, others in imports.items()
    }


# -- walls ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.name)
def test_nothing_goes_through_a_wall(wall: Wall) -> None:
    assert wall.breaches(all_imports()) == set()


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.name)
def test_an_import_through_a_wall_would_be_seen(wall: Wall) -> None:
    """The negative control: each wall broken on purpose, at the top of a module, inside a function, for types alone."""
    room, target = wall.inside[0], wall.outside[0]
    for statement in (
        f"import {target}",
        f"def f() -> None:\n    from {target} import anything",
        f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {target} import anything",
    ):
        sinner = all_imports() | {f"{room}.sinner": imports_of(statement)}
        assert len(wall.breaches(sinner)) == 1


# -- rows -----------------------------------------------------------------------------------------------------------


def rows() -> dict[str, int]:
    """Read from ARCHITECTURE.md which room stands in which row, numbered from the top."""
    found: dict[str, int] = {}
    for number, row in enumerate((ROOT / "ARCHITECTURE.md").read_text().splitlines()):
        paths = re.findall(r"`([^`]+)`", row.split("|")[1]) if row.startswith(("| `bot/", "| `generator/")) else []
        for path in paths:
            assert (ROOT / path).exists(), f"ARCHITECTURE.md names {path}, which is not there"
            room = path.rstrip("/").removesuffix(".py").replace("/", ".")
            assert room not in found, f"{room} has two rows"
            found[room] = number
    return found


def row_of(name: str, known: Mapping[str, int]) -> int | None:
    """Return a module's row: that of the longest room it lies in."""
    rooms = [room for room in known if _within(name, (room,))]
    return known[max(rooms, key=len)] if rooms else None


def upwards(imports: Mapping[str, set[str]]) -> set[str]:
    """Name each import that goes to a row above."""
    known = rows()
    row = {name: row_of(name, known) or 0 for name in imports}
    return {
        f"{name} -> {other}"
        for name, others in own_imports(imports).items()
        for other in others
        if row[other] and row[other] < row[name]
    }


def test_every_module_has_its_row() -> None:
    known = rows()
    assert [name for name in modules() if name not in ("bot", "generator") and row_of(name, known) is None] == []


def test_a_row_imports_only_from_itself_and_the_rows_below() -> None:
    assert upwards(all_imports()) == set()


# -- circles --------------------------------------------------------------------------------------------------------


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Return a circle of imports, or nothing."""
    edges, done = own_imports(imports), set[str]()

    def visit(name: str, trail: tuple[str, ...]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name not in done:
            for other in edges[name]:
                if found := visit(other, (*trail, name)):
                    return found
            done.add(name)
        return []

    return next((found for name in edges if (found := visit(name, ()))), [])


# -- what is loaded -------------------------------------------------------------------------------------------------


def loaded_after_importing(names: list[str]) -> set[str]:
    """Return the top-level packages that a fresh Python holds after importing `names`."""
    script = f"import importlib, json, sys\nfor name in {names!r}: importlib.import_module(name)\n"
    done = subprocess.run(
        [sys.executable, "-c", script + "print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


HEAVY = {*TORCH, "numpy", "safetensors", "ray"}


def test_importing_the_whole_bot_loads_neither_torch_nor_numpy() -> None:
    names = [name for name in modules() if _within(name, ("bot",)) and not name.endswith("__main__")]
    assert not loaded_after_importing(names) & HEAVY


def test_the_check_of_loaded_modules_would_see_numpy() -> None:
    """The negative control of the test above: one more module, and numpy is there."""
    assert "numpy" in loaded_after_importing(["generator.executor.frame_health"])


# -- the checks themselves ------------------------------------------------------------------------------------------


def test_imports_do_not_go_in_circles() -> None:
    assert circle(all_imports()) == []


def test_a_circle_would_be_seen() -> None:
    """The negative control: three modules in a ring."""
    ring = {"bot.a": {"bot.b.name"}, "bot.b": {"bot.c"}, "bot.c": {"bot.a.other"}, "bot.d": {"bot.a"}}
    assert circle(ring) == ["bot.a", "bot.b", "bot.c", "bot.a"]


def test_an_import_that_goes_up_would_be_seen() -> None:
    """The negative control of the rows: the queue reaching for the worker inside a function."""
    sinner = imports_of("def f() -> None:\n    from bot.work.worker import Worker\n")
    assert upwards({"bot.queue.sinner": sinner, "bot.work.worker": set()}) == {"bot.queue.sinner -> bot.work.worker"}
