"""What runs in a confined child reaches nothing; the same attempts succeed in a child that is not confined."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.clip import Format, Framing, Shape
from generator.errors import RenderError
from generator.picture.intake import PictureChild
from generator.process.confine import describe
from generator.variants import BUILT_IN
from generator.video.shrink import shrink
from tests.support.edge import picture
from tests.support.fakes import tiny_clip

PROBE = subprocess.run(
    [sys.executable, "-m", "generator.process.confine"], capture_output=True, text=True, timeout=60, check=True
)
HOLDS: dict[str, bool] = json.loads(PROBE.stdout)

SCRIPT = """
    import ctypes, json, os, resource, socket, subprocess, sys, threading
    from pathlib import Path
    from generator.process.confine import Confinement, confine
    facts = json.loads(sys.argv[1])
    if facts["confined"]:
        folder = Path(facts["folder"])
        confine(Confinement(readable=(folder,), writable=(folder,), file_bytes=1000))
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(result):
        if result < 0:
            raise OSError(ctypes.get_errno(), "refused")

    try:
        {attempt}
    except OSError as error:
        print("refused")
    else:
        print("done")
"""

ATTEMPTS = {
    "a TCP connection": ("no network", "socket.create_connection(('127.0.0.1', facts['port'])).close()"),
    "a UDP packet": ("no network", "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', facts['port']))"),
    "a Unix socket": ("no network", "socket.socket(socket.AF_UNIX).connect(facts['unix'])"),
    "reading a file": ("no other files", "Path(facts['secret']).read_text()"),
    "a link to a file": ("no other files", "Path(facts['folder'], 'link').read_text()"),
    "writing a file": ("no other files", "Path(facts['secret']).with_name('more').write_text('x')"),
    "deleting a file": ("no other files", "Path(facts['secret']).with_name('spare').unlink()"),
    "listing a folder": ("no other files", "os.listdir(Path(facts['secret']).parent)"),
    "the parent's environment": ("no other files", "Path(f'/proc/{os.getppid()}/environ').read_bytes()"),
    "the parent's memory": ("no new rights", "open(f'/proc/{os.getppid()}/mem', 'rb').close()"),
    "a process": ("no other programs", "os.waitpid(os.fork() or os._exit(0), 0)"),
    "a program": ("no other programs", "subprocess.run(['true'])"),
    "a signal": ("no signals to the bot", "os.kill(os.getppid(), 0)"),
    "the parent's limits": ("no other programs", "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)"),
    "tracing": ("no other programs", "checked(libc.ptrace(0x4206, os.getppid(), 0, 0))"),
    "new namespaces": ("no other programs", "checked(libc.unshare(0x04000000))"),
    "a large file": ("memory hidden", "Path(facts['folder'], 'large').write_bytes(b'x' * 2000)"),
    "many open files": ("memory hidden", "held = [open('/dev/null') for _ in range(200)]"),
}


ALONE = ("the parent's memory", "tracing") if os.geteuid() else ()
"""what is refused without a confinement too"""


@pytest.fixture
def facts(tmp_path: Path) -> Iterator[dict[str, object]]:
    (folder := tmp_path / "spool").mkdir()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    for name in ("secret", "spare"):
        (elsewhere / name).write_text("secret")
    (folder / "link").symlink_to(elsewhere / "secret")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "unix"))
        local.listen()
        yield {
            "folder": str(folder),
            "secret": str(elsewhere / "secret"),
            "port": server.getsockname()[1],
            "unix": str(tmp_path / "unix"),
        }


def run(attempt: str, facts: dict[str, object], *, confined: bool) -> str:
    script = textwrap.dedent(SCRIPT).format(attempt=attempt)
    command = [sys.executable, "-c", script, json.dumps({**facts, "confined": confined})]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.parametrize("what", ATTEMPTS)
def test_what_a_confined_child_attempts_is_refused(what: str, facts: dict[str, object]) -> None:
    measure, attempt = ATTEMPTS[what]
    if not HOLDS[measure]:
        pytest.skip(f"this machine has none of it: {measure}")
    assert run(attempt, facts, confined=True) == "refused"
    if what not in ALONE:
        assert run(attempt, facts, confined=False) == "done", "the negative control"


@pytest.mark.parametrize(
    "attempt",
    [
        "Path(facts['folder'], 'new').write_text('x'); Path(facts['folder'], 'new').rename(Path(facts['folder'], 'b'))",
        "thread = threading.Thread(target=print, args=('',)); thread.start(); thread.join()",
        "import numpy, PIL.Image, pillow_heif; numpy.zeros((50, 50)) @ numpy.zeros((50, 50))",
        "os.fsync(os.open(facts['folder'], os.O_RDONLY))",
        "confine(Confinement(readable=(Path(facts['folder']),)))",
    ],
    ids=["its own folder", "threads", "its libraries", "its folder itself", "where a measure is refused"],
)
def test_what_a_confined_child_needs_goes_on(attempt: str, facts: dict[str, object]) -> None:
    assert run(attempt, facts, confined=True).endswith("done")


def test_what_holds_here_is_told_in_words() -> None:
    assert describe(dict.fromkeys(HOLDS, True))[1] == []
    seen, missing = describe({**HOLDS, "no network": False})
    assert "no network" in missing
    assert "no network" not in seen
    assert set(HOLDS) == {*describe(HOLDS)[0], *describe(HOLDS)[1]}


# -- the two children themselves


INTRUDER = """
import json, os, socket
from pathlib import Path

