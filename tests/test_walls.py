"""Who may import whom: the rows of the rooms, by reading every module's imports, and by importing the whole bot."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TORCH_ROOMS = {"device", "pipeline", "stock", "weights", "sampling", "lean", "demo_model"}
"""the modules of `generator` that may import torch, and what imports those"""
DISCORD_FREE_ROOMS = {
    *("job", "config", "store", "database", "migrations", "rows", "line", "outbox", "estimates", "retention"),
    *("spool", "worker", "gate", "sentences", "metrics"),
}
"""the queue and the words: they must work without Discord"""
HEAVY = {"torch", "diffusers", "transformers", "numpy", "accelerate", "safetensors"}


def modules(package: str) -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def imported(path: Path, *, also_inside_functions: bool = True) -> set[str]:
    """Name everything a module imports, outside `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text())
    names: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += node.orelse
                continue
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not also_inside_functions:
                continue
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                assert node.level == 0, f"{path} imports relatively"
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        waiting += ast.iter_child_nodes(node)
    return names


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def rooms(names: set[str], package: str) -> set[str]:
    """Name the modules of `package` that are imported."""
    return {name.split(".")[1] for name in names if name.startswith(f"{package}.")}


def test_nothing_in_the_generator_imports_the_bot_or_discord() -> None:
    for name, path in modules("generator").items():
        assert not tops(imported(path)) & {"bot", "discord", "aiosqlite", "aiohttp", "tests"}, name


def test_nothing_in_the_program_imports_the_tests() -> None:
    for name, path in {**modules("bot"), **modules("generator")}.items():
        assert "tests" not in tops(imported(path)), name


def test_only_the_torch_rooms_import_torch() -> None:
    for name, path in modules("generator").items():
        room = [*name.split("."), ""][1]
        if room not in TORCH_ROOMS:
            assert not tops(imported(path)) & {"torch", "diffusers", "transformers", "accelerate"}, name
            assert not rooms(imported(path, also_inside_functions=False), "generator") & TORCH_ROOMS, name


def test_the_bot_never_names_a_heavy_library() -> None:
    for name, path in modules("bot").items():
        heavy = tops(imported(path)) & HEAVY
        assert not heavy, f"{name} imports {heavy}"
        assert not rooms(imported(path), "generator") & TORCH_ROOMS, name


def test_the_queue_and_the_words_know_no_discord() -> None:
    for name, path in modules("bot").items():
        room = [*name.split("."), ""][1]
        if room in DISCORD_FREE_ROOMS:
            assert "discord" not in tops(imported(path)), name


def test_nothing_else_in_the_bot_imports_the_sandbox() -> None:
    for name, path in modules("bot").items():
        if not name.startswith("bot.sandbox"):
            assert "sandbox" not in rooms(imported(path, also_inside_functions=False), "bot"), name


def rows() -> dict[str, int]:
    """Read the rows of the rooms from ARCHITECTURE.md, numbered from the top."""
    found: dict[str, int] = {}
    for number, row in enumerate((ROOT / "ARCHITECTURE.md").read_text().splitlines()):
        names = re.findall(r"`([^`]+)`", row.split("|")[1]) if row.startswith(("| `bot/", "| `generator/")) else []
        for name in names:
            package = names[0].partition("/")[0]
            room = f"{package}.{name.removeprefix(f'{package}/').removesuffix('/').removesuffix('.py')}"
            assert room not in found, f"{room} has two rows"
            found[room] = number
    return found


def upwards(known: dict[str, Path], package: str) -> set[str]:
    """Name the imports within a package that go to a row above, also those inside functions."""
    row, found = rows(), set()
    for name, path in known.items():
        room = ".".join(name.split(".")[:2])
        others = {f"{package}.{other}" for other in rooms(imported(path), package)} & row.keys()
        found |= {f"{room} -> {other}" for other in others if room != package and row[other] < row[room]}
    return found


@pytest.mark.parametrize("package", ["bot", "generator"])
def test_a_row_imports_only_from_itself_and_the_rows_below(package: str) -> None:
    known = modules(package)
    named = {room for room in rows() if room.startswith(f"{package}.") and not room.endswith(".sql")}
    assert {".".join(name.split(".")[:2]) for name in known} - {package} == named, "every room has its row"
    assert upwards(known, package) == set()


@pytest.mark.parametrize("package", ["bot", "generator"])
def test_imports_do_not_go_in_circles(package: str) -> None:
    known = modules(package)
    named = {name: _candidates(imported(path, also_inside_functions=False)) for name, path in known.items()}
    edges = {name: {other for other in named[name] & known.keys() if other != name} for name in known}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join([*trail[trail.index(name) :], name])}"
        if name not in done:
            for other in edges[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in known:
        visit(name, ())


def _candidates(names: set[str]) -> set[str]:
    """An import of a name from a module is an import of the module."""
    return names | {name.rpartition(".")[0] for name in names}


def loaded_after_importing(names: list[str]) -> set[str]:
    script = f"import importlib, json, sys\nfor name in {names!r}: importlib.import_module(name)\n"
    done = subprocess.run(
        [sys.executable, "-c", script + "print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_whole_bot_loads_neither_torch_nor_numpy() -> None:
    names = [name for name in modules("bot") if not name.endswith("__main__")]
    assert not tops(loaded_after_importing(names)) & HEAVY


def test_the_check_of_loaded_modules_would_see_numpy() -> None:
    """The negative control of the test above: one more module, and numpy is there."""
    assert "numpy" in tops(loaded_after_importing(["bot.job", "generator.health"]))


def test_the_check_of_imports_would_see_a_bot_in_the_generator(tmp_path: Path) -> None:
    """The negative control of the walls, also for an import inside a function."""
    sinner = tmp_path / "sinner.py"
    sinner.write_text("def f() -> None:\n    from bot.store import JobStore\n    import torch\n")
    assert {"bot", "torch"} <= tops(imported(sinner))


def test_the_check_of_rows_would_see_an_import_that_goes_up(tmp_path: Path) -> None:
    """The negative control of the rows: the queue reaching for the worker."""
    sinner = tmp_path / "store.py"
    sinner.write_text("from bot.job import Job\ndef f() -> None:\n    from bot.worker import Worker\n")
    assert upwards({"bot.store": sinner}, "bot") == {"bot.store -> bot.worker"}
