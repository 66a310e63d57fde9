"""One request to one complete take: the memory ladder, frame health and the one rerun. Knows no pipe and no torch.

A take is all of a clip's frames, handed to a writer that has yet to finish. What a device is, `Device` says.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from generator.clip import ClipSettings
from generator.errors import BadFrames, OutOfMemory, WeightsUnavailable
from generator.executor.frame_health import FrameHealth, Trouble
from generator.memory import GIB, MARGIN_BYTES, MemoryPlan, ladder, plan_memory
from generator.process.durable import written_aside
from generator.protocol import ExecutorConfig, Hooks, Note, Phase, Progress, RenderRequest
from generator.variants import Variant
from generator.video.encode import ClipFormat, ClipWriter
from generator.video.recipe import make_recipe

if TYPE_CHECKING:
    from generator.video.ffmpeg import Frame

log = logging.getLogger(__name__)


class Device(Protocol):
    """A GPU (or CPU) and the one variant that is loaded on it."""

    def load(self, variant: Variant, on_progress: Callable[[Progress], None]) -> None:
        """Make `variant` the loaded one. Raises WeightsUnavailable."""

    def facts(self) -> dict[str, Any]:
        """Say what this is: device, name, memory, versions, variant."""
        ...

    def free_bytes(self) -> int | None:
        """Give what a plan may use; None where memory is not the limit."""
        ...

    def frames(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        """Give the clip's frames in order. Raises BadFrames(kind="nan") when it notices."""
        ...

    def make_safer(self) -> str | None:
        """Go to a precision with more range and name it; None when this is the safest."""
        ...

    def reclaim(self) -> None:
        """Give freed memory back to the device."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Tell whether a smaller plan may help."""
        ...

    def is_fatal(self, error: BaseException) -> bool:
        """Tell whether the device cannot be used by this process any more."""
        ...

    def canary(self) -> None:
        """Compute one number on the device; raises when it cannot."""


@dataclass(frozen=True, slots=True)
class Take:
    """All frames of a clip, in a writer that has yet to finish."""

    writer: ClipWriter
    notes: tuple[Note, ...]
    seconds: float
    phase_seconds: dict[str, float]


class Rungs:
    """The memory rung that worked after a larger one had not, for each GPU and variant, remembered in a file.

    `gpu` is which of several this process holds: each has a file of its own.
    """

    def __init__(self, folder: Path | None, gpu: str = "") -> None:
        name = re.sub(r"\W+", "-", f"memory-{gpu}").strip("-")
        self._path = folder / f"{name}.json" if folder else None
        self._rungs: dict[str, tuple[str, int]] = {}
        """rung, and the bytes that were free when the larger one did not fit"""
        if self._path is not None and self._path.is_file():
            try:
                written = json.loads(self._path.read_text())
                self._rungs = {key: (str(item["rung"]), int(item["free_bytes"])) for key, item in written.items()}
            except (ValueError, TypeError, KeyError, AttributeError):
                log.warning("%s cannot be read and is written anew", self._path)

    def get(self, gpu: str, variant: str, free_bytes: int) -> str | None:
        """Give the rung to start with; None when no smaller one was ever needed with no more than this free."""
        rung, free_then = self._rungs.get(f"{gpu}/{variant}", (None, 0))
        # Another program on this GPU may have gone since: then the larger rung deserves a second try.
        return rung if free_bytes <= free_then + MARGIN_BYTES else None

    def put(self, gpu: str, variant: str, rung: str, free_bytes: int) -> None:
        """Remember a rung, and what was free when the one above it did not fit."""
        self._rungs[f"{gpu}/{variant}"] = (rung, free_bytes)
        written = {key: {"rung": name, "free_bytes": free} for key, (name, free) in self._rungs.items()}
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with written_aside(self._path) as aside:
                    aside.write_text(json.dumps(written, indent=1))
            except OSError as error:  # a full disk must not cost the clip, only the next start a try
                log.warning("cannot remember the memory rung in %s: %s", self._path, error)


@dataclass(slots=True)
class _Shot:
    """A request on its way to a take: what changes from try to try."""

    request: RenderRequest
    picture: Image.Image
    settings: ClipSettings
    plan: MemoryPlan
    hooks: Hooks
    memory: Note | None = None
    rerun: Note | None = None

    @property
    def is_safer(self) -> bool:
        return self.rerun is not None and self.rerun.data["how"] == "precision"

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(note for note in (self.memory, self.rerun) if note is not None)

    def clip_format(self, variant: Variant, facts: dict[str, Any]) -> ClipFormat:
        """Give what the writer needs to know, the recipe in the clip's metadata among it."""
        width, height = self.picture.size
        versions = {name: facts[name] for name in ("torch", "diffusers") if name in facts}
        recipe = make_recipe(self.settings, variant, memory=self.plan.rung, **versions)
        return ClipFormat(
            format=self.settings.format,
            width=width,
            height=height,
            playback_fps=self.settings.playback_fps,
            max_bytes=self.request.max_bytes,
            loop=self.settings.loop,
            smooth=self.settings.smooth,
            recipe=recipe | self.request.recipe,
        )


