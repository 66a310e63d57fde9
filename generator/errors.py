"""The generator's error tree. Each class is something a caller treats differently; `data` carries the facts.

    GeneratorError
    ├── SettingsError          a setting is out of range (its name, bounds)
    ├── PictureError           the picture cannot be used; `reason` says why
    ├── FilterUnusable         the filter's model cannot be asked, so nobody knows what it would guess
    └── RenderError            what `Backend.render` may raise
        ├── OutOfMemory        not even the smallest memory plan fits
        ├── BadFrames          the model's frames are broken, also after a rerun
        ├── WeightsUnavailable the variant's weights are missing, gated or damaged
        ├── EncodingFailed     ffmpeg is missing or failed, or no step of the size ladder meets the byte budget
        ├── DiskFull           no room for the clip
        ├── ExecutorLost       the child died, hung or wrote garbage: not the job's own fault until it repeats
        └── RenderCrashed      any other exception inside the child

The texts are for logs. People in Discord read the sentences of `bot/texts/` (picture errors: `explanations.py`, render
errors: `failures.py`), people at a terminal those of `terminal_sentence`; both are chosen by the class and filled from
`data`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar


class GeneratorError(Exception):
    """The root of everything that this package raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, text: str, **data: Any) -> None:
        super().__init__(text)
        self.text = text
        self.data: dict[str, Any] = data

    def to_wire(self) -> dict[str, Any]:
        """Return the error as a JSON object for the pipe."""
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
    """decoding exceeded its time or memory limit"""


class PictureError(GeneratorError):
    """The picture cannot be used. `data` holds the limit and the actual value where there is one."""

    code = "picture"

    def __init__(self, reason: PictureReason, text: str, **data: Any) -> None:
        super().__init__(text, reason=str(reason), **data)
        self.reason = reason


class FilterUnusable(GeneratorError):
    """The filter's model cannot be asked. `data`: why = missing | model, and a remedy where something is missing."""

    code = "filter"


class RenderError(GeneratorError):
    """A render ended without a clip."""

    code = "render"
    retryable: ClassVar[bool] = False
    """whether the same request may succeed the next time"""

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> RenderError:
        """Rebuild the right subclass from `to_wire`; an unknown code becomes RenderCrashed."""
        kind = _by_code(RenderError).get(str(wire.get("code")), RenderCrashed)
        return kind(str(wire.get("text", "")), **dict(wire.get("data") or {}))


def _by_code(kind: type[RenderError]) -> dict[str, type[RenderError]]:
    """Return every class below `kind`, however deep, by its code."""
    found: dict[str, type[RenderError]] = {}
    for sub in kind.__subclasses__():
        found |= {sub.code: sub} | _by_code(sub)
    return found


def render_codes() -> list[str]:
    """Return the code of every way in which a render can fail."""
    return sorted(_by_code(RenderError))


class OutOfMemory(RenderError):
    """Not even the smallest memory plan fits. `data`: needed_gib, free_gib."""

    code = "out-of-memory"


class BadFrames(RenderError):
    """The frames are broken. `data`: kind = nan | black | frozen | strobing | drift."""

    code = "bad-frames"


class WeightsUnavailable(RenderError):
    """The weights cannot be loaded. `data`: variant, why, remedy.

    `why` is device, missing or damaged, or the hub's trouble: gated, token, offline, stalled, busy, hub-down, portal,
    endpoint, proxy, certificate, disk-full, cache or hub.
    """

    code = "weights"


class EncodingFailed(RenderError):
    """The clip could not be written. `data`: why = ffmpeg-missing | ffmpeg-failed | budget."""

    code = "encoding"


class DiskFull(RenderError):
    """No room left on the disk for the clip."""

    code = "disk-full"
    retryable = True


class ExecutorLost(RenderError):
    """The child is gone. `data`: cause, detail, log, innocent.

    `cause` is exit, signal, stall, garbage, fatal, version, node or closed; `log` is what the child logged last.
    `node` names the machine of a cluster that it happened on; `cause` is node where that machine is what was lost.
    `innocent` is true when this request had not begun, or another one was at fault: an attempt that need not count.
    """

    code = "executor-lost"
    retryable = True


class RenderCrashed(RenderError):
    """An exception that no other class is for. `data`: type."""

    code = "crashed"
    retryable = True


class Cancelled(GeneratorError):
    """Raised inside the child to leave a render at the next check. It never crosses the pipe."""

    code = "cancelled"


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return " Did you mean ...?" with the known word that is most like `word`, or nothing when none is."""
    plain = {_plain(name): name for name in known}
    nearest = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=likeness)
    return f" Did you mean {plain[nearest[0]]!r}?" if nearest else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")


_PICTURE_SENTENCES = {
    PictureReason.NOT_A_PICTURE: "This file is not a picture. Try a JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC.",
    PictureReason.UNSUPPORTED_FORMAT: "This format is not supported. Try a JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC.",
    PictureReason.CORRUPT: "This picture is damaged: {text}. Save it again in another program.",
    PictureReason.EMPTY: "This file is empty.",
}
_ANY_PICTURE = "This picture cannot be used: {text}."


def terminal_sentence(error: GeneratorError) -> str:
    """Say what happened and what to do, for a person who runs `python -m generator`."""
    data = error.data
    match error:
        case PictureError():
            return _PICTURE_SENTENCES.get(error.reason, _ANY_PICTURE).format(text=error.text, **data)
        case WeightsUnavailable() if data.get("why") == "device":
            return error.text
        case WeightsUnavailable():
            return f"The weights cannot be loaded. {data.get('remedy', error.text)}"
        case OutOfMemory():
            return f"This clip does not fit into memory: {error.text}. Try fewer --frames or a smaller --size."
        case BadFrames():
            return f"The model gave {data.get('kind')} frames, also on a second try. Try another --seed or picture."
        case EncodingFailed() if data.get("why") == "ffmpeg-missing":
            return "There is no ffmpeg: pip install imageio-ffmpeg."
        case EncodingFailed():
            return f"The clip could not be written: {error.text}. Try another --format or a larger --max-mib."
        case DiskFull():
            return "The disk is full. Make room and try again."
        case ExecutorLost():
            return f"The rendering process is gone: {error.text}. --verbose shows what it said last."
        case SettingsError():
            return f"{error.text[:1].upper()}{error.text[1:]}{'' if error.text.endswith('?') else '.'}"
    return f"The render failed: {error.text}. --verbose shows more."
