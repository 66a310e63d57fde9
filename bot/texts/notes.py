"""What a person is told beside their clip: one sentence for each kind of Note. No Discord."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.texts.languages.numbers import rounded, shortest
from bot.texts.languages.sentences import N_, _
from generator.protocol import Note

_RUNGS = {
    "resident": N_(
        "The graphics card was short of memory, so it was done in pieces. That takes longer and looks the same."
    ),
    "split": N_(
        "The graphics card was short of memory, so it was made in halves. That takes longer and looks the same."
    ),
    "streamed": N_(
        "The graphics card was short of memory, so the model was streamed through it piece by piece. "
        "That takes longer and looks the same."
    ),
    "minimal": N_(
        "The graphics card was short of memory, so everything was done in the smallest pieces. "
        "That takes longer and may flicker a little."
    ),
    "stock-chunked": N_(
        "The graphics card was short of memory, so its frames were painted a few at a time. "
        "That takes longer and may flicker a little."
    ),
    "stock-offload": N_(
        "The graphics card was short of memory, so parts of the model were kept off it. "
        "That takes longer and may flicker a little."
    ),
}
_SMALLER_PIECES = N_(
    "The graphics card was short of memory, so the work was done in smaller pieces. "
    "That takes longer and looks the same."
)
_RERUN = {
    "nan": N_("The first try was thrown away because its numbers broke down; this is the second."),
    "black": N_("The first try was thrown away because it came out black; this is the second."),
    "frozen": N_("The first try was thrown away because it did not move; this is the second."),
}
_BROKEN = N_("The first try was thrown away because it came out broken; this is the second.")


def _memory(data: Mapping[str, Any]) -> str:
    return _(_RUNGS.get(str(data.get("rung")), _SMALLER_PIECES))


def _rerun(data: Mapping[str, Any]) -> str:
    return _(_RERUN.get(str(data.get("why")), _BROKEN))


def _shrunk(data: Mapping[str, Any]) -> str:
    if data.get("why") == "uplink":
        return _("Made smaller because the larger one could not be sent.")
    size, full = _size(data, ""), _size(data, "from_")
    if size and full:
        # Translators: the sizes are such as 1024x576.
        return _("Scaled from {full} to {size} to fit this channel's upload limit.", full=full, size=size)
    return _("Made smaller to fit this channel's upload limit.")


def _size(data: Mapping[str, Any], prefix: str) -> str:
    width, height = data.get(f"{prefix}width"), data.get(f"{prefix}height")
    return f"{width}x{height}" if isinstance(width, int) and isinstance(height, int) else ""


def _frame_rate(data: Mapping[str, Any]) -> str:
    fps = data.get("fps")
    if not isinstance(fps, int | float):
        return _("Fewer frames to fit.")
    if data.get("why") == "gif":
        return _("Some frames are left out: a GIF plays at most {fps} a second.", fps=shortest(fps))
    return _("Played at {fps} frames a second to fit.", fps=shortest(fps))


def _loop_score(data: Mapping[str, Any]) -> str:
    score = data.get("score")
    if not isinstance(score, int | float):
        return _("The ends were matched for looping.")
    told = rounded(min(score, 1), 2)
    if score >= 0.7:
        return _("It repeats without a jump: its ends fit with {score} of 1.", score=told)
    return _(
        "You may see it jump where it repeats: its ends fit with {score} of 1. A boomerang loop never jumps.",
        score=told,
    )


def _small_picture(data: Mapping[str, Any]) -> str:
    if size := _size(data, ""):
        return _("The picture is small ({size}), so the clip may look soft.", size=size)
    return _("The picture is small, so the clip may look soft.")


def _drift(data: Mapping[str, Any]) -> str:
    return _(
        "I stopped it after {kept} of {of} new frames: "
        "then it got softer, or its colours got off, against the first part.",
        kept=data.get("kept"),
        of=data.get("of"),
    )


_NOTES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "memory": _memory,
    "rerun": _rerun,
    "shrunk": _shrunk,
    "frame-rate": _frame_rate,
    "loop-score": _loop_score,
    "small-picture": _small_picture,
    "drift": _drift,
    "fast-math": lambda data: _("Made with fast_math, which is approximate: details may differ from an exact clip's."),
    # of jobs from before the person could choose
    "first-picture": lambda data: _("The message holds more pictures; this is its first. /animate takes any other."),
    "first-frame": lambda data: _("The picture is animated; its first frame was used."),
    "hdr": lambda data: _("The picture is HDR; its colours were brought down to an ordinary screen's."),
    "one-quality": lambda data: _("This model makes every clip in the same few steps: its qualities are all alike."),
    "flattened": lambda data: _("The transparent parts were filled in."),
}


def explain_notes(notes: tuple[Note, ...]) -> list[str]:
    """Return one sentence for each note, without repeats. Kinds of a newer version are left out."""
    return list(dict.fromkeys(_NOTES[note.kind](note.data) for note in notes if note.kind in _NOTES))


def still_text() -> str:
    """Say that hardly anything moves in a clip, and which button cures that."""
    # Translators: the name of the button is that of "Make it move".
    return _("Hardly anything moves in it. **Make it move** asks for it again with strong motion.")
