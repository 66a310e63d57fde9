"""The picture child: strangers' files are opened in a process of their own, under a memory and a time limit.

The calling process imports no picture library. One JSON object a line crosses the pipe, with paths only:

The arguments are the limits, the filter's model, and the folders of the sources and of the targets; no others but the
model's are open to the child.

To the child:                           {"type": "prepare", "source": ..., "target": ..., "sizes": ..., ...}
                                        {"type": "recipe", "source": ...}       read a clip's settings
                                        {"type": "judge", "source": ..., "count": 1}   ask the filter's model
                                        {"type": "credentials", "source": ..., "ours": ...}   check a clip's
From the child:                         {"type": "ready"}                       first line
                                        {"type": "prepared", "prepared": {...}}
                                        {"type": "refused", "error": {...}}     the picture cannot be used
                                        {"type": "unwritable", "os_error": [...]}   the target cannot be written
                                        {"type": "recipe", "settings": {...}}   null: the clip has none of ours
                                        {"type": "credentials", "credentials": {...}}
                                        {"type": "judged", "scores": [0.02]}    one for each picture in the file
                                        {"type": "unusable", "why": ...}        the model cannot be asked
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from generator.clip import ClipSettings, Framing, Shape
from generator.errors import FilterUnusable, PictureError, PictureReason
from generator.memory import MIB
from generator.picture.filter.model import MODEL_BYTES, OPEN_NSFW, FilterModel, missing
from generator.picture.limits import PictureLimits
from generator.process.child import Child
from generator.process.confine import Confinement, confine
from generator.process.quiet import keep_libraries_quiet
from generator.process.share import thread_environment
from generator.protocol import Note, from_line, to_line
from generator.variants import Variant
from generator.video.credentials.manifest import Credentials

_START_SECONDS = 60.0
"""for Python and Pillow to load; a machine under full load is slow at that, which is no picture's fault"""
_STATUS_SECONDS = 1.0
"""how long a child that has closed its pipe may take to end"""
_COMMAND = (sys.executable, "-m", "generator.picture.intake")
_LEAN = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(MIB), **thread_environment(1)}
"""a malloc that keeps little address space: one arena, as each costs 64 MiB; large blocks always mapped, so that they
leave no holes when they are freed; and no thread for each core, which might be more than the child may have"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A conditioning image that lies complete at its target: its size, the picture's, and notes for the person.

    `hash` knows the picture again, see `generator.picture.fingerprint`; None: it is too plain for that.
    """

    width: int
    height: int
    shape: Shape
    source_width: int
    source_height: int
    notes: tuple[Note, ...] = ()
    hash: str | None = None


