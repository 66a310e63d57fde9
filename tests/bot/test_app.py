"""Starting the bot: what is refused with a sentence, swept, and ended."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.app import Parts, StartError, run_bot
from bot.config import Config
from bot.edge.delivery import Poster
from bot.edge.http_errors import AttemptResult
from bot.queue.database import StoreBusy, StoreDamaged, StoreFull
from bot.queue.job import Delivery, Job
from bot.sandbox.demo import running_bot
from bot.sandbox.faults import Delay
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BEN, DIRECT_BEN, GENERAL
from bot.work.supervise import keep_going
from generator.backend.local_backend import LocalBackend
from tests.support.edge import POSTS, hanging, running_edge, until, words
from tests.support.fakes import FakeBackend
from tests.support.jobs import new_job, opened


async def test_a_second_bot_on_the_same_data_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, running_bot(sandbox, tmp_path):
        await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
        environment = os.environ | sandbox.environment() | {"VIVANT_DATA_DIR": str(tmp_path)}
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run"), env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, said = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode == 78
        assert b"another" in said.lower()
        assert b"Traceback" not in said


async def test_a_running_bots_data_is_open_to_nobody_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "spool").mkdir(parents=True, mode=0o755)
    async with opened(data) as store:  # as an earlier version wrote it
        picture = (await store.jobs.enqueue(new_job())).picture
    (data / "spool" / picture).touch(0o644)
    before = os.umask(0o022)  # the usual one, whatever this machine's is
    try:
        async with Sandbox() as sandbox, running_bot(sandbox, data):
            await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
            modes = {path: path.stat().st_mode & 0o777 for path in (data, *data.rglob("*"))}
    finally:
        os.umask(before)
    assert {"vivant.db", "vivant.db-wal", "lock", picture} <= {path.name for path in modes}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


STARTED = """
import ctypes, os, resource, sys
import bot.app, bot.__main__
async def report(config):
    core, _ = resource.getrlimit(resource.RLIMIT_CORE)
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), core == 0, oct(os.umask(0)))
bot.app.run_bot = report
bot.__main__.app(["run"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's measure")
def test_the_bot_hides_its_memory_from_other_processes_of_its_account(tmp_path: Path) -> None:
    environment = os.environ | {"VIVANT_CONFIG": os.devnull, "VIVANT_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", STARTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["0", "True", "0o77"]
    plain = [sys.executable, "-c", "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"]
    control = subprocess.run(plain, capture_output=True, text=True, timeout=60, check=True)
    assert control.stdout.split() == ["1"], "the negative control: a process that hides nothing"


async def test_a_loop_that_ends_by_itself_ends_the_bot(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        environment = {"VIVANT_CONFIG": os.devnull, "VIVANT_DATA_DIR": str(tmp_path)}
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.kill_bot", "leaves"),
            env=os.environ | environment | sandbox.environment(),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(bot.communicate(), 30)
    assert bot.returncode == 1
    assert b"one of the bot's loops ended by itself" in said


async def _say(folder: Path, sandbox: Sandbox) -> tuple[int | None, str]:
    """Start the bot as a program; return its exit status and what it said."""
    environment = os.environ | sandbox.environment() | {"VIVANT_CONFIG": os.devnull, "VIVANT_DATA_DIR": str(folder)}
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(bot.communicate(), 30)
    return bot.returncode, said.decode()


async def test_a_database_that_cannot_be_used_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        (tmp_path / "vivant.db").write_bytes(b"holiday pictures" * 1000)
        status, said = await _say(tmp_path, sandbox)
    assert status == os.EX_CONFIG
    assert "cannot be opened: file is not a database" in said
    assert "Traceback" not in said


async def test_damage_that_a_loop_meets_ends_the_bot_with_a_sentence(tmp_path: Path) -> None:
    class Damaged(Poster):
        async def run(self) -> None:
            raise ExceptionGroup("", [StoreDamaged("vivant.db cannot be opened: a damaged page.")])

    async with Sandbox() as sandbox:
        config = Config(token=sandbox.token, data_dir=tmp_path, proxy=sandbox.proxy_url)
        parts = Parts(
            backend=lambda *args, **options: FakeBackend(),
            poster=Damaged,
            connector=lambda: aiohttp.TCPConnector(ssl=sandbox.client_tls()),
        )
        with pytest.raises(StartError, match="a damaged page"):
            await asyncio.wait_for(run_bot(config, parts), 30)


async def test_a_loop_that_meets_a_surprise_goes_on(tmp_path: Path) -> None:
    class Surprised(Poster):
        runs = 0

        async def run(self) -> None:
            Surprised.runs += 1
            if Surprised.runs == 1:
                raise KeyError("a bug")
            await super().run()

    keep = partial(keep_going, pause=lambda seconds: asyncio.sleep(0))
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox, poster=Surprised, keep_going=keep) as edge:
        await edge.animate()
        await edge.delivered()
    assert Surprised.runs == 2


async def test_what_was_being_sent_when_the_poster_met_a_surprise_arrives_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.edge.delivery.CONTAINED", ())  # as if the surprise came where no delivery contains it

    class Surprised(Poster):
        surprises = 0

        async def attempt(self, job: Job, delivery: Delivery) -> tuple[AttemptResult, str | None]:
            if job.id == 2 and Surprised.surprises == 0:
                Surprised.surprises += 1
                raise KeyError("a bug outside of what an attempt catches")
            return await super().attempt(job, delivery)

    keep = partial(keep_going, pause=lambda seconds: asyncio.sleep(0))
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox, poster=Surprised, keep_going=keep) as edge:
        sandbox.faults.add(Delay(1.0), *POSTS)
        await edge.queued()
        await edge.delivered(1, "sending")
        await edge.queued(channel=GENERAL)
        for number in (1, 2):
            await edge.delivered(number)
        assert Surprised.surprises == 1
        assert (await edge.delivered(1)).attempts == 2, "it was begun before, and once more"
        assert (len(edge.clips()), len(edge.clips(channel=GENERAL))) == (1, 1)


async def test_the_owner_is_told_of_a_row_that_cannot_be_read(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
            await edge.queued()
        with closing(sqlite3.connect(tmp_path / "vivant.db")) as db:
            db.execute("update job set settings = json_set(settings, '$.format', 'hologram')")
            db.commit()
        async with running_edge(tmp_path, sandbox, config={"owners": [int(BEN)]}) as edge:
            told = await until(lambda: words(edge.seen(actor=BEN, channel=DIRECT_BEN)), "a word to the owner")
            await edge.delivered()
            assert "Job 1 could not be read" in told
            await until(lambda: "no clip this time" in "".join(map(words, edge.seen())), "a word to its person")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StartError("mend this"), os.EX_CONFIG),
        (StoreFull("make room"), os.EX_TEMPFAIL),
        (StoreBusy("end that"), os.EX_TEMPFAIL),
    ],
)
def test_the_exit_status_tells_a_service_manager_whether_another_start_may_help(
    error: Exception, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(config: Config) -> None:
        raise error

    monkeypatch.setattr("bot.app.run_bot", fail)
    monkeypatch.setenv("VIVANT_CONFIG", os.devnull)
    done = CliRunner().invoke(app, ["run"])
    assert (done.exit_code, done.output.strip()) == (status, str(error))


class Enough(Exception):
    """Ends a test's bot."""


async def test_files_that_no_row_names_are_swept_at_the_start_whatever_their_age(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        kept = (await store.jobs.enqueue(new_job())).picture
    spool = tmp_path / "spool"
    spool.mkdir()
    for name in (kept, "picture-of-nobody.png", ".7-1.mp4.part"):
        (spool / name).touch()

    def no_backend(*args: Any, **options: Any) -> LocalBackend:
        raise Enough

    with pytest.raises(Enough):
        await run_bot(Config(token="x", data_dir=tmp_path), Parts(backend=no_backend))
    assert [path.name for path in spool.iterdir()] == [kept]


async def test_a_metrics_port_that_is_taken_is_told_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"Port {port} .*metrics_port"):
            await run_bot(Config(token="x", data_dir=tmp_path, metrics_port=port))
    with pytest.raises(StartError, match=r"192\.0\.2\.1 .*metrics_address"):  # of nobody's machine
        await run_bot(Config(token="x", data_dir=tmp_path, metrics_port=port, metrics_address=ip_address("192.0.2.1")))


HEAVY = ("torch", "diffusers", "transformers")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        *((module, HEAVY) for module in ("bot.app", "bot.edge.client", "bot.doctor", "bot.sandbox.demo")),
        ("bot.__main__", (*HEAVY, "discord", "aiohttp")),  # each command would take longer to start
    ],
)
def test_what_takes_long_is_loaded_by_those_alone_who_need_it(module: str, absent: tuple[str, ...]) -> None:
    check = f"import sys, {module}; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
