"""Records of what a clip's file shall be and of what was written. No numpy, no torch.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.clip import ClipSettings, Format, Loop
from generator.protocol import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFormat:
    """What `ClipWriter` shall write."""

    format: Format
    width: int
    height: int
    """in pixels, of the frames that will be added"""
    playback_fps: float
    max_bytes: int
    loop: Loop = Loop.NONE
    smooth: bool = False
    """motion-compensated interpolation to 24 fps"""
    recipe: dict[str, Any] = field(default_factory=dict)
    """see `generator.video.recipe`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedClip:
    """A clip that is complete at `path` and not larger than its budget."""

    path: Path
    bytes: int
    width: int
    height: int
    frames: int
    playback_fps: float
    seconds: float
    """how long it plays once"""
    notes: tuple[Note, ...] = ()
    master_path: Path | None = None
    """the full-quality clip, if this one had to be shrunk and the master was to be kept"""
    frames_path: Path | None = None
    """the rendered frames, if this file does not hold them as they are and they were to be kept"""

    @classmethod
    def from_json(cls, wire: dict[str, Any]) -> EncodedClip:
        """Rebuild the record from its JSON object."""
        paths = {name: wire[name] and Path(wire[name]) for name in ("path", "master_path", "frames_path")}
        return cls(
            **wire
            | paths
            | {
                "notes": tuple(Note(**note) for note in wire["notes"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """Which files are joined, and to what."""

    before: Path
    """begins with the frames of the clip that is continued"""
    source: Path
    """the continuation's, which begin with the last of those"""
    frames: Path
    """where all frames are kept"""
    target: Path
    settings: ClipSettings
    max_bytes: int
