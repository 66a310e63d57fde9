"""The bot's side of a bridge that plays a script: what it takes, what it refuses, and what the bridge gets to see."""

from __future__ import annotations

import dataclasses
import errno
import pwd
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from generator.backend.cluster.cluster_backend import ClusterBackend, ClusterOptions, wider
from generator.backend.cluster.exchange import Exchange
from generator.backend.stalls import StallLimits
from generator.errors import DiskFull, ExecutorLost, RenderCrashed
from tests.support.another_user import NOBODY, for_root
from tests.support.fakes import a_request
from tests.support.local_backend import CONFIG, eventually, ignore

BRIDGE = """
import json, os, sys
from pathlib import Path
def say(kind, **keys): print(json.dumps({"type": kind, **keys}), flush=True)
json.loads(sys.stdin.readline())
say("hello", protocol=1)
def ready(count):
    facts = {"nodes": [], "environment": sorted(os.environ)}
    say("ready", facts=facts, slots=2 * count, encoders=2 * count, executors=count, connected=count, left_out=[])
ready(3)
for line in sys.stdin:
    wire = json.loads(line)
    if wire["type"] == "render":
        exec(sys.argv[1])
    elif wire["type"] == "want":
        ready(int(wire["jobs"]))
"""
FACTS = "width=64, height=36, frames=5, playback_fps=7.0, seconds=1.0, bytes=4, clip_path=wire['clip_path']"
GOOD = (
    f"Path(wire['clip_path']).write_bytes(b'clip'); say('rendered', job=wire['job'], attempt=wire['attempt'], {FACTS})"
)


@asynccontextmanager
async def backend(folder: Path, plays: str = GOOD) -> AsyncIterator[ClusterBackend]:
    options = ClusterOptions(
        address="10.0.0.5:6379",
        exchange_folder=folder / "exchange",
        token_file=folder / "token",
        most_rented=9,
        command=[sys.executable, "-c", BRIDGE, plays],
        limits=StallLimits(backoff_seconds=0.05, term_seconds=1.0),
    )
    found = ClusterBackend(CONFIG, options)
    await found.start()
    await eventually(lambda: found.executors == 3)
    try:
        yield found
    finally:
        await found.close()


async def test_a_clip_comes_from_the_shared_folder_to_where_the_bot_wants_it(tmp_path: Path) -> None:
    async with backend(tmp_path) as it:
        request = a_request(tmp_path)
        rendered = await it.render(request, ignore)
        assert rendered.clip_path == request.clip_path and request.clip_path.read_bytes() == b"clip"
        assert not list((tmp_path / "exchange").iterdir())
        assert (tmp_path / "exchange").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "exchange").exists()


@pytest.mark.parametrize(
    ("plays", "max_bytes"),
    [
        pytest.param(GOOD, 3, id="larger than allowed"),
        pytest.param(GOOD.replace("b'clip'", "b''"), 99, id="empty"),
        pytest.param(
            GOOD.replace("Path(wire['clip_path']).write_bytes(b'clip')", "os.mkfifo(wire['clip_path'])"), 99, id="fifo"
        ),
    ],
)
async def test_what_is_no_clip_is_refused(tmp_path: Path, plays: str, max_bytes: int) -> None:
    async with backend(tmp_path, plays) as it:
        request = a_request(tmp_path, max_bytes=max_bytes)
        with pytest.raises(ExecutorLost) as caught:
            await it.render(request, ignore)
        assert caught.value.data["cause"] == "garbage"
        assert not request.clip_path.exists()


async def test_a_link_to_a_file_of_the_bot_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("token")
    link = f"os.symlink({str(tmp_path / 'secret')!r}, wire['clip_path'])"
    async with backend(tmp_path, GOOD.replace("Path(wire['clip_path']).write_bytes(b'clip')", link)) as it:
        request = a_request(tmp_path)
        with pytest.raises(ExecutorLost):
            await it.render(request, ignore)
        assert not request.clip_path.exists()


