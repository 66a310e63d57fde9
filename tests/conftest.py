"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.support.state_of_code import state_of_code

# The tests run side by side on the machine's cores: torch taking all of them in each process would only slow it down.
# A test that asks for two threads made those that follow it in its process spin, at three times the processor's time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Some machines tell Python to keep nothing of what it compiles. Each of the hundreds of children that tests start would
# compile all that it imports again: seven seconds of the processor for torch and diffusers, half of one for the bot.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


# Files with few tests that take long, the longest first: at the end of a run each would keep one core alone busy.
LONG = (
    "tests/faults/test_kill_loop.py",
    "tests/test_end_to_end.py",
    "tests/generator/backend/cluster/test_cluster_ends.py",
    "tests/sandbox/test_demo.py",
    "tests/bot/doctor/setup/test_flow.py",
    "tests/faults/test_cluster_kill_loop.py",
    "tests/faults/test_store_kill.py",
    "tests/generator/backend/cluster/test_cluster.py",
    "tests/generator/backend/test_local_backend.py",
    "tests/faults/test_matrix.py",
    "tests/test_mutants.py",
)


@pytest.fixture(autouse=True)
def _no_operator_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own VIVANT_* settings out of the tests."""
    for name in [name for name in os.environ if name.startswith("VIVANT_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """Begin with the usual umask: a bot that an earlier test ran in this process had made all of it private."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest files where processes share the tests; leave out soak tests that nobody asked for."""
    if hasattr(config, "workerinput"):
        first = {name: number for number, name in enumerate(LONG)}
        items.sort(key=lambda item: first.get(item.nodeid.partition("::")[0], len(LONG)))
    if "soak" in str(config.option.markexpr):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=soak)
    items[:] = [item for item in items if item not in soak]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures and seeds that passing tests printed, and of which commit they are."""
    printed = [report for report in terminalreporter.stats.get("passed", []) if report.capstdout.strip()]
    if printed:
        terminalreporter.section(f"figures, {state_of_code()}")
    for report in printed:
        terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {report.capstdout.strip()}")