class PictureChild:
    """Turns uploaded pictures into conditioning images, a few at a time, each in a child process.

    A child that exceeds a limit is killed, and the next picture gets a new one.
    """

    def __init__(
        self, limits: PictureLimits | None = None, *, filter_model: FilterModel = OPEN_NSFW, children: int = 2
    ) -> None:
        self.filter_model = filter_model
        self.at_once = children
        """how many files are opened at the same time"""
        self._children = [_RestartingChild(limits or PictureLimits(), filter_model) for _ in range(children)]
        self._free: asyncio.LifoQueue[_RestartingChild] = asyncio.LifoQueue()
        for child in self._children:
            self._free.put_nowait(child)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for child in self._children:
            await child.stop()

    async def prepare(self, source: Path, target: Path, variant: Variant, shape: Shape, framing: Framing) -> Prepared:
        """Write the conditioning image, a PNG of exactly the variant's size, to `target`.

        Raises PictureError when the picture cannot be used, OSError when the target cannot be written.
        """
        sizes = {kind: variant.size(kind) for kind in Shape if kind is not Shape.AUTO}
        request = {"source": source, "target": target, "sizes": sizes, "shape": shape, "framing": framing}
        return _prepared(await self._ask("prepare", request))

    async def read_recipe(self, clip: Path) -> tuple[ClipSettings | None, bool]:
        """Return the settings that a clip carries, None when it has none of ours, and whether it says `fast_math`.

        Raises PictureError when the file takes too long or ends the child.
        """
        answer = await self._ask("recipe", {"source": clip})
        settings = answer["settings"]
        return None if settings is None else ClipSettings.from_json(settings), bool(answer.get("fast_math"))

    async def check_credentials(self, clip: Path, ours: str) -> Credentials:
        """Check those of a stranger's clip; `ours` are our certificates in PEM. Raises PictureError."""
        answer = await self._ask("credentials", {"source": clip, "ours": ours})
        return Credentials.from_json(answer["credentials"])

    async def judge(self, picture: Path, count: int = 1) -> float:
        """Return how sure the filter's model is that a PNG of ours is unsafe to show, from 0 to 1: a guess.

        With a `count` the PNG holds so many pictures below each other, and the most unsafe one counts. Raises
        FilterUnusable when the model cannot be asked, and PictureError when the child fails.
        """
        if why := missing(self.filter_model):
            raise FilterUnusable(why, why="missing", remedy=why)
        # The target is for its folder: with the one of `prepare` the child need not be started anew.
        answer = await self._ask("judge", {"source": picture, "target": picture, "count": count})
        if answer["type"] == "unusable":
            raise FilterUnusable(answer["why"], why="model")
        return float(max(answer["scores"]))

    async def _ask(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        child = await self._free.get()
        try:
            return await child.ask(kind, request)
        finally:
            self._free.put_nowait(child)


class _RestartingChild:
    """One child process, started when it is first needed and again after each death."""

    def __init__(self, limits: PictureLimits, filter_model: FilterModel) -> None:
        self._limits = limits
        self._filter_model = filter_model
        self._child: Child | None = None
        self._folders: tuple[list[str], list[str]] = ([], [])

    async def ask(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises PictureError when the child does not answer in time, or dies although it was fresh.
        """
        folders = _folders(request)
        fresh = self._child is None or not self._child.is_running or self._folders != folders
        try:
            child = await self._running(folders)
            answer = await self._answer(child, kind, request)
        except BaseException:
            await self.stop()  # also when cancelled: the late answer must not reach the next picture
            raise
        if answer is not None and (fresh or not _lacked_memory(answer)):
            return answer
        end = await child.ended(_STATUS_SECONDS) if answer is None else ""
        await self.stop()
        if not fresh:
            # It may have died while idle, or be full of what it read before: a fresh one's end is the picture's.
            return await self.ask(kind, request)
        raise PictureError(PictureReason.CORRUPT, f"the decoder {end}", what="crash")

    async def _answer(self, child: Child, kind: str, request: dict[str, Any]) -> dict[str, Any] | None:
        seconds = self._limits.seconds
        try:
            async with asyncio.timeout(seconds):
                return await child.ask(kind, **request)
        except TimeoutError:
            raise PictureError(
                PictureReason.TOO_SLOW, f"not decoded in {seconds} s", what="time", seconds=seconds
            ) from None

    async def _running(self, folders: tuple[list[str], list[str]]) -> Child:
        if self._child is not None and self._child.is_running and self._folders == folders:
            return self._child
        await self.stop()
        self._folders = folders
        arguments = (dataclasses.asdict(self._limits), self._filter_model.to_json(), *folders)
        command = (*_COMMAND, *map(json.dumps, arguments))
        self._child = child = await Child.spawn(command, _LEAN, lambda: "picture child:")
        async with asyncio.timeout(_START_SECONDS):
            if await child.receive() is None:
                end = await child.ended(_STATUS_SECONDS)
                raise RuntimeError(f"the picture child did not start; it {end}: {end.last_words}")
        return child

    async def stop(self) -> None:
        """End the process, if there is one and it still runs."""
        child, self._child = self._child, None
        # The system may have given the number of one that died while idle to another process and its group.
        if child is not None and child.is_running:
            await child.kill()


def _lacked_memory(answer: dict[str, Any]) -> bool:
    return bool(answer["type"] == "refused" and answer["error"]["data"].get("what") == "memory")


def _folders(request: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the folders that a request reads from, a link's own one too, and those that it writes to."""
    source = request["source"].absolute()
    targets = [request["target"].absolute()] if "target" in request else []
    return [str(path.parent) for path in (source, source.resolve())], [str(path.parent) for path in targets]


def _prepared(answer: dict[str, Any]) -> Prepared:
    match answer["type"]:
        case "unwritable":
            raise OSError(*answer["os_error"])  # no room for the target: not the picture's fault
        case "refused":
            data = dict(answer["error"]["data"])
            raise PictureError(PictureReason(data.pop("reason")), answer["error"]["text"], **data)
    values = answer["prepared"]
    notes = tuple(Note(**note) for note in values["notes"])
    return Prepared(**values | {"shape": Shape(values["shape"]), "notes": notes})


# -- the child's side


def _serve(limits: PictureLimits, model: FilterModel, sources: list[str], targets: list[str]) -> None:
    """Be the child: answer one line for each line until end of file."""
    import resource

    own = () if model.path is None else (model.path.absolute().parent,)
    confine(Confinement(readable=(*map(Path, sources), *own), writable=tuple(map(Path, targets))))
    from generator.picture import image

    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes + MODEL_BYTES))
    image.allow_formats(max_pixels=limits.max_pixels)
    answers = keep_libraries_quiet()
    answers.write(to_line("ready"))
    for line in sys.stdin.buffer:
        # The parent counts the time too. This timer also ends a child whose parent is gone.
        signal.setitimer(signal.ITIMER_REAL, limits.seconds + 1)
        kind, facts = _answer(from_line(line), limits, model)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(to_line(kind, **facts))


