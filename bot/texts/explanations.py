"""What the bot says when something is in the way: errors, notes and refusals as plain sentences. Knows no Discord.

Exception texts never get here: a sentence is chosen by an error's class and filled from its `data`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.work.gate import Hold, HoldCause
from generator.errors import ExecutorLost, PictureError, PictureReason, RenderError, SettingsError
from generator.protocol import Note, Phase

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sentences:
    """What happened, what it means for the person's clip, and what to do next."""

    what: str
    means: str
    todo: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.means, self.todo) if part)


NOTHING_QUEUED = "Nothing was queued."
_NO_CLIP = "There is no clip this time, and it does not count against you."

_PICTURE: dict[PictureReason, tuple[str, str]] = {
    PictureReason.NOT_A_PICTURE: (
        "That file is not a picture.",
        "Please attach a JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC picture.",
    ),
    PictureReason.UNSUPPORTED_FORMAT: (
        "That kind of picture cannot be read here.",
        "Please save it as JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC and try again.",
    ),
    PictureReason.TOO_MANY_BYTES: ("That file is too big.", "Please send a smaller one; a JPEG is usually enough."),
    PictureReason.TOO_MANY_PIXELS: (
        "That picture has too many pixels.",
        "Please scale it down; 2000 pixels on the long side is plenty.",
    ),
    PictureReason.CORRUPT: (
        "That picture is damaged or incomplete.",
        "Please open it, save it again, and send the new file.",
    ),
    PictureReason.EMPTY: ("That file is empty.", "Please attach the picture again."),
    PictureReason.TOO_SLOW: (
        "That picture takes too much time or memory to open.",
        "Please save it as an ordinary JPEG or PNG and try again.",
    ),
}


def explain_picture(error: PictureError) -> Sentences:
    """Say why a picture cannot be used."""
    what, todo = _PICTURE[error.reason]
    data = error.data
    if isinstance(max_bytes := data.get("max_bytes"), int) and error.reason is PictureReason.TOO_MANY_BYTES:
        what = f"That file is too big: the limit is {max_bytes / MIB:.0f} MiB."
    if isinstance(max_pixels := data.get("max_pixels"), int) and error.reason is PictureReason.TOO_MANY_PIXELS:
        size = f"{data['pixels'] / 1e6:.0f} million; " if isinstance(data.get("pixels"), int) else ""
        what = f"That picture has too many pixels: {size}the limit is {max_pixels / 1e6:.0f} million."
    return Sentences(what, NOTHING_QUEUED, todo)


_PICTURE_SUFFIXES = frozenset(
    {"jpg", "jpeg", "jfif", "png", "webp", "gif", "avif", "heic", "heif", "bmp", "tif", "tiff"}
)


def explain_source(file_name: str, content_type: str | None, size: int, max_bytes: int) -> str | None:
    """Say why a file cannot be a usable picture, from its name and size alone; None when it may be one."""
    suffix = file_name.rpartition(".")[2].lower()
    if size == 0:
        return str(explain_picture(PictureError(PictureReason.EMPTY, "")))
    if size > max_bytes:
        return str(explain_picture(PictureError(PictureReason.TOO_MANY_BYTES, "", max_bytes=max_bytes)))
    if suffix not in _PICTURE_SUFFIXES and not (content_type or "").startswith("image/"):
        return str(explain_picture(PictureError(PictureReason.NOT_A_PICTURE, "")))
    return None


_OPTIONS = {"min_guidance": "guidance", "max_guidance": "guidance"}


def explain_settings(error: SettingsError) -> str:
    """Say which option is out of range."""
    name = str(error.data.get("setting", "one option"))
    low, high = error.data.get("low"), error.data.get("high")
    allowed = f" It goes from {low:g} to {high:g} here." if low is not None and high is not None else ""
    return f"The option `{_OPTIONS.get(name, name)}` is out of range.{allowed} {NOTHING_QUEUED}"


