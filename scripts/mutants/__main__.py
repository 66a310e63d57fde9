"""Run the tests on a seeded draw of mutants: `make mutants`, or `python -m scripts.mutants queue --count 50`.

Each mutant is tried in a copy of the repository, by the test files of its module; what those do not notice, by those of
its callers in the same area. A failure counts as noticed, and so does a hang. Survivors are added to tests/mutants.json
without a reason; a person writes a test or the reason why the change is harmless. A harmless one is not tried again,
and leaves the list when its line changes.

Tested in tests/test_mutants.py.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.mutants.drawing import (
    AREAS,
    drawn,
    modules_of,
    read_reasons,
    still_made,
    tests_of,
    tests_of_callers,
    write_reasons,
)
from scripts.mutants.making import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
REASONS = "tests/mutants.json"
IN_MEMORY = Path("/dev/shm")
"""there a test waits for no disk when SQLite writes; a container's is too small, and some systems have none"""
ROOM_BYTES = 2 << 30
TARGET = 0.9
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a mutant; `noticed_by` is empty when it survived."""

    area: str
    mutant: Mutant
    noticed_by: str
    seconds: float


@contextmanager
def copy_of(root: Path) -> Iterator[Path]:
    """Lend a copy of what git keeps or would keep, so that a run that is ended leaves no mutant behind."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=root, text=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for name in filter(None, listed.split("\0")):
            if (root / name).is_file():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, Path(folder) / name)
        yield Path(folder)


