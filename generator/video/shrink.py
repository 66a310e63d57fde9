"""A finished clip made smaller, or made anew in another format or as another loop, in a child process: `Shrinks`.

The same child takes a few frames out of a clip, for the filter: `take_stills`. The calling process imports
neither numpy nor Pillow.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import secrets
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.clip import ClipSettings, Format
from generator.errors import RenderCrashed, RenderError
from generator.memory import GIB
from generator.process.child import Child
from generator.process.confine import Confinement, confine
from generator.process.share import thread_environment
from generator.protocol import from_line, to_line
from generator.video.clip_file import EncodedClip, Joining
from generator.video.credentials.signer import UNSIGNED, ClipSigner

_COMMAND = (sys.executable, "-m", "generator.video.shrink")


_AT_ONCE = 2
"""each takes a core and some hundred MB"""
_LONGEST_SECONDS = 900.0
"""for a clip at every bound on a slow CPU"""
_END_SECONDS = 10.0
"""after its answer the child has nothing left to do"""


class Shrinks:
    """Encodes clips again, a few at once. Whoever asks for a target that is being made waits for that one."""

    def __init__(self, at_once: int = _AT_ONCE, signer: ClipSigner = UNSIGNED) -> None:
        self._signer = signer
        self._running: dict[Path, _Running] = {}
        self._room = asyncio.Semaphore(at_once)

    async def __call__(self, source: Path, target: Path, format: Format, max_bytes: int) -> EncodedClip:
        """Do what `shrink` does. The child ends when nobody waits for its target any more."""
        return await self._once(target, lambda: shrink(source, target, format, max_bytes, self._signer))

    async def again(self, source: Path, target: Path, settings: ClipSettings, max_bytes: int) -> EncodedClip:
        """Write what `source` holds of rendered frames to `target` as `settings` say; see `encode_again`.

        Raises RenderError. The child ends when nobody waits for its target any more.
        """
        request = {"source": source, "settings": settings.to_json(), "max_bytes": max_bytes}
        return await self._once(target, lambda: _encode("again", target, request, self._signer))

    async def join(self, asked: Joining) -> EncodedClip:
        """Join two files of frames, see `join_files`; the clip is not signed. Raises RenderError."""
        request: dict[str, Any] = {"frames": asked.frames, "before": asked.before, "source": asked.source}
        request |= {"settings": asked.settings.to_json(), "max_bytes": asked.max_bytes}
        return await self._once(asked.target, lambda: _encode("join", asked.target, request, UNSIGNED))

    async def _once(self, target: Path, encode: Callable[[], Awaitable[EncodedClip]]) -> EncodedClip:
        running = self._running.get(target)
        if running is None:
            running = self._running[target] = _Running(asyncio.create_task(self._in_turn(encode)))
        running.waiting += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.waiting -= 1
            if not running.waiting:
                del self._running[target]
                running.task.cancel()
                await asyncio.wait({running.task})

    async def _in_turn(self, encode: Callable[[], Awaitable[EncodedClip]]) -> EncodedClip:
        async with self._room:
            return await encode()


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[EncodedClip]
    waiting: int = 0


async def shrink(
    source: Path, target: Path, format: Format, max_bytes: int, signer: ClipSigner = UNSIGNED
) -> EncodedClip:
    """Encode the clip at `source` again within `max_bytes`; return it once it lies complete and signed at `target`.

    Raises RenderError. Cancelling ends the child, with the ffmpeg that it may be running.
    """
    return await _encode("shrink", target, {"source": source, "format": format, "max_bytes": max_bytes}, signer)


async def _encode(kind: str, target: Path, request: dict[str, Any], signer: ClipSigner) -> EncodedClip:
    aside = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            ask = request | {"target": aside, "max_bytes": signer.budget(request["max_bytes"])}
            clip = EncodedClip.from_json((await _ask_child(kind, ask))["clip"])
            size = await signer.sign(aside)
        aside.replace(target)
        return dataclasses.replace(clip, path=target, bytes=size)
    except TimeoutError as error:
        raise RenderCrashed(f"encoding again took longer than {_LONGEST_SECONDS:g} s", type="TimeoutError") from error
    finally:
        for left in (*target.parent.glob(f"{aside.name}*"), *target.parent.glob(f".{aside.name}*")):
            left.unlink(missing_ok=True)


async def take_stills(clip: Path, target: Path, count: int) -> int:
    """Write up to `count` frames of a clip below each other into a PNG; return how many. Raises RenderError."""
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            answer = await _ask_child("stills", {"source": clip, "target": target, "count": count})
    except TimeoutError as error:
        raise RenderCrashed(f"no frames within {_LONGEST_SECONDS:g} s", type="TimeoutError") from error
    return int(answer["count"])


async def take_frame(source: Path, target: Path, most: int) -> int:
    """Write the last of the first `most` frames of a clip into a PNG; return how many those are. Raises RenderError."""
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            answer = await _ask_child("frame", {"source": source, "target": target, "count": most})
    except TimeoutError as error:
        raise RenderCrashed(f"no frame within {_LONGEST_SECONDS:g} s", type="TimeoutError") from error
    return int(answer["count"])


async def _ask_child(kind: str, request: dict[str, Any]) -> dict[str, Any]:
    child = await Child.spawn(_COMMAND, thread_environment(1), lambda: "shrink child:")
    try:
        answer = await child.ask(kind, parent=os.getpid(), **request)
        end = await child.ended(_END_SECONDS)
    finally:
        await child.kill()
    if answer is None or end.status != 0:
        raise RenderCrashed(f"the shrinking child {end}: {end.last_words}")
    if answer["type"] == "failed":
        raise RenderError.from_wire(answer["error"])
    return answer


def _answer(request: dict[str, Any]) -> bytes:
    from generator.video.anew.again import encode_again, shrink_clip
    from generator.video.anew.joining import join_files
    from generator.video.anew.stills import last_frame, stills

    source, target = Path(request["source"]), Path(request["target"])
    try:
        if request["type"] == "frame":
            return to_line("frame", count=last_frame(source, target, int(request["count"])))
        if request["type"] == "stills":
            return to_line("stills", count=stills(source, target, int(request["count"])))
        max_bytes = int(request["max_bytes"])
        if request["type"] == "again":
            clip = encode_again(source, target, ClipSettings.from_json(request["settings"]), max_bytes)
        elif request["type"] == "join":
            settings = ClipSettings.from_json(request["settings"])
            paths = {"before": Path(request["before"]), "frames": Path(request["frames"])}
            clip = join_files(Joining(source=source, target=target, settings=settings, max_bytes=max_bytes, **paths))
        else:
            clip = shrink_clip(source, target, Format(request["format"]), max_bytes)
    except RenderError as error:
        return to_line("failed", error=error.to_wire())
    return to_line("shrunk", clip=dataclasses.asdict(clip))


def _serve() -> None:
    """Be the child: answer the one request on stdin."""
    from generator.process.lifeline import die_with_parent, take_stdout

    answers = take_stdout()
    request = from_line(sys.stdin.buffer.readline())
    _shut_in(Path(request["source"]), Path(request["target"]))
    die_with_parent(int(request["parent"]))
    answers.write(_answer(request))


def _shut_in(source: Path, target: Path) -> None:
    """Leave this process its two folders and ffmpeg. Without an ffmpeg the request itself will fail."""
    folder = target.absolute().parent
    tempfile.tempdir = str(folder)  # no other folder takes files
    ffmpeg: list[Path] = []
    with contextlib.suppress(ImportError, RuntimeError):
        import imageio_ffmpeg  # not through `ffmpeg.py`: that starts numpy's threads, and this needs to be alone

        ffmpeg = [Path(imageio_ffmpeg.get_ffmpeg_exe())]
    confine(
        Confinement(
            readable=(source.absolute().parent,),
            writable=(folder,),
            programs=(*ffmpeg, *(path.resolve() for path in ffmpeg)),
            file_bytes=GIB,
            descriptors=256,
            tasks=1024,
        )
    )


if __name__ == "__main__":
    _serve()
