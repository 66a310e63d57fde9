"""A child behind JSON lines, whatever it does: it speaks, logs, dies, hangs, or leaves children of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from generator.process.child import Child
from tests.support.local_backend import eventually, is_gone

IGNORES_SIGTERM = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('{"type": "ready"}', flush=True)
    time.sleep(60)
"""


@asynccontextmanager
async def running(script: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    child = await Child.spawn((sys.executable, "-c", textwrap.dedent(script)), env or {}, lambda: "job=17")
    try:
        yield child
    finally:
        await child.kill()


def not_undead(pid: int) -> None:
    raise AssertionError(f"{pid} survived SIGKILL")


async def test_lines_go_both_ways_until_the_end_of_file() -> None:
    async with running("import sys; [print(line, end='', flush=True) for line in sys.stdin]") as child:
        for number in range(3):
            assert await child.ask("echo", number=number) == {"type": "echo", "number": number}
    assert await child.receive() is None
    child.send("to nobody")


async def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="no/such"):
        await Child.spawn(("/no/such/program",), {}, lambda: "")


async def test_a_line_that_is_no_json_object_is_a_value_error() -> None:
    async with running("print('Loading checkpoint shards: 100%')") as child:
        with pytest.raises(ValueError):
            await child.receive()


async def test_a_line_that_death_cut_off_is_the_end_of_file() -> None:
    async with running("""print('{"type": "rende', end='')""") as child:
        assert await child.receive() is None


@pytest.mark.parametrize(
    ("script", "status", "name", "said"),
    [
        ("raise SystemExit(3)", 3, None, "ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", -9, "SIGKILL", "was ended by SIGKILL"),
        ("import os; os.close(1); import time; time.sleep(60)", None, None, "ended with status None"),
    ],
)
async def test_it_tells_how_it_ended(script: str, status: int | None, name: str | None, said: str) -> None:
    async with running(script) as child:
        assert await child.receive() is None
        end = await child.ended(5.0 if status is not None else 0.05)
        assert (end.status, end.signal_name, str(end)) == (status, name, said)
        assert child.is_running is (status is None)


async def test_its_log_becomes_ours_and_the_last_lines_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = """
        import sys
        for line in ("DEBUG a detail", "WARNING a warning", "Fatal Python error: gone", "", "a plain line"):
            print(line, file=sys.stderr)
        sys.stderr.write("without a newline")
    """
    async with running(script) as child:
        await child.receive()
        await child.ended(5.0)
    assert [(record.levelname, record.message) for record in caplog.records if "job=17" in record.message] == [
        ("DEBUG", "job=17 DEBUG a detail"),
        ("WARNING", "job=17 WARNING a warning"),
        ("ERROR", "job=17 Fatal Python error: gone"),
        ("INFO", "job=17 a plain line"),
        ("INFO", "job=17 without a newline"),
    ]
    assert (await child.ended(0.0)).last_words.endswith("a plain line; without a newline")


async def test_it_gets_of_our_environment_what_every_child_needs_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("VIVANT_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "A_SECRET_OF_TOMORROW")
    for name in secrets:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    script = "import json, os; print(json.dumps({'type': 'environment', **os.environ}))"
    async with running(script, {"ONE_MORE": "1"}) as child:
        seen = await child.receive()
    assert seen is not None
    assert (seen["PYTHONHASHSEED"], seen["ONE_MORE"], seen["PATH"]) == ("7", "1", os.environ["PATH"])
    assert "secret" not in seen.values()


async def test_a_stop_asks_first() -> None:
    async with running("""print('{"type": "ready"}', flush=True); import time; time.sleep(60)""") as child:
        await child.receive()
        await child.stop(30.0, 30.0, not_undead)
        assert (await child.ended(0.0)).signal_name == "SIGTERM"


async def test_a_stop_kills_what_does_not_listen() -> None:
    async with running(IGNORES_SIGTERM) as child:
        await child.receive()
        await child.stop(0.1, 30.0, not_undead)
        assert (await child.ended(0.0)).signal_name == "SIGKILL"


async def test_a_child_that_sigkill_does_not_end_in_time_is_told_and_waited_for() -> None:
    undead: list[int] = []
    async with running(IGNORES_SIGTERM) as child:
        await child.receive()
        await child.stop(0.0, 0.0, undead.append)
        assert undead == [child.pid]
        assert not child.is_running


@pytest.mark.parametrize("ends_itself", [True, False])
async def test_what_it_started_goes_with_it(ends_itself: bool) -> None:
    script = f"""
        import json, subprocess, time
        pid = subprocess.Popen(["sleep", "60"]).pid
        print(json.dumps({{"type": "started", "pid": pid}}), flush=True)
        time.sleep({0 if ends_itself else 60})
    """
    async with running(script) as child:
        started = await child.receive()
        assert started is not None
    await eventually(lambda: is_gone(started["pid"]), 5)


async def test_a_grandchild_that_left_the_group_and_holds_the_log_open_does_not_hold_up_the_stop() -> None:
    script = """
        import json, subprocess
        pid = subprocess.Popen(["sleep", "60"], start_new_session=True).pid
        print(json.dumps({"type": "started", "pid": pid}), flush=True)
    """
    async with running(script) as child:
        started = await child.receive()
        assert started is not None
        await asyncio.wait_for(child.stop(1.0, 1.0, not_undead), 5)
    os.kill(started["pid"], signal.SIGKILL)
    assert await child.receive() is None
    await asyncio.sleep(0.05)  # until the loop has closed both pipes


@pytest.mark.parametrize("listens", [True, False])
async def test_a_grandchild_that_holds_the_pipes_makes_no_dead_child_undead(listens: bool) -> None:
    script = f"""
        import json, signal, subprocess, time
        pid = subprocess.Popen(["sleep", "60"], start_new_session=True).pid
        if not {listens}:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(json.dumps({{"type": "started", "pid": pid}}), flush=True)
        time.sleep(60)
    """
    async with running(script) as child:
        started = await child.receive()
        assert started is not None
        began = time.monotonic()
        await asyncio.wait_for(child.stop(30.0 if listens else 0.1, 5.0, not_undead), 5)
        assert time.monotonic() - began < 3.0 and not child.is_running
        assert not is_gone(started["pid"]), "the negative control: the pipes were held all the time"
        os.kill(started["pid"], signal.SIGKILL)
    await asyncio.sleep(0.05)  # until the loop has closed the pipes


async def test_its_end_is_seen_while_a_grandchild_holds_the_pipes() -> None:
    script = """
        import json, subprocess, sys
        pid = subprocess.Popen(["sleep", "60"], start_new_session=True).pid
        print(json.dumps({"type": "started", "pid": pid}), flush=True)
        sys.stdin.read(2)
    """
    async with running(script) as child:
        started = await child.receive()
        assert started is not None
        ending = asyncio.create_task(child.ended(None))
        await asyncio.sleep(0)  # it waits before the child ends
        child.send("go")
        assert (await asyncio.wait_for(ending, 5)).status == 0
        os.kill(started["pid"], signal.SIGKILL)
    await asyncio.sleep(0.05)