async def test_a_full_disk_holds_the_queue_and_a_missing_picture_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with backend(tmp_path) as it:
        request = a_request(tmp_path)
        with pytest.raises(RenderCrashed):
            await it.render(dataclasses.replace(request, picture_path=tmp_path / "none.png"), ignore)

        def full(source: object, target: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("generator.backend.cluster.exchange.shutil.copyfile", full)
        with pytest.raises(DiskFull):
            await it.render(request, ignore)


async def test_a_path_that_the_bridge_names_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("of somebody else")
    lie = GOOD.replace("clip_path=wire['clip_path']", f"clip_path={str(tmp_path / 'elsewhere')!r}")
    async with backend(tmp_path, lie) as it:
        rendered = await it.render(a_request(tmp_path), ignore)
        assert rendered.clip_path.read_bytes() == b"clip"


async def test_the_bridge_sees_no_secret_of_the_bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIVANT_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("RAY_TLS_CA_CERT", "/ca")
    async with backend(tmp_path) as it:
        seen = set(it.describe()["environment"])
    assert not seen & {"VIVANT_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"}
    assert {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_TLS_CA_CERT", "PATH"} <= seen


async def test_slots_follow_the_bridge_and_are_gone_with_it(tmp_path: Path) -> None:
    async with backend(tmp_path, "os._exit(3)") as it:
        assert (it.slots, it.encoders, it.executors) == (6, 6, 3)
        it.want(1, 60.0)
        await eventually(lambda: it.executors == 1)
        assert (it.slots, it.encoders) == (2, 2)
        with pytest.raises(ExecutorLost) as caught:
            await it.render(a_request(tmp_path), ignore)
        assert it.slots == it.encoders == it.executors == 0
        assert (caught.value.data["innocent"], caught.value.data["node"]) == (True, "bridge")
        await eventually(lambda: it.executors == 3)


async def test_what_a_bridge_left_in_the_folder_is_deleted_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "exchange").mkdir()
    (tmp_path / "exchange" / "1-1.png").write_bytes(b"of a stranger")
    async with backend(tmp_path):
        assert not list((tmp_path / "exchange").iterdir())


def test_a_cards_own_alarm_always_rings_before_that_for_the_bridge() -> None:
    inner = StallLimits()
    outer = wider(inner)
    for item in dataclasses.fields(inner):
        assert getattr(outer, item.name) >= 3 * getattr(inner, item.name)


SHELL_BRIDGE = """read line
facts='{"uid": "'$(id -u)'", "home": "'$HOME'"}'
echo '{"type": "hello", "protocol": 1}'
echo '{"type": "ready", "facts": '$facts', "slots": 2, "encoders": 2, "executors": 1, "connected": 1, "left_out": []}'
while read line; do :; done
"""


@for_root
async def test_the_bridge_can_be_another_account_that_owns_nothing_but_the_shared_folder(tmp_path: Path) -> None:
    options = ClusterOptions(
        address="10.0.0.5:6379",
        exchange_folder=tmp_path / "exchange",
        owner=(NOBODY, NOBODY),
        command=["/bin/sh", "-c", SHELL_BRIDGE, "bridge"],
        limits=StallLimits(backoff_seconds=0.05, term_seconds=1.0),
    )
    it = ClusterBackend(CONFIG, options)
    await it.start()
    try:
        await eventually(lambda: it.executors == 1)
        assert it.describe() == {"uid": str(NOBODY), "home": pwd.getpwuid(NOBODY).pw_dir}
        assert (tmp_path / "exchange").stat().st_uid == NOBODY
        exchange, request = Exchange(tmp_path / "exchange", (NOBODY, NOBODY)), a_request(tmp_path)
        lent = exchange.paths(request)
        exchange.lend(request, lent)
        assert lent.picture_path.stat().st_uid == NOBODY
    finally:
        await it.close()
