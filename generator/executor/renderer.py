"""One request to all of its frames: a smaller memory plan after each out-of-memory, one rerun after bad frames.

The frames go to a writer, which the encoder thread finishes later. This knows no pipe and no torch.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from generator.clip import ClipSettings, Loop
from generator.errors import BadFrames, WeightsUnavailable
from generator.executor.device import Device
from generator.executor.drafts import draft_sheet
from generator.executor.frame_health import FrameHealth, Trouble
from generator.executor.motion import MotionMeter
from generator.executor.previews import Previews
from generator.executor.rungs import Planner
from generator.memory import MemoryPlan
from generator.protocol import ExecutorConfig, Hooks, Note, Phase, Progress, RenderRequest
from generator.variants import Variant
from generator.video.clip_file import ClipFormat
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import Frame
from generator.video.recipe import make_recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RenderedFrames:
    """All frames of one render, in a writer that has yet to finish."""

    writer: ClipWriter
    notes: tuple[Note, ...]
    seconds: float
    """how long the render held the device"""
    phase_seconds: dict[str, float]
    plan: str
    """the rung that it ended with"""
    motion: float | None = None
    """as in `Rendered`"""


@dataclass(slots=True)
class _PhaseClock:
    """Measures how long a render is in each phase, from the progress that passes through."""

    on_progress: Callable[[Progress], None]
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    _phase: Phase = Phase.PREPARE
    _since: float = field(default_factory=time.monotonic)

    def pass_on(self, item: Progress) -> None:
        now = time.monotonic()
        spent_in = item.phase if item.step else self._phase  # progress is sent for finished steps, step 0 is none
        self.seconds[spent_in] = self.seconds.get(spent_in, 0.0) + now - self._since
        self._phase, self._since = item.phase, now
        self.on_progress(item)


@dataclass(slots=True)
class _Render:
    """A request while it is rendered: what changes when it is rendered again."""

    request: RenderRequest
    picture: Image.Image
    settings: ClipSettings
    plan: MemoryPlan
    hooks: Hooks
    memory: Note | None = None
    rerun: Note | None = None
    fast_math: Note | None = None
    motion: float | None = None

    @property
    def is_safer(self) -> bool:
        return self.rerun is not None and self.rerun.data["how"] == "precision"

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(note for note in (self.memory, self.rerun, self.fast_math) if note is not None)

    def clip_format(self, variant: Variant, facts: dict[str, Any]) -> ClipFormat:
        """Return what the writer needs to know, with the recipe for the clip's metadata."""
        width, height = self.picture.size
        told: dict[str, Any] = {name: facts[name] for name in ("torch", "diffusers") if name in facts}
        told |= {"fast_math": True} if facts.get("fast_math") else {}
        return ClipFormat(
            format=self.settings.format,
            width=width,
            height=height,
            playback_fps=self.settings.playback_fps,
            max_bytes=self.request.max_bytes,
            loop=Loop.NONE if self.settings.drafts and self.settings.loop is not Loop.BOOMERANG else self.settings.loop,
            smooth=self.settings.smooth and not self.settings.drafts,
            recipe=make_recipe(self.settings, variant, memory=self.plan.rung, **told),
        )


