"""What helps after a render that gave no clip: one remedy for each kind of failure, and what it changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from bot.policy.motion import Motion, liven
from generator.clip import BOUNDS, ClipSettings, Format
from generator.errors import RenderError

CALMER_BY = 50
SMALLER_CHUNK = 2
"""frames decoded together: the decoder's memory is what a card runs out of"""
FEWEST_FRAMES = 8


class Remedy(StrEnum):
    """What the one button under a failure does."""

    AGAIN = "again"
    """the same with another seed"""
    SMALLER = "smaller"
    """half the frames, decoded two at a time"""
    LIVELIER = "livelier"
    """the cure of a clip that hardly moves, too"""
    CALMER = "calmer"
    AS_MP4 = "as-mp4"
    OTHER_PICTURE = "other-picture"
    TELL = "tell"
    """nothing that is asked for can help: whoever runs the bot reads of it"""


_CHANGE = (Remedy.SMALLER, Remedy.LIVELIER, Remedy.CALMER)
"""what changes settings that may have been as far as that already"""
_ANY = ""
REMEDIES: dict[str, dict[str, Remedy]] = {
    "render": {_ANY: Remedy.AGAIN},
    "crashed": {_ANY: Remedy.AGAIN},
    "out-of-memory": {_ANY: Remedy.SMALLER},
    "bad-frames": {
        _ANY: Remedy.AGAIN,
        "nan": Remedy.AGAIN,
        "black": Remedy.OTHER_PICTURE,
        "frozen": Remedy.LIVELIER,
        "strobing": Remedy.CALMER,
    },
    "weights": {_ANY: Remedy.TELL},
    "encoding": {
        _ANY: Remedy.AGAIN,
        "ffmpeg-missing": Remedy.TELL,
        "ffmpeg-failed": Remedy.AGAIN,
        "budget": Remedy.AS_MP4,
    },
    "disk-full": {_ANY: Remedy.TELL},
    "executor-lost": {
        _ANY: Remedy.SMALLER,
        "version": Remedy.TELL,
        "node": Remedy.AGAIN,
        "closed": Remedy.AGAIN,
    },
}
"""by the error's code, and by what its data says more closely: `kind`, `why` or `cause`"""


def remedy_for(wire: Mapping[str, Any], settings: ClipSettings) -> Remedy:
    """Return what helps after a failure; `wire` is a RenderError's wire form, `settings` what was asked for."""
    error = RenderError.from_wire(dict(wire))
    rows = REMEDIES[error.code]
    closely = next((str(error.data[key]) for key in ("kind", "why", "cause") if key in error.data), _ANY)
    remedy = rows.get(closely, rows[_ANY])
    if remedy is Remedy.AS_MP4 and settings.format is Format.MP4:
        remedy = Remedy.SMALLER
    if remedy in _CHANGE and remedied(settings, remedy) == settings:
        return Remedy.OTHER_PICTURE
    return remedy


def remedied(settings: ClipSettings, remedy: Remedy, most: Motion | None = None) -> ClipSettings:
    """Return the settings with what a remedy changes; the seed stays. Some remedies change nothing.

    `most` is the strongest motion that the server allows.
    """
    low, _ = BOUNDS["motion_bucket"]
    match remedy:
        case Remedy.SMALLER:
            chunk = min(settings.decode_chunk or SMALLER_CHUNK, SMALLER_CHUNK)
            frames = min(settings.frames, max(FEWEST_FRAMES, settings.frames // 2))
            return replace(settings, frames=frames, decode_chunk=chunk)
        case Remedy.LIVELIER:
            return liven(settings, most)
        case Remedy.CALMER:
            return replace(settings, motion_bucket=int(max(low, settings.motion_bucket - CALMER_BY)))
        case Remedy.AS_MP4:
            return replace(settings, format=Format.MP4)
    return settings
