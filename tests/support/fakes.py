"""Doubles that enter by constructor: a backend that plays a script, and the command of an executor without torch."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from PIL import Image

from generator.clip import ClipSettings, Format
from generator.errors import ExecutorLost, RenderError
from generator.protocol import Note, Phase, Progress, Rendered, RenderRequest

FAKE_EXECUTOR = (sys.executable, "-m", "tests.support.fake_executor")
"""The real executor loop around a renderer without torch; see that module for the faults it plays."""

CLIP_WIDTH, CLIP_HEIGHT, CLIP_FRAMES = 64, 36, 5

ProgressCallback = Callable[[Progress], None]


@functools.cache
def tiny_clip(format: Format = Format.MP4) -> bytes:
    """Return a real, playable clip of 64x36 and 5 frames."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{format}"
        source = f"testsrc=size={CLIP_WIDTH}x{CLIP_HEIGHT}:rate=7:duration={CLIP_FRAMES / 7:.3f}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source]
        subprocess.run(
            [*command, "-pix_fmt", "yuv420p", str(path)] if format is Format.MP4 else [*command, str(path)], check=True
        )
        return path.read_bytes()


def a_request(
    folder: Path, job: int = 1, *, attempt: int = 1, max_bytes: int = 10_000_000, **settings: Any
) -> RenderRequest:
    """Build a request for a small, quick clip of a real conditioning image in `folder`."""
    wanted: dict[str, Any] = {"variant": "demo", "frames": 8, "steps": 4} | settings
    picture = folder / "conditioning.png"
    if not picture.exists():
        from skimage import data  # test_gpu.py runs where it is not installed

        Image.fromarray(data.astronaut()[100:388:2, 0:512:2]).save(picture)
    clip = ClipSettings(**wanted)
    return RenderRequest(
        job=job,
        attempt=attempt,
        picture_path=picture,
        clip_path=folder / f"{job}-{attempt}.{clip.format}",
        settings=clip,
        max_bytes=max_bytes,
    )


@dataclass(frozen=True, slots=True)
class Act:
    """What the fake does with one request: some steps, then a clip, an error, or nothing until it is cancelled."""

    steps: int = 3
    step_seconds: float = 0.0
    error: RenderError | None = None
    hangs: bool = False
    notes: tuple[Note, ...] = ()
    motion: float | None = None
    preview: str = ""
    """sent with its second step"""


@dataclass
class FakeBackend:
    """A Backend without a child: plays `script` in the order of the requests, then `usual` for all others."""

    script: Iterable[Act] = ()
    usual: Act = Act()
    slots: int = 1
    encoders: int = 0
    executors: int = 1
    at_once: int | None = None
    """how many it plays at once; None: as many as it has slots"""
    requests: list[RenderRequest] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    """jobs whose render was cancelled"""
    loaded: list[str] = field(default_factory=list)
    """variants that were asked for by `preload`"""

    def __post_init__(self) -> None:
        self._script = iter(self.script)
        self._free_slots = asyncio.Semaphore(self.at_once or self.slots + self.encoders)
        self.closing = asyncio.Event()
        self.ready = asyncio.Event()

    async def start(self) -> None:
        self.ready.set()

    def describe(self) -> dict[str, Any]:
        return {"device": "fake", "variant": self.loaded[-1] if self.loaded else None}

    def preload(self, variant: str) -> None:
        self.loaded.append(variant)

    async def render(self, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        async with self._free_slots:
            self.requests.append(request)
            act = next(self._script, self.usual)
            playing = asyncio.ensure_future(self.play(act, request, on_progress))
            closing = asyncio.ensure_future(self.closing.wait())
            try:
                await asyncio.wait({playing, closing}, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                self.cancelled.append(request.job)
                raise
            finally:
                closing.cancel()
                if not playing.done():
                    playing.cancel()
            if playing.cancelled() or not playing.done():
                raise ExecutorLost("the backend is closing", cause="closed", innocent=False)
            return playing.result()

    async def close(self) -> None:
        self.closing.set()

    async def play(self, act: Act, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        """Do with one request what `act` says, however long it takes."""
        for step in range(act.steps):
            on_progress(Progress(Phase.DENOISE, step, act.steps, act.preview if step == 1 else ""))
            await asyncio.sleep(act.step_seconds)
        if act.hangs:
            await asyncio.Event().wait()
        if act.error is not None:
            raise type(act.error)(act.error.text, **act.error.data)
        clip = tiny_clip(request.settings.format)
        request.clip_path.write_bytes(clip)
        return Rendered(
            clip_path=request.clip_path,
            bytes=len(clip),
            width=CLIP_WIDTH,
            height=CLIP_HEIGHT,
            frames=CLIP_FRAMES,
            playback_fps=7.0,
            seconds=act.steps * act.step_seconds,
            notes=act.notes,
            motion=act.motion,
        )
