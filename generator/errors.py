"""The generator's error tree. Each class is something a caller treats differently; `data` carries the facts.

    GeneratorError
    ├── SettingsError          a setting is out of range (its name, bounds)
    ├── PictureError           the picture cannot be used; `reason` says why
    └── RenderError            what `Backend.render` may raise
        ├── OutOfMemory        not even the smallest memory plan fits
        ├── BadFrames          the model's frames are broken, also after a rerun
        ├── WeightsUnavailable the variant's weights are missing, gated or damaged
        ├── EncodingFailed     ffmpeg is missing or failed, or no rung meets the byte budget
        ├── DiskFull           no room for the clip
        ├── ExecutorLost       the child died, hung or spoke garbage: not the job's own fault until it repeats
        └── RenderCrashed      any other exception inside the child

Messages are for logs. People read sentences from `bot.edge.layouts`, made from the class and `data`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Self


class GeneratorError(Exception):
    """Root of everything this package raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, text: str, **data: Any) -> None:
        super().__init__(text)
        self.text = text
        self.data: dict[str, Any] = data

    def to_wire(self) -> dict[str, Any]:
        """Give the error as a JSON object for the pipe."""
        return {"code": self.code, "text": self.text, "data": self.data}


class SettingsError(GeneratorError):
    """A setting is out of range. `data`: setting, value, and what is allowed."""

    code = "settings"


class PictureReason(StrEnum):
    """Why a picture cannot be used."""

    NOT_A_PICTURE = "not-a-picture"
    UNSUPPORTED_FORMAT = "unsupported-format"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MANY_PIXELS = "too-many-pixels"
    CORRUPT = "corrupt"
    EMPTY = "empty"
    TOO_SLOW = "too-slow"
    """decoding passed its time or memory limit"""


class PictureError(GeneratorError):
    """The picture cannot be used. `data` holds the limit and the actual value where there is one."""

    code = "picture"

    def __init__(self, reason: PictureReason, text: str, **data: Any) -> None:
        super().__init__(text, reason=str(reason), **data)
        self.reason = reason


class RenderError(GeneratorError):
    """A render did not give a clip."""

    code = "render"
    retryable: ClassVar[bool] = False

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> RenderError:
        """Rebuild the right subclass from `to_wire`; an unknown code becomes RenderCrashed."""
        kind = {sub.code: sub for sub in RenderError.__subclasses__()}.get(str(wire.get("code")), RenderCrashed)
        return kind(str(wire.get("text", "")), **dict(wire.get("data") or {}))


class OutOfMemory(RenderError):
    """Not even the smallest memory plan fits. `data`: needed_gib, free_gib."""

    code = "out-of-memory"


class BadFrames(RenderError):
    """The frames are broken. `data`: kind = nan | black | frozen | strobing."""

    code = "bad-frames"


class WeightsUnavailable(RenderError):
    """The weights cannot be loaded. `data`: variant, why = missing | gated | offline | damaged, remedy."""

    code = "weights"


class EncodingFailed(RenderError):
    """The clip could not be written. `data`: why = ffmpeg-missing | ffmpeg-failed | budget."""

    code = "encoding"


class DiskFull(RenderError):
    """No room left on the disk for the clip."""

    code = "disk-full"
    retryable = True


class ExecutorLost(RenderError):
    """The child is gone. `data`: cause = exit | signal | stall | garbage | fatal | version | closed, detail, log,
    innocent (true when this request had not begun, or another one was at fault: an attempt that need not count)."""

    code = "executor-lost"
    retryable = True


class RenderCrashed(RenderError):
    """An exception nobody planned for. `data`: type."""

    code = "crashed"
    retryable = True


class Cancelled(GeneratorError):
    """Raised inside the child to leave a render at the next check; never crosses the backend."""

    code = "cancelled"

    @classmethod
    def now(cls) -> Self:
        """Give the one instance a check raises."""
        return cls("cancelled")
