"""What a clip shall be: every setting with its bounds, default and reason. Pure data; knows no model and no torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from generator.errors import SettingsError


class Format(StrEnum):
    """The clip's container."""

    MP4 = "mp4"
    GIF = "gif"
    WEBP = "webp"


class Quality(StrEnum):
    """The sampler: which schedule and how many UNet calls."""

    FAST = "fast"
    """Align-Your-Steps schedule, 10 calls"""
    BALANCED = "balanced"
    """DPM++2M on the EDM schedule, 15 calls"""
    QUALITY = "quality"
    """Euler, 25 calls: the reference"""


DEFAULT_STEPS = {Quality.FAST: 10, Quality.BALANCED: 15, Quality.QUALITY: 25}


class Shape(StrEnum):
    """The clip's orientation. AUTO follows the picture's own shape."""

    AUTO = "auto"
    LANDSCAPE = "landscape"
    PORTRAIT = "portrait"
    SQUARE = "square"


class Framing(StrEnum):
    """How a picture of another aspect ratio is brought to the clip's: never by stretching."""

    CROP = "crop"
    """keep the centre"""
    SMART = "smart"
    """keep the most salient part"""
    PAD = "pad"
    """keep everything, over the blurred picture"""


class Loop(StrEnum):
    """How the clip's end meets its beginning."""

    NONE = "none"
    BOOMERANG = "boomerang"
    """forwards then backwards, end frames not doubled"""
    CROSSFADE = "crossfade"
    SEAM = "seam"
    """cut to the stretch whose ends match best"""


BOUNDS: dict[str, tuple[float, float]] = {
    "motion_bucket": (0, 255),  # the range the model was conditioned on
    "noise_augmentation": (0, 1),
    "conditioning_fps": (5, 30),  # Stability's own scripts warn outside 5-30
    "playback_fps": (1, 60),
    "frames": (2, 50),
    "steps": (1, 100),
    "decode_chunk": (1, 50),
    "seed": (0, 2**32 - 1),
    "min_guidance": (1, 10),
    "max_guidance": (1, 10),
}


SMOOTH_FPS = 24
"""what `smooth` interpolates to, frames a second"""

MOST_WRITTEN = 360
"""frames in a clip's file: a CPU core makes and encodes 15 full-size ones a second, so these take it 24 seconds"""
MOST_SECONDS = 60.0
"""how long a clip may play"""
MOST_BYTES = 512 * 1024**2
"""what a clip's rendered frames may take in memory: they are kept until its file fits its budget"""


_ENUMS: dict[str, type[StrEnum]] = {
    "format": Format,
    "quality": Quality,
    "shape": Shape,
    "framing": Framing,
    "loop": Loop,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """Everything that decides a clip, resolved once and frozen into the job.

    Raises SettingsError on a value out of `BOUNDS`.
    """

    variant: str = "svd-xt"
    frames: int = 25
    motion_bucket: int = 127
    noise_augmentation: float = 0.02
    conditioning_fps: int = 7
    playback_fps: int = 7
    quality: Quality = Quality.QUALITY
    steps: int = 25
    min_guidance: float = 1.0
    max_guidance: float = 3.0
    decode_chunk: int | None = None
    """frames the VAE decodes together; None: the whole clip exactly"""
    seed: int = 0
    format: Format = Format.MP4
    shape: Shape = Shape.AUTO
    framing: Framing = Framing.CROP
    loop: Loop = Loop.NONE
    smooth: bool = False
    """motion-compensated interpolation to 24 fps"""
    drafts: bool = False
    """no clip yet, but DRAFTS small and quick ones of it beside each other, to choose from; see `draft_of`"""
    seams: tuple[int, ...] = ()
    """after how many frames the earlier segments end, of a clip that continues another one; see `shortened`"""

    def __post_init__(self) -> None:
        """Check every bound. Raises SettingsError."""
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SettingsError(
                    f"{name} must be between {low} and {high}, not {value}",
                    setting=name,
                    value=value,
                    low=low,
                    high=high,
                )
        if self.min_guidance > self.max_guidance:
            text = "min_guidance must not exceed max_guidance"
            raise SettingsError(text, setting="min_guidance", contradicts="max_guidance", most=self.max_guidance)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, wire: dict[str, Any]) -> ClipSettings:
        """Rebuild settings from `to_json`; unknown keys (of a newer version) are ignored. Raises SettingsError."""
        known = {field.name for field in dataclasses.fields(cls)}
        values = {key: value for key, value in wire.items() if key in known}
        for name, kind in _ENUMS.items():
            if name in values:
                values[name] = _member(kind, name, values[name])
        if "seams" in values:
            values["seams"] = tuple(int(seam) for seam in values["seams"])
        return cls(**values)


STILL_BUCKET = 10
"""motion buckets up to here are a still camera: of the demo model; nobody has measured where SVD begins to move"""