def register_heif_opener(**options):
    facts, reached = json.loads(os.environ["PYTHONFACTS"]), []
    for name, attempt in {{
        "network": lambda: socket.create_connection(("127.0.0.1", facts["port"])).close(),
        "files": lambda: Path(facts["secret"]).read_text(),
        "programs": lambda: os.waitpid(os.fork() or os._exit(0), 0),
        "bot": lambda: Path(f"/proc/{{os.getppid()}}/environ").read_bytes(),
    }}.items():
        try:
            attempt()
        except OSError:
            continue
        reached.append(name)
    report = {{"reached": reached, "environment": dict(os.environ)}}
    Path(facts["folder"], "report").write_text(json.dumps(report))
"""


async def test_what_runs_in_the_picture_child_reaches_nothing(
    tmp_path: Path, facts: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library of the child is an intruder here; what it reaches outside of a child is the negative control."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "pillow_heif.py").write_text(INTRUDER.format())
    (source := Path(str(facts["folder"])) / "p.png").write_bytes(picture())
    for name, value in {"VIVANT_TOKEN": "secret", "HF_TOKEN": "secret", "PYTHONFACTS": json.dumps(facts)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'evil'}:{os.environ.get('PYTHONPATH', '')}")
    async with PictureChild(children=1) as pictures:
        await pictures.prepare(source, source.with_name("o.png"), BUILT_IN["demo"], Shape.AUTO, Framing.CROP)
    report = source.with_name("report")
    inside = json.loads(report.read_text())
    alone = [sys.executable, "-c", "import pillow_heif; pillow_heif.register_heif_opener()"]
    await asyncio.to_thread(subprocess.run, alone, check=True)
    outside = json.loads(report.read_text())
    assert outside["reached"] == ["network", "files", "programs", "bot"]
    if all(HOLDS.values()):
        assert inside["reached"] == []
    assert "secret" in outside["environment"].values()
    assert "secret" not in inside["environment"].values()


async def test_another_folder_gets_another_child_and_a_link_leads_where_it_did(tmp_path: Path) -> None:
    for name in ("in", "out", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "private" / "p.png").write_bytes(picture())
    (source := tmp_path / "in" / "p.png").write_bytes(picture())
    (link := tmp_path / "in" / "link.png").symlink_to(tmp_path / "private" / "p.png")
    async with PictureChild(children=1) as pictures:
        for path in (source, link, source):
            target = tmp_path / "out" / "o.png"
            prepared = await pictures.prepare(path, target, BUILT_IN["demo"], Shape.AUTO, Framing.CROP)
            assert prepared.source_width == 320


FFMPEG = """#!/bin/bash
cd {folder}
env > environment
cat {secret} > stolen
(echo x > /dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo x > connected
exit 1
"""


def spying_ffmpeg(folder: Path, facts: dict[str, object]) -> Path:
    """Write an ffmpeg that takes what it can get."""
    (folder / "bin").mkdir()
    path = folder / "bin" / "ffmpeg"
    path.write_text(FFMPEG.format(**facts))
    path.chmod(0o755)
    return path


async def test_the_shrink_child_and_its_ffmpeg_reach_nothing(
    tmp_path: Path, facts: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg, folder = spying_ffmpeg(tmp_path, facts), Path(str(facts["folder"]))
    (clip := folder / "c.mp4").write_bytes(tiny_clip())
    for name in ("VIVANT_TOKEN", "HF_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(ffmpeg))
    with pytest.raises(RenderError, match="ffmpeg ended with 1"):
        await shrink(clip, folder / "s.mp4", Format.MP4, 10_000)
    seen = (folder / "environment").read_text()
    assert "PATH=" in seen
    assert "secret" not in seen
    if HOLDS["no other files"]:
        assert (folder / "stolen").read_text() == ""
    if HOLDS["no network"]:
        assert not (folder / "connected").exists()
    await asyncio.to_thread(subprocess.run, [str(ffmpeg)], check=False)
    assert (folder / "stolen").read_text() == "secret", "the negative control"
    assert (folder / "connected").exists()
    assert "secret" in (folder / "environment").read_text()


@pytest.mark.parametrize("format", Format)
async def test_a_confined_shrink_child_still_shrinks(tmp_path: Path, format: Format) -> None:
    (clip := tmp_path / f"c.{format}").write_bytes(tiny_clip(format))
    small = await shrink(clip, tmp_path / f"s.{format}", format, 10_000_000)
    assert small.path.stat().st_size == small.bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"c.{format}", f"s.{format}"]
