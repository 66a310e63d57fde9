"""The picture child: strangers' pictures are decoded in a process of their own, with a memory and a time limit.

Imports no picture library in the calling process. One JSON object a line crosses the pipe, with paths only.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from generator.clip import Framing, Shape
from generator.errors import PictureError, PictureReason
from generator.limits import PictureLimits
from generator.protocol import Note
from generator.variants import Variant

_START_SECONDS = 60.0
"""for Python and Pillow to load; a machine under full load is slow at that, and no picture is to blame"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A conditioning image that lies complete at its target, and what became of the picture."""

    width: int
    height: int
    shape: Shape
    source_width: int
    source_height: int
    notes: tuple[Note, ...] = ()


class PictureChild:
    """Turns uploaded pictures into conditioning images, a few at a time, each in a child that may die.

    A child that breaks a limit is killed and the next picture gets a fresh one.
    """

    def __init__(self, limits: PictureLimits | None = None, *, children: int = 2) -> None:
        self._limits = limits or PictureLimits()
        self._children = [_Child(self._limits) for _ in range(children)]
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()

    async def __aenter__(self) -> Self:
        for child in self._children:
            self._free.put_nowait(child)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            await child.stop()

    async def prepare(self, source: Path, target: Path, variant: Variant, shape: Shape, framing: Framing) -> Prepared:
        """Write the conditioning image, a PNG of exactly the variant's size, to `target`.

        Raises PictureError, and OSError when the target cannot be written.
        """
        sizes = {kind: variant.size(kind) for kind in Shape if kind is not Shape.AUTO}
        request = {"source": str(source), "target": str(target), "sizes": sizes, "shape": shape, "framing": framing}
        child = await self._free.get()
        try:
            answer = await child.ask(request)
        finally:
            self._free.put_nowait(child)
        return _prepared(answer)


class _Child:
    """One process, started when it is first needed and again after each death."""

    def __init__(self, limits: PictureLimits) -> None:
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and give the answer; a child that dies or does not answer in time is a PictureError."""
        try:
            process = await self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            async with asyncio.timeout(self._limits.seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            await self.stop()
            raise PictureError(
                PictureReason.TOO_SLOW, "the decoder took too long", what="time", seconds=self._limits.seconds
            ) from None
        except BaseException:
            await self.stop()  # a cancelled wait: its late answer must not reach the next picture
            raise
        if not line.endswith(b"\n"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 1)  # so that the status is its own and not our kill
            status = await self.stop()
            raise PictureError(PictureReason.CORRUPT, f"the decoder died ({status})", what="crash")
        return dict(json.loads(line))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "generator.intake", json.dumps(dataclasses.asdict(self._limits))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_child_environment(),
        )
        assert process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            if not await process.stdout.readline():
                raise RuntimeError("the picture child did not start; its reason is on stderr")
        return process

    async def stop(self) -> int | None:
        """Kill the process, if there is one, and give its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            process.kill()
        await asyncio.shield(process.wait())
        return process.returncode


def _child_environment() -> dict[str, str]:
    """Give the child no secrets, and one malloc arena: each further thread's costs 64 MiB of address space."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VIVANT_")}
    return kept | {"MALLOC_ARENA_MAX": "1"}


def _prepared(answer: dict[str, Any]) -> Prepared:
    if "os_error" in answer:
        raise OSError(*answer["os_error"])  # no room for the target: not the picture's fault
    if "error" in answer:
        data = dict(answer["error"]["data"])
        raise PictureError(PictureReason(data.pop("reason")), answer["error"]["text"], **data)
    notes = tuple(Note(**note) for note in answer.pop("notes"))
    return Prepared(**answer | {"shape": Shape(answer["shape"]), "notes": notes})


def _serve(limits: PictureLimits) -> None:
    """Be the child: answer one line for each line until end of file."""
    import resource

    from generator import image

    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    image.allow_formats(max_pixels=limits.max_pixels)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library's stray print must not look like an answer
    answers.write(b"{}\n")
    for line in sys.stdin.buffer:
        # The parent watches the time too. This one also ends a child whose parent is gone.
        signal.setitimer(signal.ITIMER_REAL, limits.seconds + 1)
        answer = _answer(json.loads(line), limits)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(answer).encode() + b"\n")


def _answer(request: dict[str, Any], limits: PictureLimits) -> dict[str, Any]:
    from generator import image
    from generator.durable import written_aside

    source, shape = Path(request["source"]), Shape(request["shape"])
    try:
        facts = image.probe(source, limits)
        shape = image.resolve_shape(facts.width, facts.height, shape)
        width, height = request["sizes"][shape]
        picture, notes = image.frame_picture(source, (width, height), Framing(request["framing"]), limits)
    except PictureError as error:
        return {"error": error.to_wire()}
    try:
        with written_aside(Path(request["target"])) as aside:
            picture.save(aside, "PNG", compress_level=1)
    except OSError as error:
        return {"os_error": [error.errno, error.strerror]}
    prepared = Prepared(
        width=width,
        height=height,
        shape=shape,
        source_width=facts.width,
        source_height=facts.height,
        notes=notes,
    )
    return dataclasses.asdict(prepared)


if __name__ == "__main__":
    _serve(PictureLimits(**json.loads(sys.argv[1])))
