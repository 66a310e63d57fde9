"""What may be changed about a finished clip's file without rendering again. Pure; no Discord."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from generator.clip import BOUNDS, ClipSettings, Format, Loop, cut, shortened, total_frames
from generator.errors import SettingsError


class Change(StrEnum):
    """One change of a clip's file. What was changed before stays."""

    EXTEND = "extend"
    """another segment from the last frame on: this one needs the GPU"""
    EXTEND_FROM = "from"
    """another segment from an earlier moment on, which is asked for"""
    SHORTEN = "shorten"
    """without the last segment"""
    BOOMERANG = "boomerang"
    CROSSFADE = "crossfade"
    SEAM = "seam"
    NO_LOOP = "none"
    SMOOTH = "smooth"
    SLOWER = "slower"
    FASTER = "faster"
    MP4 = "mp4"
    GIF = "gif"
    WEBP = "webp"
    UNDO = "undo"
    """back to the file as it was made first"""


_PARTS = 0.75, 0.5, 0.25
"""of a clip: how much of it may be kept when it goes on from an earlier moment"""
_FEWEST_KEPT = 2
"""frames before a seam: with one alone nothing is known of how the clip moves"""
_SPEED = {Change.SLOWER: 0.5, Change.FASTER: 2.0}


def change_file(change: Change, now: ClipSettings, first: ClipSettings) -> ClipSettings:
    """Return the settings after a change of the file that `now` describes; `first` is how the clip was made."""
    if change in (Change.MP4, Change.GIF, Change.WEBP):
        return replace(now, format=Format(change))
    if change in (Change.BOOMERANG, Change.CROSSFADE, Change.SEAM, Change.NO_LOOP):
        return replace(now, loop=Loop(change))
    if change is Change.SMOOTH:
        return replace(now, smooth=True)
    if change in (Change.EXTEND, Change.EXTEND_FROM):
        return now  # the file stays as it is
    if change is Change.SHORTEN:
        return shortened(now)
    if change is Change.UNDO:
        return first
    low, high = BOUNDS["playback_fps"]
    return replace(now, playback_fps=int(max(low, min(high, round(now.playback_fps * _SPEED[change])))))


def moments(settings: ClipSettings) -> list[int]:
    """Return after how many frames a clip may go on before its end, the latest first; none where there is no choice."""
    frames = total_frames(settings)
    found = {round(frames * part) for part in _PARTS}
    kept = sorted((each for each in found if _FEWEST_KEPT <= each < frames), reverse=True)
    return kept if len(kept) > 1 else []


def changed_names(first: ClipSettings, now: ClipSettings) -> list[str]:
    """Return the settings in which a changed file differs, by the names of their options."""
    return [name for name in ("format", "loop", "smooth", "playback_fps") if getattr(first, name) != getattr(now, name)]


def state_of(settings: ClipSettings) -> str:
    """Return what a menu has to remember of a changed file: letters, digits and dots, at most 25 of them."""
    seams = f".{len(settings.seams)}" if settings.seams else ""
    return f"{settings.format}.{settings.loop}.{int(settings.smooth)}.{settings.playback_fps}{seams}"


def with_state(first: ClipSettings, state: str) -> ClipSettings:
    """Return the settings of the file that a menu's state describes; `first` where it describes none."""
    try:
        format, loop, smooth, fps, *seams = state.split(".")
        left = int(*seams) if seams else 0
        if seams and not 0 < left <= len(first.seams):
            return first
        made = cut(first, first.seams[left]) if left < len(first.seams) else first
        return replace(made, format=Format(format), loop=Loop(loop), smooth=bool(int(smooth)), playback_fps=int(fps))
    except (ValueError, SettingsError):
        return first
