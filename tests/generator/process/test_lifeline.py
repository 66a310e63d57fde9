"""Each net that keeps a process from outliving the one it works for, alone and against its own absence."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from generator.errors import ExecutorLost
from tests.support.fakes import a_request
from tests.support.local_backend import eventually, ignore, is_gone, running


def spawn(script: str, **more: object) -> subprocess.Popen[str]:
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        **more,  # type: ignore[call-overload]
    )
    return process


def is_gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.005)
    return False


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
@pytest.mark.parametrize("tied", [True, False])
def test_only_a_tied_process_dies_with_its_parent(tied: bool) -> None:
    child = (
        "import os, sys, time; from generator.process.lifeline import die_with_parent; "
        f"{'die_with_parent(os.getppid())' if tied else 'pass'}; print(os.getpid(), flush=True); time.sleep(60)"
    )
    with spawn(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])") as parent:
        pid = int(first_line(parent))
        parent.kill()
        assert is_gone_within(pid, 0.5) is tied
        if not tied:
            os.kill(pid, signal.SIGKILL)


def test_a_process_whose_parent_is_gone_already_ends_itself() -> None:
    script = "from generator.process.lifeline import die_with_parent; die_with_parent(1); print('still here')"
    with spawn(script) as process:
        assert first_line(process) == ""
        assert process.wait(10) == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
@pytest.mark.parametrize("guarded", [True, False])
def test_only_a_guarded_process_takes_its_children_along(how: signal.Signals, guarded: bool) -> None:
    script = f"""
        import subprocess, time
        from generator.process.lifeline import guard_group
        {"guard_group()" if guarded else ""}
        print(subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL).pid, flush=True)
        time.sleep(60)
    """
    with spawn(script, process_group=0) as process:
        child = int(first_line(process))
        process.send_signal(how)
        assert process.wait(10) == -how
        assert is_gone_within(child, 0.5) is guarded
        if not guarded:
            os.kill(child, signal.SIGKILL)


def test_the_guard_holds_no_pipe_open() -> None:
    with spawn("from generator.process.lifeline import guard_group; guard_group()", process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.read() == ""
        assert process.wait(10) == 0


def test_a_process_in_somebody_elses_group_is_not_guarded() -> None:
    """Else its guard would kill a shell, or a test run."""
    script = (
        "from generator.process.lifeline import guard_group; guard_group(); "
        "import psutil; print(psutil.Process().children())"
    )
    with spawn(script) as process:
        assert first_line(process).strip() == "[]"


def test_prints_go_to_stderr_once_stdout_is_taken() -> None:
    script = """
        import os, subprocess
        from generator.process.lifeline import take_stdout
        protocol = take_stdout()
        print("a print")
        os.write(1, b"a write\\n")
        subprocess.run(["echo", "a child"])
        protocol.write(b"a line\\n")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "a line\n"
    assert sorted(done.stderr.splitlines()) == ["a child", "a print", "a write"]


# -- all nets together, around an executor


PARENT = """
    import asyncio, sys
    from pathlib import Path
    from generator.backend.local_backend import LocalBackend
    from tests.support.fakes import FAKE_EXECUTOR, a_request
    from tests.support.local_backend import CONFIG

    async def main():
        backend = LocalBackend(CONFIG, command=(*FAKE_EXECUTOR, *sys.argv[2:]))
        await backend.start()
        await backend.render(a_request(Path(sys.argv[1])), lambda progress: None)

    asyncio.run(main())
"""


async def survivors_of_a_killed_parent(folder: Path, *options: str) -> list[int]:
    """SIGKILL a bot in the middle of a render; return the processes of its child that are left a second later."""
    pids = folder / "pids"
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(folder), *options, "--pids", str(pids)]
    parent = subprocess.Popen(command)
    try:
        await eventually(lambda: pids.exists() and bool(pids.read_text()), 30)
    finally:
        parent.kill()
        parent.wait()
    children = [int(pid) for pid in pids.read_text().split()]
    killed = time.monotonic()
    try:
        await eventually(lambda: all(map(is_gone, children)), 1.0)
    except TimeoutError:
        return [pid for pid in children if not is_gone(pid)]
    print(f"gone {1000 * (time.monotonic() - killed):.1f} ms after the parent")
    return []


async def test_a_killed_bot_leaves_neither_executor_nor_ffmpeg(tmp_path: Path) -> None:
    assert await survivors_of_a_killed_parent(tmp_path, "--fault", "child") == []


async def test_a_child_that_is_tied_to_nothing_is_caught_as_an_orphan(tmp_path: Path) -> None:
    """The negative control of the test above."""
    orphans = await survivors_of_a_killed_parent(tmp_path, "--deaf")
    assert len(orphans) == 1
    os.kill(orphans[0], signal.SIGKILL)


async def test_a_killed_executor_leaves_no_ffmpeg(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with running("--fault", "child", "--times", "1", "--pids", str(pids)) as backend:
        task = asyncio.create_task(backend.render(a_request(tmp_path), ignore))
        await eventually(lambda: pids.exists() and bool(pids.read_text()))
        executor, ffmpeg = map(int, pids.read_text().split())
        os.kill(executor, signal.SIGKILL)
        await eventually(lambda: is_gone(ffmpeg), 1.0)
        with pytest.raises(ExecutorLost):
            await task