DRAFTS = 4
DRAFT_STEPS = 8
"""of a draft at most"""


def draft_of(settings: ClipSettings, index: int) -> ClipSettings:
    """Return how the draft of that index (0 to DRAFTS - 1) is rendered: few steps, no guidance, a seed of its own."""
    return dataclasses.replace(
        settings,
        seed=chosen_draft(settings, index).seed,
        quality=Quality.FAST,
        steps=min(settings.steps, DRAFT_STEPS),
        min_guidance=1.0,
        max_guidance=1.0,
    )


def chosen_draft(settings: ClipSettings, index: int) -> ClipSettings:
    """Return the settings of the clip that a draft is a draft of: it moves as the draft does, by the same seed."""
    seed = (settings.seed + index) % (int(BOUNDS["seed"][1]) + 1)
    return dataclasses.replace(settings, drafts=False, seed=seed)


def draft_size(size: tuple[int, int], cell: int) -> tuple[int, int]:
    """Return a draft's width and height: half of the clip's, or less, in whole cells of so many pixels.

    So all drafts together have no more pixels than the clip: with a model of one step these are what they cost.
    """
    width, height = (cell * max(1, side // (2 * cell)) for side in size)
    return width, height


def draft_bucket(settings: ClipSettings, size: tuple[int, int], draft: tuple[int, int]) -> int:
    """Return a draft's motion bucket: for the same way across a smaller frame a thing moves by fewer pixels."""
    moving = max(0, settings.motion_bucket - STILL_BUCKET)
    shorter = math.sqrt(draft[0] * draft[1] / (size[0] * size[1]))
    return round(settings.motion_bucket - moving * (1 - shorter))


def total_frames(settings: ClipSettings) -> int:
    """Return how many frames the clip has with those that it continues; its first frame is the last of those."""
    return settings.seams[-1] + settings.frames - 1 if settings.seams else settings.frames


def shortened(settings: ClipSettings) -> ClipSettings:
    """Return the settings of a clip without its last segment; the same when it has but one."""
    return cut(settings, settings.seams[-1]) if settings.seams else settings


def cut(settings: ClipSettings, frames: int) -> ClipSettings:
    """Return the settings of a clip of which only the first `frames` are left, at least two."""
    earlier = tuple(seam for seam in settings.seams if seam < frames)
    last = frames - earlier[-1] + 1 if earlier else frames
    return dataclasses.replace(settings, seams=earlier, frames=last)


def count_looped(settings: ClipSettings) -> int:
    """Return how many frames the clip has as a loop; a cross-fade or a cut leaves fewer."""
    frames = total_frames(settings)
    return max(frames, 2 * frames - 2) if settings.loop is Loop.BOOMERANG else frames


def count_smoothed(frames: int, fps: float) -> int:
    """Return how many frames a second of SMOOTH_FPS each make what `frames` at `fps` do."""
    return max(1, round(frames / fps * SMOOTH_FPS))


def count_written(settings: ClipSettings) -> int:
    """Return how many frames the clip's file has at most, after its loop and the interpolation."""
    looped = count_looped(settings)
    return count_smoothed(looped, settings.playback_fps) if interpolates(settings) else looped


def interpolates(settings: ClipSettings) -> bool:
    """Tell whether frames are made between the rendered ones."""
    return settings.smooth and settings.playback_fps < SMOOTH_FPS


def holds_frames(format: Format, loop: Loop, smooth: bool) -> bool:
    """Tell whether a clip's file begins with the rendered frames as they are: they need no file of their own."""
    return format is Format.MP4 and loop in (Loop.NONE, Loop.BOOMERANG) and not smooth


def check_extent(settings: ClipSettings, size: tuple[int, int]) -> None:
    """Raise SettingsError when the settings together make more than one clip may have; `size` is in pixels.

    It is no part of ClipSettings: a job that was accepted before there was a limit is still rendered.
    """
    written, seconds = count_written(settings), count_looped(settings) / settings.playback_fps
    if written > MOST_WRITTEN:
        raise SettingsError(f"{written} frames would be written", extent="frames", value=written, most=MOST_WRITTEN)
    if seconds > MOST_SECONDS:
        raise SettingsError(f"it would play {seconds:g} s", extent="seconds", value=seconds, most=MOST_SECONDS)
    taken = total_frames(settings) * size[0] * size[1] * 3
    if taken > MOST_BYTES:
        most = MOST_BYTES // (size[0] * size[1] * 3)
        raise SettingsError(f"its frames take {taken} bytes", setting="frames", low=BOUNDS["frames"][0], high=most)


def _member(kind: type[StrEnum], name: str, value: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError as error:
        allowed = [str(member) for member in kind]
        raise SettingsError(f"{name} must be one of {allowed}", setting=name, value=value) from error
