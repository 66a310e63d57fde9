"""Which memory plan a clip is rendered with: by free memory, by what this GPU needed before, smaller when it must.

Plans and their predicted peaks come from `generator.memory`. This knows no frames and no torch.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.clip import ClipSettings
from generator.errors import OutOfMemory
from generator.executor.device import Device
from generator.memory import (
    GIB,
    MARGIN_BYTES,
    ClipSize,
    MemoryPlan,
    PipelineKind,
    plan_memory,
    smaller_plan,
)
from generator.process.durable import written_aside
from generator.protocol import ExecutorConfig

log = logging.getLogger(__name__)


KEPT_SECONDS = 24 * 3600.0
"""how long a plan is not tried again: nobody knows what else had used the GPU"""


@dataclass(frozen=True, slots=True)
class Failure:
    """A plan that ran out of memory although its predicted peak should have fitted."""

    peak_bytes: int
    free_bytes: int
    """what was free then"""
    at: float
    """seconds since the epoch"""

    def covers(self, other: Failure) -> bool:
        """Tell whether `other` adds nothing to what this one says."""
        return self.peak_bytes <= other.peak_bytes and self.free_bytes >= other.free_bytes

    def holds(self, free_bytes: int, now: float) -> bool:
        """Tell whether it still says something, while so much is free."""
        # Another program on this GPU may have ended since: then the larger plan is tried again.
        return abs(now - self.at) < KEPT_SECONDS and free_bytes <= self.free_bytes + MARGIN_BYTES


class RememberedRungs:
    """The rungs that ran out of memory, for each GPU and variant, kept in a file.

    They are told apart by their predicted peaks: what a long clip did not fit into says nothing about a short one.
    `gpu` says which of several GPUs this process holds: each has a file of its own.
    """

    def __init__(self, folder: Path | None, gpu: str = "", clock: Callable[[], float] = time.time) -> None:
        name = re.sub(r"\W+", "-", f"memory-{gpu}").strip("-")
        self._path = folder / f"{name}.json" if folder else None
        self._clock = clock
        self._failures: dict[str, list[Failure]] = {}
        if self._path is not None and self._path.is_file():
            try:
                written = json.loads(self._path.read_text())
                self._failures = {key: [_failure(item) for item in items] for key, items in written.items()}
            except (ValueError, TypeError, KeyError, AttributeError):
                log.warning("%s cannot be read and is written anew", self._path)

    def get(self, gpu: str, variant: str, free_bytes: int) -> int | None:
        """Return the smallest predicted peak that did not fit with no more than this free; None when all did."""
        now = self._clock()
        failures = self._failures.get(f"{gpu}/{variant}", [])
        return min((each.peak_bytes for each in failures if each.holds(free_bytes, now)), default=None)

    def put(self, gpu: str, variant: str, peak_bytes: int, free_bytes: int) -> None:
        """Remember a plan's predicted peak, and what was free when it did not fit."""
        now = self._clock()
        new = Failure(peak_bytes, free_bytes, now)
        before = self._failures.get(f"{gpu}/{variant}", [])
        kept = [each for each in before if abs(now - each.at) < KEPT_SECONDS and not new.covers(each)]
        self._failures[f"{gpu}/{variant}"] = [*kept, new]
        written = {key: [dataclasses.asdict(each) for each in items] for key, items in self._failures.items()}
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with written_aside(self._path) as aside:
                    aside.write_text(json.dumps(written, indent=1))
            except OSError as error:  # a full disk must not cost the clip, only one more out-of-memory after a restart
                log.warning("cannot remember in %s what did not fit: %s", self._path, error)


def _failure(item: dict[str, Any]) -> Failure:
    return Failure(int(item["peak_bytes"]), int(item["free_bytes"]), float(item["at"]))


@dataclass(frozen=True, slots=True)
class Planner:
    """Chooses the memory plans for one device."""

    config: ExecutorConfig
    device: Device
    remembered: RememberedRungs

    def first(self, settings: ClipSettings, size: tuple[int, int]) -> MemoryPlan:
        """Choose by free memory, then go down below what this GPU had no room for when no less was free.

        `size` is width and height in pixels. Raises OutOfMemory when not even the smallest rung fits.
        """
        variant = self.config.variants[settings.variant]
        pipeline = PipelineKind(self.config.pipeline)
        free, clip = self.device.free_bytes(), ClipSize(*size, settings.frames)
        plan = plan_memory(free, variant, clip, self.config.memory, pipeline=pipeline)
        failed = self.remembered.get(self._gpu(), settings.variant, free or 0)
        while failed is not None and plan.peak_bytes >= failed and (smaller := smaller_plan(plan, clip)):
            plan = smaller
        return plan

    def expected(self, name: str) -> str:
        """Return the rung that a variant's usual clip would get now; "none" when it does not fit."""
        variant = self.config.variants[name]
        settings = ClipSettings(variant=name, frames=variant.frames)
        try:
            return self.first(settings, variant.landscape).rung
        except OutOfMemory:
            return "none"

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

    def remember(self, plan: MemoryPlan, settings: ClipSettings) -> None:
        """Let later clips that need as much as `plan`, which ran out of memory, begin with a smaller one for a day."""
        self.remembered.put(self._gpu(), settings.variant, plan.peak_bytes, self.device.free_bytes() or 0)

    def _gpu(self) -> str:
        facts = self.device.facts()
        return f"{facts.get('name')}/{facts.get('vram_gib')}"