def run_tests(copy: Path, tests: Sequence[str], limit_s: float) -> str:
    """Return what noticed: the test that failed, or a hang; "" when all tests passed."""
    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    with tempfile.TemporaryFile("w+") as output:
        env = os.environ | {"PYTHONPATH": str(copy)} | ({"TMPDIR": str(IN_MEMORY)} if _has_memory_disk() else {})
        child = subprocess.Popen(
            command, cwd=copy, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return "a hang"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        output.seek(0)
        failed = _FAILED.search(text := output.read())
    return "" if status == 0 else failed[1] if failed else text[-2000:].strip() or f"exit status {status}"


def _has_memory_disk() -> bool:
    return IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES


def try_out(copy: Path, mutant: Mutant, tests: Sequence[str], limit_s: float) -> str:
    """Put a mutant into the copy, run its tests, and put the module back; return what noticed."""
    path = copy / mutant.module
    before = path.read_text()
    try:
        _write(path, mutant.code)
        return run_tests(copy, tests, limit_s)
    finally:
        _write(path, before)


def _write(path: Path, code: str) -> None:
    """Write with a time that no version had: Python's cache goes by whole seconds and the size."""
    changed = int(path.stat().st_mtime) + 10
    path.write_text(code)
    os.utime(path, (changed, changed))


def mutate(areas: Sequence[str], root: Path, options: argparse.Namespace) -> list[Tried]:
    """Try mutants of each area until the count or the time is used up; list the survivors."""
    reasons = read_reasons(root / REASONS)
    done: list[Tried] = []
    with copy_of(root) as first, copy_of(root) as second:
        copies: queue.Queue[Path] = queue.Queue()
        for copy in (first, second)[: options.jobs]:
            copies.put(copy)
        for number, area in enumerate(areas):
            left = (options.started + options.minutes * 60 - time.monotonic()) / (len(areas) - number)
            modules = modules_of(area, root)
            mutants = {module: mutants_of(module, (root / module).read_text()) for module in modules}
            everything = [mutant for of_module in mutants.values() for mutant in of_module]
            reasons = still_made(reasons, modules, everything)
            write_reasons(root / REASONS, reasons)
            harmless = {key for key, why in reasons.items() if why}
            chosen = [mutant for mutant in drawn(mutants, options.seed) if mutant.key not in harmless]
            count = f"{len(everything)} mutants of {len(modules)} modules, {len(everything) - len(chosen)} harmless"
            _say(f"{area}: {count}")
            if options.again:
                chosen = [mutant for mutant in chosen if mutant.key in reasons]
            tests = {name: (tests_of(name, root), tests_of_callers(name, modules, root)) for name in modules}
            run = _Run(area, tests, copies, time.monotonic() + left)
            for tried in run.all(chosen[: options.count], options.jobs):
                done.append(tried)
                reasons.pop(tried.mutant.key, None)
                if not tried.noticed_by:
                    reasons[tried.mutant.key] = ""
                write_reasons(root / REASONS, reasons)
    return done


Tests = tuple[tuple[str, ...], tuple[str, ...]]
"""the test files of a module, and those of its callers"""


class _Run:
    """One area's mutants, each in one of the copies."""

    def __init__(self, area: str, tests: dict[str, Tests], copies: queue.Queue[Path], until: float) -> None:
        self._area, self._tests, self._copies, self._until = area, tests, copies, until
        self._seconds: dict[str, float] = {}

    def all(self, mutants: Sequence[Mutant], jobs: int) -> Iterator[Tried]:
        """Yield what became of each mutant that was tried before the time was used up."""
        with ThreadPoolExecutor(jobs) as pool:
            try:
                for tried in pool.map(self._one, mutants):
                    if tried is not None:
                        _say(_line(tried))
                        yield tried
            finally:
                self._until = 0.0  # what waits in the pool is not begun

    def _limit(self, copy: Path, tests: Sequence[str]) -> float:
        """Return how long tests may take, from how long they take on the code as it is."""
        for file in tests:
            if file not in self._seconds:
                began = time.monotonic()
                # A busy machine may need a second try.
                if wrong := run_tests(copy, [file], 600) and run_tests(copy, [file], 600):
                    raise SystemExit(f"{file} fails on the code as it is: {wrong}")
                self._seconds[file] = time.monotonic() - began
        return 30 + 3 * sum(self._seconds[file] for file in tests)

    def _one(self, mutant: Mutant) -> Tried | None:
        began = time.monotonic()
        if began > self._until:
            return None
        copy, noticed = self._copies.get(), ""
        try:
            for tests in filter(None, self._tests[mutant.module]):
                noticed = noticed or try_out(copy, mutant, tests, self._limit(copy, tests))
        finally:
            self._copies.put(copy)
        return Tried(self._area, mutant, noticed, time.monotonic() - began)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _line(tried: Tried) -> str:
    mutant, noticed = tried.mutant, tried.noticed_by.rpartition("\n")[2]
    change = f"{mutant.was!r} -> {mutant.now!r}"
    return f"{tried.seconds:4.0f} s  {noticed or 'SURVIVED'}  {mutant.module} {mutant.function}: {change}"


def summary(done: Sequence[Tried], areas: Sequence[str]) -> tuple[str, bool]:
    """Return the figures of a run, and whether the target was met in all areas together."""
    noticed = {area: [bool(tried.noticed_by) for tried in done if tried.area == area] for area in areas}
    lines = [f"{area}: {sum(of)} of {len(of)} noticed" for area, of in noticed.items()]
    caught = sum(bool(tried.noticed_by) for tried in done)
    share = caught / len(done) if done else 0.0
    lines.append(f"all: {caught} of {len(done)} noticed, {share:.1%}; target {TARGET:.0%}, harmless ones left out")
    return "\n".join(lines), share >= TARGET


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command; return its exit status: 1 when too many survive."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants", description=__doc__)
    parser.add_argument("areas", nargs="*", choices=[[], *AREAS], help="all of them when none is named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=55, help="of the whole run, shared by the areas")
    parser.add_argument("--count", type=int, help="at most so many mutants of an area")
    parser.add_argument("--again", action="store_true", help="only the listed survivors that have no reason yet")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2)
    options = parser.parse_args(arguments)
    options.started = time.monotonic()
    areas = options.areas or list(AREAS)
    done = mutate(areas, root, options)
    text, met = summary(done, areas)
    _say(f"seed {options.seed}\n{text}\nsurvivors: {REASONS}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
