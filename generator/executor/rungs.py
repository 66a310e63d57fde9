"""Which memory plan a clip is rendered with: by free memory, by what this GPU needed before, smaller when it must.

Plans and their predicted peaks come from `generator.memory`. This knows no frames and no torch.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from generator.clip import ClipSettings
from generator.errors import OutOfMemory
from generator.executor.device import Device
from generator.memory import GIB, MARGIN_BYTES, ClipSize, MemoryPlan, PipelineKind, plan_memory, smaller_plan
from generator.process.durable import written_aside
from generator.protocol import ExecutorConfig

log = logging.getLogger(__name__)


class RememberedRungs:
    """The rung that worked after a larger one had not, for each GPU and variant, kept in a file.

    `gpu` says which of several GPUs this process holds: each has a file of its own.
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
        """Return the rung to start with; None when no smaller one was ever needed with no more than this free."""
        rung, free_then = self._rungs.get(f"{gpu}/{variant}", (None, 0))
        # Another program on this GPU may have ended since: then the larger rung is tried again.
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
            except OSError as error:  # a full disk must not cost the clip, only one more out-of-memory after a restart
                log.warning("cannot remember the memory rung in %s: %s", self._path, error)


@dataclass(frozen=True, slots=True)
class Planner:
    """Chooses the memory plans for one device."""

    config: ExecutorConfig
    device: Device
    remembered: RememberedRungs

    def first(self, settings: ClipSettings, size: tuple[int, int]) -> MemoryPlan:
        """Choose by free memory, then go down to the rung that this GPU needed when no less was free.

        `size` is width and height in pixels. Raises OutOfMemory when not even the smallest rung fits.
        """
        variant = self.config.variants[settings.variant]
        pipeline = PipelineKind(self.config.pipeline)
        free, clip = self.device.free_bytes(), ClipSize(*size, settings.frames)
        memory, compile = self.config.memory, self.config.compile
        plan = plan_memory(free, variant, clip, memory, pipeline=pipeline, compile=compile)
        remembered = self.remembered.get(self._gpu(), settings.variant, free or 0)
        below = plan if remembered else None
        while below is not None and below.rung != remembered:
            below = smaller_plan(below, clip)
        if below is None:
            return plan
        if compile:
            log.info("not compiling: this GPU was out of memory before; memory*.json in the state folder remembers it")
        return dataclasses.replace(below, compile=False)

    def below(self, plan: MemoryPlan, settings: ClipSettings, size: tuple[int, int], reason: str) -> MemoryPlan:
        """Return the next smaller plan, after `plan` ran out of memory. Raises OutOfMemory below the last one."""
        smaller = smaller_plan(plan, ClipSize(*size, settings.frames))
        if smaller is not None:
            return smaller
        needed, free = plan.peak_bytes / GIB, (self.device.free_bytes() or 0) / GIB
        raise OutOfMemory(
            f"out of memory with the smallest plan, {plan.rung}: {reason}",
            needed_gib=round(needed, 2),
            free_gib=round(free, 2),
        )

    def remember(self, variant: str, plan: MemoryPlan) -> None:
        """Let later clips of this variant begin with the plan's rung while no more memory is free than now."""
        self.remembered.put(self._gpu(), variant, plan.rung, self.device.free_bytes() or 0)

    def _gpu(self) -> str:
        facts = self.device.facts()
        return f"{facts.get('name')}/{facts.get('vram_gib')}"
