"""Encode frames to an MP4, GIF or WebP within a byte budget. Knows numpy, Pillow and ffmpeg, no torch.

An MP4 or WebP is encoded while its frames still arrive. A clip over its budget is encoded again from the frames, which
are kept, on one step of `generator.video.size_ladder` after the other. Frames that are interpolated are not kept: each
encoding makes them anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from generator.clip import SMOOTH_FPS, Format, Loop
from generator.errors import EncodingFailed
from generator.process.durable import disk_watched, publish
from generator.protocol import Hooks, Note, Phase, Progress
from generator.variants import Size
from generator.video.anew.kept_frames import KeptFrames
from generator.video.clip_file import ClipFormat, EncodedClip
from generator.video.encoders import Encoder, Encoding, open_encoder
from generator.video.ffmpeg import Frame
from generator.video.formats.gif import FASTEST_GIF_FPS
from generator.video.formats.webp import guess_step
from generator.video.frames import Frames, Smoothed, base_size, resized, scaled, slowed
from generator.video.recipe import write_recipe
from generator.video.size_ladder import SizeStep, next_step, size_ladder, size_notes
from generator.video.timing.loops import looped

NOBODY = Hooks(lambda progress: None, lambda: None)
"""hooks of a clip that nobody watches or cancels"""


@dataclass(slots=True)
class _Watch:
    """Asks whether to go on, and tells how far the first encoding is. Later ones repeat its end as a sign of life."""

    hooks: Hooks
    of: int
    count_done: Callable[[], int]
    _before: int = -1
    _farthest: int = 0

    def __call__(self) -> None:
        done = self.count_done()
        if done != self._before:  # an encoder that hangs must stay silent
            self._before, self._farthest = done, max(self._farthest, min(done, self.of))
            self.hooks.progress(Progress(Phase.ENCODE, self._farthest, self.of))
        self.hooks.check()


@dataclass(frozen=True, slots=True)
class Scene:
    """The frames that the file shall hold, and how many of them play in a second."""

    frames: Frames
    fps: float
    notes: tuple[Note, ...] = ()


class ClipWriter:
    """Writes a clip's file from frames that come one by one; as a context manager it deletes the file on errors."""

    def __init__(
        self, path: Path, clip: ClipFormat, master_path: Path | None = None, frames_path: Path | None = None
    ) -> None:
        self._path, self._clip, self._master_path = path, clip, master_path
        self._kept = KeptFrames(frames_path, clip)
        self._aside = path.with_name(f".{path.name}.part")
        self._smaller = path.with_name(f".{path.name}.smaller.part")
        self._trial = path.with_name(f".{path.name}.trial.part")
        self._base = base_size(clip)
        self._frames: list[Frame] = []
        self._first = size_ladder(clip.format, frames=1)[0]
        self._encoder: Encoder | None = None
        self._watch = _Watch(NOBODY, 0, self._count_done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.abort()

    def add(self, frame: Frame) -> None:
        """Add the next frame, uint8, height x width x 3, RGB, which must not change afterwards.

        Raises ValueError on a frame of another shape or type.
        """
        if frame.shape != (self._clip.height, self._clip.width, 3) or frame.dtype != np.uint8:
            raise ValueError(f"a frame of {frame.shape} {frame.dtype} does not fit the clip")
        if not self._frames and self._may_begin:
            with disk_watched():
                self._encoder = self._open(self._first, self._clip.playback_fps, self._aside, live=True)
        self._kept.add(frame)
        frame = resized(frame, self._base)
        self._frames.append(frame)
        if self._encoder is not None:
            self._encoder.add(frame, self._watch)

    @property
    def _may_begin(self) -> bool:
        """Whether frames can be encoded as they come: nothing is changed about them afterwards."""
        is_ready = self._clip.loop in (Loop.NONE, Loop.BOOMERANG) and not self._clip.smooth
        return is_ready and self._clip.format is not Format.GIF

    @property
    def _is_interpolated(self) -> bool:
        return self._clip.smooth and self._clip.playback_fps < SMOOTH_FPS

    @property
    def _is_planar(self) -> bool:
        return self._is_interpolated and self._clip.format is Format.MP4

    def abort(self) -> None:
        """Stop encoding and delete what was written. After `finish` it does nothing."""
        self._kept.kill()
        self._clear()

    def _clear(self) -> None:
        if self._encoder is not None:
            self._encoder.kill()
            self._encoder = None
        for path in (self._aside, self._smaller, self._trial):
            path.unlink(missing_ok=True)
        self._frames.clear()

    def finish(self, hooks: Hooks = NOBODY) -> EncodedClip:
        """Return the clip once it is complete at its path, within its budget.

        Raises EncodingFailed, DiskFull, what `hooks.check` raises, and ValueError when there is no frame.
        """
        if not self._frames:
            raise ValueError("a clip has at least one frame")
        clip = self.write(self._scene(), hooks)
        return replace(clip, frames_path=self._kept.finish())

    def write(self, scene: Scene, hooks: Hooks = NOBODY) -> EncodedClip:
        """Do what `finish` does with these frames; those that were added are the first of them."""
        self._watch.hooks, self._watch.of = hooks, len(scene.frames)
        try:
            with disk_watched():
                return self._write(scene)
        finally:
            self._clear()

    def _scene(self) -> Scene:
        """Return the added frames as they shall play: looped, interpolated, and no faster than the format plays."""
        frames, notes = looped(self._frames, self._clip.loop)
        fps = float(self._clip.playback_fps)
        if self._is_interpolated:
            smoothed = Smoothed(frames, fps, self._clip.loop, self._watch, planar=self._is_planar)
            return Scene(smoothed, SMOOTH_FPS, notes)
        if self._clip.format is Format.GIF and fps > FASTEST_GIF_FPS:
            notes += (Note("frame-rate", {"fps": FASTEST_GIF_FPS, "from_fps": fps, "why": "gif"}),)
            return Scene(slowed(frames, fps, FASTEST_GIF_FPS), FASTEST_GIF_FPS, notes)
        return Scene(frames, fps, notes)

    def _write(self, scene: Scene) -> EncodedClip:
        added = len(self._frames)
        if self._encoder is None:
            first = self._open(self._first, scene.fps, self._aside, is_quick=self._is_interpolated)
            self._encoder, added = first, 0
        step, master = self._first, None
        count = added + self._encode(scene.frames, self._aside, start=added)
        if self._aside.stat().st_size > self._clip.max_bytes:
            step, count = self._shrink(scene)
            master = self._keep_master()
            self._smaller.replace(self._aside)
        size = self._size_on(step)
        encoded = EncodedClip(
            path=self._path,
            bytes=self._aside.stat().st_size,
            width=size[0],
            height=size[1],
            frames=count,
            playback_fps=scene.fps / step.every,
            seconds=count * step.every / scene.fps,
            notes=scene.notes + size_notes(self._base, size, scene.fps, step),
            master_path=master,
        )
        publish(self._aside, self._path)
        return encoded

    def _shrink(self, scene: Scene) -> tuple[SizeStep, int]:
        """Find the best step that fits and leave its file at `_smaller`. Return it and its number of frames.

        Raises EncodingFailed when none fits.
        """
        max_bytes = self._clip.max_bytes
        steps = size_ladder(self._clip.format, len(scene.frames))
        sizes, best = {0: self._aside.stat().st_size}, None
        index = next_step(steps, sizes, max_bytes)
        if self._clip.format is Format.WEBP and self._frames:
            index = guess_step(steps, self._frames, len(scene.frames), max_bytes)
        while index is not None:
            step = steps[index]
            self._encoder = self._open(step, scene.fps / step.every, self._trial)
            count = self._encode(scene.frames, self._trial, every=step.every)
            sizes[index] = self._trial.stat().st_size
            if sizes[index] <= max_bytes:
                best = step, count
                self._trial.replace(self._smaller)
            index = next_step(steps, sizes, max_bytes)
        if best is None:
            raise EncodingFailed(
                f"no step of the size ladder fits into {max_bytes} bytes", why="budget", max_bytes=max_bytes
            )
        return best

    def _encode(self, frames: Frames, path: Path, *, start: int = 0, every: int = 1) -> int:
        """Add frames to the open encoder, finish its file and write the recipe into it. Return how many were added."""
        assert self._encoder is not None
        count, each = 0, iter(frames)
        try:
            for frame in itertools.islice(each, start, None, every):
                self._encoder.add(frame, self._watch)
                self._watch()
                count += 1
        finally:
            if isinstance(each, Generator):
                each.close()  # ends the ffmpeg that makes the frames
        self._encoder.finish(self._watch)
        self._watch()
        self._encoder = None
        write_recipe(path, self._clip.format, self._clip.recipe)
        return count

    def _count_done(self) -> int:
        return self._encoder.done if self._encoder is not None else 0

    def _keep_master(self) -> Path | None:
        if self._master_path is not None:
            publish(self._aside, self._master_path)
        return self._master_path

    def _size_on(self, step: SizeStep) -> Size:
        return scaled(self._base, step.scale)

    def _open(self, step: SizeStep, fps: float, path: Path, *, live: bool = False, is_quick: bool = False) -> Encoder:
        encoding = Encoding(
            format=self._clip.format,
            source=self._base,
            size=self._size_on(step),
            fps=fps,
            quality=step.quality,
            live=live,
            is_quick=is_quick,
            planar=self._is_planar,
        )
        return open_encoder(encoding, path)