def explain_full(scope: str, limit: int) -> str:
    """Say which limit of the line is reached."""
    if scope == "user":
        return (
            f"You have {limit} pictures waiting, which is the most for one person. {NOTHING_QUEUED} "
            "Wait for one to be done, or give one up with /cancel."
        )
    return f"This server's line is full: {limit} pictures are waiting. {NOTHING_QUEUED} Please try again in a while."


def explain_place(missing: Sequence[str]) -> str:
    """Say which permissions the bot lacks in a channel."""
    return (
        f"I may not post clips in this channel: I lack {' and '.join(missing)}. "
        f"{NOTHING_QUEUED} Ask a moderator to allow it, or use another channel."
    )


def explain_hold(hold: Hold) -> str:
    """Say why nothing is started."""
    return {
        HoldCause.PAUSED: f"The bot is paused: {hold.detail}",
        HoldCause.DISK_FULL: "The bot's disk is full; it goes on by itself once there is room.",
        HoldCause.CRASH_STORM: "The GPU process keeps breaking down; whoever runs this bot has to look at it.",
    }[hold.cause]


def storm_text(error: ExecutorLost, others_go_on: bool) -> str:
    """Tell the owners that the line stands still, or that one GPU does, and what to do."""
    ways = {"signal": "was killed", "stall": "hung", "garbage": "spoke garbage"}
    how = ways.get(error.data.get("cause", ""), "ended")
    return (
        f"A process that renders clips has died again and again (the last one {how}), so "
        f"{'its GPU gets no more jobs; the others go on' if others_go_on else 'nothing is started any more'}. "
        "Everything in the line is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    )


def _out_of_memory(data: Mapping[str, Any]) -> Sentences:
    return Sentences(
        "The graphics card ran out of memory, also with every saving switched on.",
        _NO_CLIP,
        "Try fewer frames. If it happens again, tell whoever runs this bot.",
    )


_BAD_FRAMES = {
    "nan": "The model's numbers broke down on this picture, twice.",
    "black": "The model gave only black frames, twice.",
    "frozen": "The clip did not move at all, twice.",
    "strobing": "The clip only flickered, twice.",
}


def _bad_frames(data: Mapping[str, Any]) -> Sentences:
    what = _BAD_FRAMES.get(str(data.get("kind")), "The model's frames were broken, twice.")
    todo = "Try another seed, or a picture with one clear subject."
    if data.get("kind") == "frozen":
        todo = "Try the Strong motion; a clear subject on a simple background moves more."
    return Sentences(what, _NO_CLIP, todo)


_WEIGHTS = {
    "missing": "This bot's model is not installed completely.",
    "gated": "This bot's model needs its licence accepted before it can be used.",
    "offline": "This bot could not download its model.",
    "damaged": "This bot's model files are damaged.",
}


def _weights(data: Mapping[str, Any]) -> Sentences:
    what = _WEIGHTS.get(str(data.get("why")), "This bot's model cannot be loaded.")
    return Sentences(
        what, _NO_CLIP, "Only whoever runs this bot can mend that: `python -m bot doctor` names the remedy."
    )


def _encoding(data: Mapping[str, Any]) -> Sentences:
    if data.get("why") == "budget":
        return Sentences("The clip is too big for this place in every size tried.", _NO_CLIP, "Try MP4 instead.")
    if data.get("why") == "ffmpeg-missing":
        todo = "Whoever runs this bot has to install ffmpeg: `python -m bot doctor` says how."
        return Sentences("The bot has nothing to write videos with.", _NO_CLIP, todo)
    return Sentences(
        "The frames were made, but writing the clip failed.", _NO_CLIP, "Please try again, or try another format."
    )


def _disk_full(data: Mapping[str, Any]) -> Sentences:
    return Sentences(
        "The bot's disk is full.", _NO_CLIP, "Please tell whoever runs this bot, and try again once there is room."
    )


def _executor_lost(data: Mapping[str, Any]) -> Sentences:
    what = "The GPU process stopped answering" if data.get("cause") == "stall" else "The GPU process broke down"
    return Sentences(
        f"{what} on this picture each time it was tried.", _NO_CLIP, "Try other settings or another picture."
    )


def _crashed(data: Mapping[str, Any]) -> Sentences:
    return Sentences(
        "Something went wrong while the clip was made that nobody planned for.",
        _NO_CLIP,
        "Please try again. If it happens again, tell whoever runs this bot; the log has the details.",
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


_PHASES = {
    Phase.LOAD: "Loading the model",
    Phase.PREPARE: "Looking at the picture",
    Phase.DENOISE: "Dreaming up the motion",
    Phase.DECODE: "Painting the frames",
    Phase.ENCODE: "Writing the clip",
}


def name_phase(phase: Phase) -> str:
    """Name what a render is doing, in plain words."""
    return _PHASES[phase]


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
    size, full = _size(data, ""), _size(data, "from_")
    if size and full:
        return f"Scaled from {full} to {size} to fit this place's upload limit."
    return "Made smaller to fit this place's upload limit."


def _size(data: Mapping[str, Any], prefix: str) -> str:
    width, height = data.get(f"{prefix}width"), data.get(f"{prefix}height")
    return f"{width}x{height}" if isinstance(width, int) and isinstance(height, int) else ""


def _frame_rate(data: Mapping[str, Any]) -> str:
    fps = data.get("fps")
    return f"Played at {fps:g} frames a second to fit." if isinstance(fps, int | float) else "Fewer frames to fit."


def _loop_score(data: Mapping[str, Any]) -> str:
    score = data.get("score")
    if not isinstance(score, int | float):
        return "The ends were matched for looping."
    if score >= 0.7:
        return "It repeats without a jump."
    return "You may see it jump where it repeats. A boomerang loop never does."


def _small_picture(data: Mapping[str, Any]) -> str:
    size = _size(data, "")
    return f"The picture is small{f' ({size})' if size else ''}, so the clip may look soft."


_NOTES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "memory": _memory,
    "rerun": _rerun,
    "shrunk": _shrunk,
    "frame-rate": _frame_rate,
    "loop-score": _loop_score,
    "small-picture": _small_picture,
    "first-picture": lambda data: "The message holds more pictures; this is its first. /animate takes any other.",
    "first-frame": lambda data: "The picture is animated; its first frame was used.",
    "flattened": lambda data: "The transparent parts were filled in.",
}


def explain_notes(notes: tuple[Note, ...]) -> list[str]:
    """Give one sentence for each note that has one, without repeats; kinds of a newer version are left out."""
    return list(dict.fromkeys(_NOTES[note.kind](note.data) for note in notes if note.kind in _NOTES))


class DeadReason(StrEnum):
    """Why a settled job could not be told in its place; stored in the outbox row."""

    CHANNEL_GONE = "channel-gone"
    NO_PERMISSION = "no-permission"
    TOO_LARGE = "too-large"
    REFUSED = "refused"
    """Discord turned the message itself down: AutoMod, a content filter"""
    EXPIRED = "expired"
    """no lasting right to post here, and the interaction's 15 minutes are over"""
    CLIP_GONE = "clip-gone"


_DEAD: dict[str, str] = {
    DeadReason.CHANNEL_GONE: "The channel it was meant for is gone.",
    DeadReason.NO_PERMISSION: "I am not allowed to post files in that channel any more.",
    DeadReason.TOO_LARGE: "It is too large for that channel in every size tried.",
    DeadReason.REFUSED: "Discord or this server's AutoMod turned the message down.",
    DeadReason.EXPIRED: "Discord's 15 minutes for answering there were over.",
    DeadReason.CLIP_GONE: "The clip was not fetched in time and has been deleted.",
}


def explain_dead(reason: str | None) -> str:
    """Say why a clip could not be posted."""
    return _DEAD.get(reason or "", "It could not be posted there.")


def format_minutes(milliseconds: int) -> str:
    """Give a duration in words a person would use."""
    seconds = max(0, round(milliseconds / 1000))
    if seconds < 60:
        return f"{max(seconds, 1)} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
