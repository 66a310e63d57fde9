"""What a person is told beside their clip: one sentence for each kind of Note. No Discord."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from generator.protocol import Note

_RUNGS = {
    "resident": ("it was done in pieces", "looks the same"),
    "split": ("it was made in halves", "looks the same"),
    "streamed": ("the model was streamed through it piece by piece", "looks the same"),
    "minimal": ("everything was done in the smallest pieces", "may flicker a little"),
    "stock-chunked": ("its frames were painted a few at a time", "may flicker a little"),
    "stock-offload": ("parts of the model were kept off it", "may flicker a little"),
}
_RERUN = {"nan": "its numbers broke down", "black": "it came out black", "frozen": "it did not move"}


def _memory(data: Mapping[str, Any]) -> str:
    how, looks = _RUNGS.get(str(data.get("rung")), ("the work was done in smaller pieces", "looks the same"))
    return f"The graphics card was short of memory, so {how}. That takes longer and {looks}."


def _rerun(data: Mapping[str, Any]) -> str:
    why = _RERUN.get(str(data.get("why")), "it came out broken")
    return f"The first try was thrown away because {why}; this is the second."


def _shrunk(data: Mapping[str, Any]) -> str:
    if data.get("why") == "uplink":
        return "Made smaller because the larger one could not be sent."
    size, full = _size(data, ""), _size(data, "from_")
    if size and full:
        return f"Scaled from {full} to {size} to fit this channel's upload limit."
    return "Made smaller to fit this channel's upload limit."


def _size(data: Mapping[str, Any], prefix: str) -> str:
    width, height = data.get(f"{prefix}width"), data.get(f"{prefix}height")
    return f"{width}x{height}" if isinstance(width, int) and isinstance(height, int) else ""


def _frame_rate(data: Mapping[str, Any]) -> str:
    fps = data.get("fps")
    if data.get("why") == "gif" and isinstance(fps, int | float):
        return f"Some frames are left out: a GIF plays at most {fps:g} a second."
    return f"Played at {fps:g} frames a second to fit." if isinstance(fps, int | float) else "Fewer frames to fit."


def _loop_score(data: Mapping[str, Any]) -> str:
    score = data.get("score")
    if not isinstance(score, int | float):
        return "The ends were matched for looping."
    told = f"{min(score, 1):.2f}"
    if score >= 0.7:
        return f"It repeats without a jump: its ends fit with {told} of 1."
    return f"You may see it jump where it repeats: its ends fit with {told} of 1. A boomerang loop never jumps."


def _small_picture(data: Mapping[str, Any]) -> str:
    size = _size(data, "")
    return f"The picture is small{f' ({size})' if size else ''}, so the clip may look soft."


def _drift(data: Mapping[str, Any]) -> str:
    return (
        f"I stopped it after {data.get('kept')} of {data.get('of')} new frames: "
        "then it got softer, or its colours got off, against the first part."
    )


_NOTES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "memory": _memory,
    "rerun": _rerun,
    "shrunk": _shrunk,
    "frame-rate": _frame_rate,
    "loop-score": _loop_score,
    "small-picture": _small_picture,
    "drift": _drift,
    "fast-math": lambda data: "Made with fast_math, which is approximate: details may differ from an exact clip's.",
    # of jobs from before the person could choose
    "first-picture": lambda data: "The message holds more pictures; this is its first. /animate takes any other.",
    "first-frame": lambda data: "The picture is animated; its first frame was used.",
    "hdr": lambda data: "The picture is HDR; its colours were brought down to an ordinary screen's.",
    "one-quality": lambda data: "This model makes every clip in the same few steps: its qualities are all alike.",
    "flattened": lambda data: "The transparent parts were filled in.",
}


def explain_notes(notes: tuple[Note, ...]) -> list[str]:
    """Return one sentence for each note, without repeats. Kinds of a newer version are left out."""
    return list(dict.fromkeys(_NOTES[note.kind](note.data) for note in notes if note.kind in _NOTES))


def still_text() -> str:
    """Say that hardly anything moves in a clip, and which button cures that."""
    return "Hardly anything moves in it. **Make it move** asks for it again with strong motion."
