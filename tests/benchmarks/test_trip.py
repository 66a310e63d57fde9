"""What the measurement of a trip counts, on made-up calls and on made-up modules in this process and in a child."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.calls import ROOT, Call, Function, function_of, read_calls, recording
from tests.benchmarks.trip import follow

ROWS = {"bot.upper": 1, "bot.lower": 2}
UP, DOWN, BESIDE = Function("bot/upper/a.py", "f"), Function("bot/lower.py", "g"), Function("bot/lower.py", "h")


def test_each_pair_of_functions_in_two_files_is_one_border_however_often_they_call() -> None:
    found = follow([Call(0.0, UP, None), Call(0.1, DOWN, UP), Call(0.2, DOWN, UP), Call(0.3, BESIDE, DOWN)], ROWS)
    assert found.functions == {UP, DOWN, BESIDE}
    assert found.files == {UP.file, DOWN.file}
    assert found.borders == {(UP, DOWN)}
    assert found.climbs == set()


def test_a_call_into_a_row_above_is_a_climb() -> None:
    assert follow([Call(0.0, UP, DOWN)], ROWS).climbs == {(DOWN, UP)}


def test_a_lambda_stands_for_the_function_around_it_and_only_our_own_files_count() -> None:
    assert function_of(f"{ROOT}/bot/app.py", "f.<locals>.<lambda>") == Function("bot/app.py", "f")
    for other in (f"{ROOT}/bot/sandbox/page.py", f"{ROOT}/tests/conftest.py", "/usr/lib/python3/bot/app.py"):
        assert function_of(other, "f") is None


SCRIPT = f"""
import asyncio, threading
shared = dict(asyncio=asyncio)
exec(compile("async def wait():\\n    await asyncio.sleep(0)", "{ROOT}/bot/lower.py", "exec"), shared)
exec(compile("async def ask():\\n    [await wait() for _ in range(3)]", "{ROOT}/bot/upper.py", "exec"), shared)
thread = threading.Thread(target=lambda: asyncio.run(shared["ask"]()))
thread.start()
thread.join()
"""


def test_calls_are_recorded_in_threads_and_in_children_and_a_resumption_has_its_awaiter_as_caller() -> None:
    with recording() as folder:
        exec(SCRIPT, {})
        subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
        assert len(list(folder.glob("*.jsonl"))) == 2
        calls = list(read_calls(folder))
    ask, wait = Function("bot/upper.py", "ask"), Function("bot/lower.py", "wait")
    assert {(call.caller, call.callee) for call in calls} == {(None, ask), (ask, wait)}
    assert sum(call.callee == wait for call in calls) == 2 * 3 * 2
