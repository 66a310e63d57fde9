"""The actor of one graphics card: a LocalBackend around the ordinary executor of its node. Imports no ray.

Two kinds of streams leave it: `watch`, and one `render` for each request. Pictures come and clips go as bytes.

Tested in tests/generator/backend/cluster/test_cluster.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from generator.backend.backend import ExecutorState
from generator.backend.cluster.on_node.fence import Fence
from generator.backend.cluster.on_node.folders import LEAVING, WORK, WorkFolder, node_folder
from generator.backend.cluster.on_node.versions import find_mismatch, own_versions
from generator.backend.cluster.seam import Key
from generator.backend.local_backend import LocalBackend
from generator.errors import RenderCrashed, RenderError
from generator.protocol import Progress, Rendered, RenderRequest, config_from_wire, request_from_wire

_PART_BYTES = 4 * 1024 * 1024
"""of a clip that are in Ray's object store at once, so that the store stays small"""
_LOOK_SECONDS = 0.5


class Card:
    """Renders on one card of its node until its bridge or its node is gone."""

    command: ClassVar[Sequence[str]] = (sys.executable, "-m", "generator.executor")
    make_fence: ClassVar[type[Fence]] = Fence

    def __init__(self, config: dict[str, Any], bridge_versions: dict[str, str]) -> None:
        self._mismatch = find_mismatch(bridge_versions, own_versions())
        self._root = node_folder()
        self._folder = WorkFolder(self._root / WORK)
        self._fence = self.make_fence(self._end)
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._renders: dict[Key, asyncio.Task[Rendered]] = {}
        self._cancelled: set[Key] = set()
        # Ray sets it to 1 for an actor that asks for no CPU; how many threads an executor takes is its own affair.
        os.environ.pop("OMP_NUM_THREADS", None)
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as Ray numbers the cards
        wire = config | {"state_folder": str(self._root / "executor")}
        self._backend = LocalBackend(config_from_wire(wire), command=self.command, on_state=self._tell)

    async def watch(self) -> AsyncIterator[dict[str, Any]]:
        """Start the executor, and yield what becomes of it: a state and its facts."""
        self._fence.start()
        if self._mismatch is not None:
            yield {"state": "mismatch", "facts": {"problem": self._mismatch}}
        else:
            await self._backend.start()
            yield {"state": "starting", "facts": own_versions()}
        asyncio.get_running_loop().create_task(self._look_whether_it_leaves())
        while True:
            yield await self._said.get()

    async def render(self, wire: dict[str, Any], picture: bytes) -> AsyncIterator[dict[str, Any]]:
        """Yield the progress of one request, then the bytes of its files, then its one answer.

        progress (as on the pipe), part (`of`: clip, master or frames; `bytes`), then rendered (`facts`), failed
        (`error`) or cancelled.
        """
        request = self._here(wire)
        key = request.job, request.attempt
        try:
            await asyncio.to_thread(request.picture_path.write_bytes, picture)
            events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
            self._renders[key] = task = asyncio.create_task(self._backend.render(request, _put_into(events)))
            task.add_done_callback(lambda done: events.put_nowait(None))
            if key in self._cancelled:
                task.cancel()
            while (event := await events.get()) is not None:
                yield event
            for event in _parts(task):
                yield event
            answer = _answer(task)
            self._forget(key, request)  # before the answer is heard
            yield answer
        finally:
            self._forget(key, request)

    async def cancel(self, job: int, attempt: int) -> None:
        """Stop a render, also one whose request is still on its way."""
        self._cancelled.add((job, attempt))
        if task := self._renders.get((job, attempt)):
            task.cancel()

    async def preload(self, variant: str) -> None:
        """Load a variant as soon as the card is free."""
        self._backend.preload(variant)

    async def beat(self) -> None:
        """Note that the bridge lives."""
        self._fence.beat()

    def _tell(self, state: ExecutorState, facts: dict[str, Any]) -> None:
        self._said.put_nowait({"state": str(state), "facts": facts})

    def _here(self, wire: dict[str, Any]) -> RenderRequest:
        """Return the request with paths of this node: the bot's own mean nothing here."""
        stem = self._folder.path / f"{int(wire['job'])}-{int(wire['attempt'])}"
        suffix = Path(str(wire["clip_path"])).suffix
        master = f"{stem}.master{suffix}" if wire.get("master_path") else None
        frames = f"{stem}.frames.mp4" if wire.get("frames_path") else None
        here = {"picture_path": f"{stem}.png", "clip_path": f"{stem}.clip{suffix}", "master_path": master}
        return request_from_wire(wire | here | {"frames_path": frames})

    def _forget(self, key: Key, request: RenderRequest) -> None:
        self._cancelled.discard(key)
        if task := self._renders.pop(key, None):
            task.cancel()  # nobody reads the stream any more
        for path in (request.picture_path, request.clip_path, request.master_path, request.frames_path):
            if path is not None:
                path.unlink(missing_ok=True)

    async def _look_whether_it_leaves(self) -> None:
        while not (self._root / LEAVING).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(_LOOK_SECONDS)
        self._said.put_nowait({"state": LEAVING, "facts": {}})

    def _end(self) -> None:
        """End this process; its executor follows, as its parent is gone."""
        self._folder.delete()
        os._exit(1)


def _put_into(events: asyncio.Queue[dict[str, Any] | None]) -> Callable[[Progress], None]:
    return lambda item: events.put_nowait({"type": "progress", **dataclasses.asdict(item)})


def _parts(task: asyncio.Task[Rendered]) -> list[dict[str, Any]]:
    """Return the files of a render in parts; nothing when it has none."""
    if task.cancelled() or task.exception() is not None:
        return []
    rendered = task.result()
    return [
        {"type": "part", "of": of, "bytes": part}
        for of in ("frames", "master", "clip")
        if (path := getattr(rendered, f"{of}_path")) is not None
        for part in _cut(path)
    ]


def _cut(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[begin : begin + _PART_BYTES] for begin in range(0, len(data), _PART_BYTES)]


def _answer(task: asyncio.Task[Rendered]) -> dict[str, Any]:
    if task.cancelled():
        return {"type": "cancelled"}
    match task.exception():
        case None:
            nowhere = dict.fromkeys(("clip_path", "master_path", "frames_path"))
            facts = dataclasses.asdict(task.result()) | nowhere
            return {"type": "rendered", "facts": facts}
        case RenderError() as error:
            return {"type": "failed", "error": error.to_wire()}
        case error:
            return {"type": "failed", "error": RenderCrashed(str(error), type=type(error).__name__).to_wire()}
