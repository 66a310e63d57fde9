"""Which modules are mutated, which tests must notice, in which order the mutants are drawn, and which are harmless.

Tested in tests/test_mutants.py.
"""

from __future__ import annotations

import ast
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.mutants.making import Mutant
from tests.test_house import mirror, named_tests

AREAS = {
    "queue": ("bot/queue",),
    "work": ("bot/work",),
    "commands": ("bot/edge/commands",),
    "delivery": ("bot/edge/delivery.py", "bot/edge/posting.py", "bot/edge/http_errors.py"),
    "cards": ("bot/edge/status_cards.py",),
    "backend": ("generator/backend",),
    "policy": ("bot/policy",),
    "anew": ("generator/video/anew",),
}

Key = tuple[str, str, str, str]


def modules_of(area: str, root: Path) -> list[str]:
    """Return the modules of an area that hold more than a docstring."""
    paths = [path for name in AREAS[area] for path in (sorted((root / name).rglob("*.py")) or [root / name])]
    return [path.relative_to(root).as_posix() for path in paths if len(ast.parse(path.read_text()).body) > 1]


def tests_of(module: str, root: Path) -> tuple[str, ...]:
    """Return the test files whose task it is to notice: the one of its name, and those that its docstring names."""
    docstring = ast.get_docstring(ast.parse((root / module).read_text())) or ""
    return tuple(name for name in dict.fromkeys([mirror(module), *named_tests(docstring)]) if (root / name).exists())


def tests_of_callers(module: str, modules: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the other test files that would notice: those of the modules of the same area that import this one."""
    name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    callers = [caller for caller in modules if name in _imported(ast.parse((root / caller).read_text()))]
    found = dict.fromkeys(test for caller in callers for test in tests_of(caller, root))
    return tuple(test for test in found if test not in tests_of(module, root))


def _imported(tree: ast.Module) -> set[str]:
    """Return the dotted names that a module takes from elsewhere; some are no modules but names in one."""
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {str(node.module) for node in froms} | {
        f"{node.module}.{name.name}" for node in froms for name in node.names
    }


def drawn(mutants: Mapping[str, Sequence[Mutant]], seed: int) -> list[Mutant]:
    """Return all mutants in the order of the draw: wherever it stops, each module has had its part, line after line."""
    places: list[tuple[float, Mutant]] = []
    for module, of_module in sorted(mutants.items()):
        rng = random.Random(f"{seed} {module}")
        shuffled = rng.sample(of_module, len(of_module))
        seen: Counter[str] = Counter()
        rounds: list[tuple[int, Mutant]] = []
        for mutant in shuffled:
            rounds.append((seen[mutant.was], mutant))
            seen[mutant.was] += 1
        rounds.sort(key=lambda item: item[0])
        places += [((place + 0.5) / len(rounds), mutant) for place, (_, mutant) in enumerate(rounds)]
    return [mutant for _, mutant in sorted(places, key=lambda item: item[0])]


def read_reasons(path: Path) -> dict[Key, str]:
    """Read the listed survivors, each with the reason why it is harmless, or with none."""
    listed: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return {(entry["module"], entry["in"], entry["was"], entry["now"]): entry["harmless"] for entry in listed}


def write_reasons(path: Path, reasons: Mapping[Key, str]) -> None:
    """Write the listed survivors in the order of their modules."""
    entries = [
        {"module": module, "in": function, "was": was, "now": now, "harmless": why}
        for (module, function, was, now), why in sorted(reasons.items())
    ]
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def still_made(reasons: Mapping[Key, str], modules: Iterable[str], mutants: Iterable[Mutant]) -> dict[Key, str]:
    """Leave out what is listed of these modules and is no mutant of their code any more."""
    mutated, made = set(modules), {mutant.key for mutant in mutants}
    return {key: why for key, why in reasons.items() if key[0] not in mutated or key in made}