def _answer(request: dict[str, Any], limits: PictureLimits, model: FilterModel) -> tuple[str, dict[str, Any]]:
    """Do one request, and return the kind of the answer and its keys."""
    if request["type"] == "judge":
        from generator.picture.filter.classifier import judge

        return judge(Path(request["source"]), int(request["count"]), model)
    if request["type"] == "credentials":
        from generator.video.credentials.manifest import check

        found = check(Path(request["source"]), request["ours"])
        return "credentials", {"credentials": dataclasses.asdict(found)}
    if request["type"] == "recipe":
        from generator.video.recipe import read_settings, used_fast_math

        source = Path(request["source"])
        settings = read_settings(source)
        return "recipe", {"settings": settings and settings.to_json(), "fast_math": used_fast_math(source)}
    return _prepare(request, limits)


def _prepare(request: dict[str, Any], limits: PictureLimits) -> tuple[str, dict[str, Any]]:
    from generator.picture import image
    from generator.picture.scans import refuse_endless_scans
    from generator.process.durable import written_aside

    shape, framing = Shape(request["shape"]), Framing(request["framing"])
    sizes = {kind: (width, height) for kind, (width, height) in request["sizes"].items()}
    try:
        refuse_endless_scans(Path(request["source"]))
        framed = image.conditioning_image(Path(request["source"]), sizes, shape, framing, limits)
    except PictureError as error:
        return "refused", {"error": error.to_wire()}
    try:
        with written_aside(Path(request["target"])) as aside:
            framed.picture.save(aside, "PNG", compress_level=1)
    except OSError as error:
        return "unwritable", {"os_error": [error.errno, error.strerror]}
    prepared = Prepared(
        width=framed.picture.width,
        height=framed.picture.height,
        shape=framed.shape,
        source_width=framed.source_size[0],
        source_height=framed.source_size[1],
        notes=framed.notes,
        hash=framed.hash,
    )
    return "prepared", {"prepared": dataclasses.asdict(prepared)}


if __name__ == "__main__":
    _limits, _model, *_both = map(json.loads, sys.argv[1:])
    _serve(PictureLimits(**_limits), FilterModel.from_json(_model), *_both)
