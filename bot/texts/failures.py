"""Why a render gave no clip: one group of sentences for each kind of RenderError. No Discord."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.texts.explanations import Sentences
from bot.texts.languages.sentences import N_, _
from generator.errors import RenderError

_NO_CLIP = N_("There is no clip this time, and it does not count against you.")


def _out_of_memory(data: Mapping[str, Any]) -> Sentences:
    return Sentences(
        _("The graphics card ran out of memory, also with every saving switched on."),
        _(_NO_CLIP),
        _("Try fewer frames, decoded a few at a time. If it happens again, tell whoever runs this bot."),
    )


_BAD_FRAMES = {
    "nan": N_("The model's numbers broke down on this picture, twice."),
    "black": N_("The model gave only black frames, twice."),
    "frozen": N_("The clip did not move at all, twice."),
    "strobing": N_("The clip only flickered, twice."),
    "drift": N_("What came after the clip's end was at once softer than its first part, or its colours were off."),
}


_BROKEN = N_("The model's frames were broken, twice.")


def _bad_frames(data: Mapping[str, Any]) -> Sentences:
    what = _(_BAD_FRAMES.get(str(data.get("kind")), _BROKEN))
    todo = _("Try another seed, or a picture with one clear subject.")
    if data.get("kind") == "drift":
        todo = _("Leave the clip as it is, or go on from its end again: another seed may stay good for longer.")
    if data.get("kind") == "frozen":
        todo = _("Try the Strong motion; a clear subject on a simple background moves more.")
    if data.get("kind") == "strobing":
        todo = _("Try less motion, or a picture with fewer fine patterns.")
    if data.get("kind") == "black":
        todo = _("Try another picture; a bright one with one clear subject works best.")
    return Sentences(what, _(_NO_CLIP), todo)


_WEIGHTS = {
    "missing": N_("This bot's model is not installed completely."),
    "gated": N_("This bot's model needs its licence accepted before it can be used."),
    "offline": N_("This bot could not download its model."),
    "damaged": N_("This bot's model files are damaged."),
    "token": N_("This bot may not download its model."),
    "disk-full": N_("This bot has no room left to download its model."),
    "cache": N_("This bot has no folder to download its model to."),
    "device": N_("This bot has nothing that is fast enough for its model."),
}


_NOT_LOADED = N_("This bot's model cannot be loaded.")


def _weights(data: Mapping[str, Any]) -> Sentences:
    hub = ("stalled", "busy", "hub-down", "portal", "endpoint", "proxy", "certificate", "hub")
    why = "offline" if data.get("why") in hub else str(data.get("why"))
    what = _(_WEIGHTS.get(why, _NOT_LOADED))
    return Sentences(
        what, _(_NO_CLIP), _("Only whoever runs this bot can mend that: `python -m bot doctor` names the remedy.")
    )


def _encoding(data: Mapping[str, Any]) -> Sentences:
    if data.get("why") == "budget":
        return Sentences(
            _("The clip is too big for this channel in every size tried."), _(_NO_CLIP), _("Try MP4, or fewer frames.")
        )
    if data.get("why") == "ffmpeg-missing":
        todo = _("Whoever runs this bot has to install ffmpeg: `python -m bot doctor` says how.")
        return Sentences(_("The bot has nothing to write videos with."), _(_NO_CLIP), todo)
    return Sentences(
        _("The frames were made, but writing the clip failed."),
        _(_NO_CLIP),
        _("Please try again, or try another format."),
    )


def _disk_full(data: Mapping[str, Any]) -> Sentences:
    return Sentences(
        _("The bot's disk is full."),
        _(_NO_CLIP),
        _("Please tell whoever runs this bot, and try again once there is room."),
    )


def _executor_lost(data: Mapping[str, Any]) -> Sentences:
    if data.get("cause") == "stall":
        what = _("The GPU process stopped answering on this picture each time it was tried.")
    else:
        what = _("The GPU process broke down on this picture each time it was tried.")
    return Sentences(what, _(_NO_CLIP), _("Try a smaller clip or another picture."))


def _crashed(data: Mapping[str, Any]) -> Sentences:
    return Sentences(
        _("Something went wrong while the clip was made that nobody planned for."),
        _(_NO_CLIP),
        _("Please try again. If it happens again, tell whoever runs this bot; the log has the details."),
    )


_RENDER: dict[str, Callable[[Mapping[str, Any]], Sentences]] = {
    "render": _crashed,
    "out-of-memory": _out_of_memory,
    "bad-frames": _bad_frames,
    "weights": _weights,
    "encoding": _encoding,
    "disk-full": _disk_full,
    "executor-lost": _executor_lost,
    "crashed": _crashed,
}


def explain_failure(wire: Mapping[str, Any]) -> Sentences:
    """Say why a render gave no clip; `wire` is a RenderError's wire form."""
    error = RenderError.from_wire(dict(wire))
    return _RENDER.get(error.code, _crashed)(error.data)


def tell_operator_text(job_id: int, wire: Mapping[str, Any]) -> str:
    """Say to an owner what failed, when its person asks them to look at it."""
    # Translators: {what} is a whole sentence.
    return _(
        "Job {job} failed, and its person asks you to look at it. {what} "
        "`python -m bot doctor` looks for the cause; the log has the details.",
        job=job_id,
        what=explain_failure(wire).what,
    )


def operator_told_text(*, is_first: bool, is_reached: bool) -> str:
    """Say that the owners were told of a failure."""
    if not is_reached:
        return _("I could not write to the people who run this bot. It stands in their log; please tell them yourself.")
    if not is_first:
        return _("They know already. Please try again later.")
    return _("The people who run this bot know now. Please try again later.")