@dataclass(slots=True)
class Renderer:
    """Renders requests on one device, one after the other."""

    config: ExecutorConfig
    device: Device
    planner: Planner
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

    def facts(self) -> dict[str, Any]:
        """Return what the device is, and the rung that the loaded variant's usual clip would get; none: no room."""
        facts = self.device.facts()
        return facts if self.loaded is None else facts | {"plan": self.planner.expected(self.loaded)}

    def render(self, request: RenderRequest, hooks: Hooks) -> RenderedFrames:
        """Render a request's frames. Raises Cancelled, a RenderError, or whatever the device raised."""
        clock = _PhaseClock(hooks.progress)
        clock.pass_on(Progress(Phase.PREPARE))
        with Image.open(request.picture_path) as image:
            picture = image.convert("RGB")
        settings = self.config.variants[request.settings.variant].limited(request.settings)
        plan = self.planner.first(settings, picture.size)
        render = _Render(request, picture, settings, plan, self._hooks(settings, clock, hooks))
        writer = self._until_healthy(render)
        clock.pass_on(Progress(Phase.ENCODE))
        seconds = time.monotonic() - clock.began
        return RenderedFrames(writer, render.notes, seconds, clock.seconds, render.plan.rung, render.motion)

    def _hooks(self, settings: ClipSettings, clock: _PhaseClock, hooks: Hooks) -> Hooks:
        colours = self.config.variants[settings.variant].colours
        if not self.config.previews or colours is None:
            return Hooks(clock.pass_on, hooks.check)
        return Hooks(clock.pass_on, hooks.check, Previews(colours).look)

    def _until_healthy(self, render: _Render) -> ClipWriter:
        """Render until the frames are complete and healthy: a rung down after each out-of-memory, one rerun."""
        while True:
            try:
                writer, trouble = self._once(render)
            except (RuntimeError, MemoryError) as error:  # torch's out-of-memory errors are RuntimeErrors
                if not self.device.is_out_of_memory(error):
                    raise
                reason = str(error)
            else:
                if trouble is None:
                    return writer
                writer.abort()
                self._prepare_rerun(render, trouble)
                continue
            self.device.reclaim()  # outside the except block: inside it the traceback still holds the tensors
            self._step_down(render, reason)

    def _once(self, render: _Render) -> tuple[ClipWriter, Trouble | None]:
        is_clip = not render.settings.drafts  # a sheet of drafts is no picture in motion
        health, motion = FrameHealth(np.asarray(render.picture)), MotionMeter()
        facts = self.device.facts()
        render.fast_math = Note("fast-math") if facts.get("fast_math") else None
        clip = render.clip_format(self.config.variants[render.settings.variant], facts)
        request = render.request
        frames_path = None if render.settings.drafts else request.frames_path
        writer = ClipWriter(request.clip_path, clip, request.master_path, frames_path)
        try:
            for frame in self._frames(render):
                if is_clip:
                    health.add(frame)
                    motion.add(frame)
                writer.add(frame)
                render.hooks.check()
        except BadFrames:
            return writer, Trouble.NAN
        except BaseException:
            writer.abort()
            raise
        render.motion = motion.percent() if is_clip else None
        return writer, health.trouble() if is_clip else None

    def _frames(self, render: _Render) -> Iterator[Frame]:
        """Yield the clip's frames, or those of the sheet with its drafts."""
        picture, settings, plan, hooks = render.picture, render.settings, render.plan, render.hooks
        if not settings.drafts:
            return self.device.frames(picture, settings, plan, hooks)
        return draft_sheet(picture, settings, lambda one, its: self.device.frames(picture, one, plan, its), hooks)

    def _prepare_rerun(self, render: _Render, trouble: Trouble) -> None:
        """Change what may mend the frames. Raises BadFrames when this was the rerun already."""
        log.warning("job=%d bad frames: %s", render.request.job, trouble)
        if render.rerun is not None:
            raise BadFrames(f"the frames are {trouble}, also after a rerun", kind=str(trouble))
        precision = self._make_safer() if trouble in (Trouble.NAN, Trouble.BLACK) else None
        if precision is None and render.settings.drafts:  # their buttons know the seeds
            raise BadFrames(f"the drafts are {trouble}", kind=str(trouble))
        if precision is None:
            seed = (render.settings.seed + 1) % 2**32
            render.settings = dataclasses.replace(render.settings, seed=seed)
            render.rerun = Note("rerun", {"why": str(trouble), "how": "seed", "seed": seed})
        else:
            render.rerun = Note("rerun", {"why": str(trouble), "how": "precision", "precision": precision})

    def _make_safer(self) -> str | None:
        """Change to a safer precision for this clip alone: it is slower and larger, so the next clip loads again."""
        loaded, self.loaded = self.loaded, None  # also where loading it fails halfway
        precision = self.device.make_safer()
        if precision is None:
            self.loaded = loaded
        return precision

    def _step_down(self, render: _Render, reason: str) -> None:
        """Change to the next smaller plan and remember this one. Raises OutOfMemory below the last one."""
        before = render.plan
        render.plan = self.planner.below(before, render.settings, render.picture.size, reason)
        rung = render.plan.rung
        log.warning("job=%d out of memory on rung %s, going on with %s", render.request.job, before.rung, rung)
        if rung != before.rung:
            render.memory = Note("memory", {"rung": rung})
        if not render.is_safer:
            self.planner.remember(before, render.settings)
