"""What the executor needs of a GPU or CPU. `generator.model.device` has the one with torch; the tests have another.

Tested in tests/generator/executor/test_renderer.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from PIL import Image

from generator.clip import ClipSettings
from generator.memory import MemoryPlan
from generator.protocol import Hooks, Progress
from generator.variants import Variant
from generator.video.ffmpeg import Frame


class Device(Protocol):
    """A GPU (or CPU) and the one variant that is loaded on it."""

    def load(self, variant: Variant, on_progress: Callable[[Progress], None]) -> None:
        """Make `variant` the loaded one. Raises WeightsUnavailable."""

    def facts(self) -> dict[str, Any]:
        """Return what this is: device, name, memory, versions, variant, and whether `fast_math` is in effect."""
        ...

    def free_bytes(self) -> int | None:
        """Return the bytes that a plan may use; None where memory is not the limit."""
        ...

    def frames(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        """Yield the clip's frames in order, uint8, height x width x 3. Raises BadFrames(kind="nan") on not-a-number."""
        ...

    def make_safer(self) -> str | None:
        """Change to a precision with more range and return its name; None when this is the safest."""
        ...

    def reclaim(self) -> None:
        """Hand freed memory back to the device."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Tell whether a smaller plan may help."""
        ...

    def is_fatal(self, error: BaseException) -> bool:
        """Tell whether this process cannot use the device any more."""
        ...

    def canary(self) -> None:
        """Compute one number on the device. Raises RuntimeError when it cannot."""