@dataclass(slots=True)
class Studio:
    """Makes takes on one device, and remembers which memory plan fitted."""

    config: ExecutorConfig
    device: Device
    rungs: Rungs
    loaded: str | None = None
    """the variant on the device"""

    def load(self, name: str, on_progress: Callable[[Progress], None]) -> None:
        """Load a variant unless it is the loaded one. Raises WeightsUnavailable."""
        if self.loaded == name:
            return
        if name not in self.config.variants:
            remedy = f"Choose one of: {', '.join(sorted(self.config.variants))}."
            raise WeightsUnavailable(f"no variant {name}", variant=name, why="missing", remedy=remedy)
        self.loaded = None
        self.device.load(self.config.variants[name], on_progress)
        self.loaded = name

    def shoot(self, request: RenderRequest, hooks: Hooks) -> Take:
        """Render a request's frames. Raises Cancelled, a RenderError, or whatever the device raised."""
        started = since = time.monotonic()
        phase, seconds = Phase.PREPARE, dict[str, float]()

        def clock(item: Progress) -> None:
            nonlocal phase, since
            now = time.monotonic()
            spent_in = item.phase if item.step else phase  # progress tells of finished steps, step 0 of none
            seconds[spent_in] = seconds.get(spent_in, 0.0) + now - since
            phase, since = item.phase, now
            hooks.progress(item)

        clock(Progress(Phase.PREPARE))
        with Image.open(request.picture_path) as image:
            picture = image.convert("RGB")
        plan = self._first_plan(request.settings, picture.size)
        shot = _Shot(request, picture, request.settings, plan, Hooks(clock, hooks.check))
        writer = self._film(shot)
        clock(Progress(Phase.ENCODE))
        return Take(writer, shot.notes, time.monotonic() - started, seconds)

    def _film(self, shot: _Shot) -> ClipWriter:
        """Try until a take is complete and healthy: a rung down after each out-of-memory, one rerun for bad frames."""
        while True:
            try:
                writer, trouble = self._film_once(shot)
            except (RuntimeError, MemoryError) as error:  # torch's out-of-memory errors are RuntimeErrors
                if not self.device.is_out_of_memory(error):
                    raise
                reason = str(error)
            else:
                if trouble is None:
                    return writer
                writer.abort()
                self._prepare_rerun(shot, trouble)
                continue
            self.device.reclaim()  # outside the except block: inside it the traceback still holds the tensors
            self._step_down(shot, reason)

    def _film_once(self, shot: _Shot) -> tuple[ClipWriter, Trouble | None]:
        health = FrameHealth(np.asarray(shot.picture))
        clip = shot.clip_format(self.config.variants[shot.settings.variant], self.device.facts())
        writer = ClipWriter(shot.request.clip_path, clip, shot.request.master_path)
        try:
            for frame in self.device.frames(shot.picture, shot.settings, shot.plan, shot.hooks):
                health.add(frame)
                writer.add(frame)
                shot.hooks.check()
        except BadFrames:
            return writer, Trouble.NAN
        except BaseException:
            writer.abort()
            raise
        return writer, health.verdict()

    def _prepare_rerun(self, shot: _Shot, trouble: Trouble) -> None:
        """Change what may mend the frames. Raises BadFrames when this was the rerun already."""
        log.warning("job=%d bad frames: %s", shot.request.job, trouble)
        if shot.rerun is not None:
            raise BadFrames(f"the frames are {trouble}, also after a rerun", kind=str(trouble))
        precision = self._make_safer() if trouble in (Trouble.NAN, Trouble.BLACK) else None
        if precision is None:
            seed = (shot.settings.seed + 1) % 2**32
            shot.settings = dataclasses.replace(shot.settings, seed=seed)
            shot.rerun = Note("rerun", {"why": str(trouble), "how": "seed", "seed": seed})
        else:
            shot.rerun = Note("rerun", {"why": str(trouble), "how": "precision", "precision": precision})

    def _make_safer(self) -> str | None:
        """Go to a safer precision for this clip alone; being slower and larger, it is not what the next one finds."""
        loaded, self.loaded = self.loaded, None  # also where loading it fails halfway
        precision = self.device.make_safer()
        if precision is None:
            self.loaded = loaded
        return precision

    # -- memory

    def _first_plan(self, settings: ClipSettings, size: tuple[int, int]) -> MemoryPlan:
        """Choose by free memory, then go down to the rung that this GPU needed when no less was free."""
        variant = self.config.variants[settings.variant]
        stock = self.config.pipeline == "stock"
        free = self.device.free_bytes()
        wish, compile = self.config.memory, self.config.compile
        plan = plan_memory(free, variant, *size, settings.frames, wish, stock=stock, compile=compile)
        remembered = self.rungs.get(self._gpu(), settings.variant, free or 0)
        below: MemoryPlan | None = plan
        while below is not None and below.rung != remembered:
            below = ladder(below, *size, settings.frames)
        if below is None:
            return plan
        if compile:
            log.info("not compiling: this GPU was out of memory before; memory*.json in the state folder remembers it")
        return dataclasses.replace(below, compile=False)

    def _step_down(self, shot: _Shot, reason: str) -> None:
        """Take the next smaller plan and remember it. Raises OutOfMemory below the last one."""
        smaller = ladder(shot.plan, *shot.picture.size, shot.settings.frames)
        if smaller is None:
            needed, free = shot.plan.peak_bytes / GIB, (self.device.free_bytes() or 0) / GIB
            raise OutOfMemory(
                f"out of memory with the smallest plan, {shot.plan.rung}: {reason}",
                needed_gib=round(needed, 2),
                free_gib=round(free, 2),
            )
        log.warning("job=%d out of memory on rung %s, going on with %s", shot.request.job, shot.plan.rung, smaller.rung)
        if smaller.rung != shot.plan.rung:
            shot.memory = Note("memory", {"rung": smaller.rung})
        shot.plan = smaller
        if not shot.is_safer:
            self.rungs.put(self._gpu(), shot.settings.variant, smaller.rung, self.device.free_bytes() or 0)

    def _gpu(self) -> str:
        facts = self.device.facts()
        return f"{facts.get('name')}/{facts.get('vram_gib')}"
