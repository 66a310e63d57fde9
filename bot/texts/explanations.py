"""What the bot says when it refuses, waits or cannot post: plain sentences. No Discord.

People never read an exception's text: a sentence is chosen by the error's class and filled from its `data`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.queue.job import DeadReason
from bot.texts.limits import NAME_LETTERS, SENTENCE_LETTERS, fit_parts, shorten
from bot.work.gate import Hold, HoldCause
from generator.errors import ExecutorLost, PictureError, PictureReason, SettingsError
from generator.memory import MIB


@dataclass(frozen=True, slots=True)
class Sentences:
    """What happened, what it means for the person's clip, and what to do next."""

    what: str
    means: str
    todo: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.means, self.todo) if part)


NOTHING_QUEUED = "Nothing was queued."

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


_TOO_SLOW = {
    "time": "That picture takes too long to open.",
    "memory": "That picture takes too much memory to open.",
}
_CUT_SHORT = (
    "That picture is incomplete: the file ends before the picture does.",
    "Please send it again from where it is whole.",
)


def explain_picture(error: PictureError) -> Sentences:
    """Say why a picture cannot be used."""
    what, todo = _PICTURE[error.reason]
    data = error.data
    match error.reason:
        case PictureReason.TOO_MANY_BYTES if isinstance(data.get("max_bytes"), int):
            what = f"That file is too big: the limit is {data['max_bytes'] / MIB:.0f} MiB."
        case PictureReason.TOO_MANY_PIXELS if isinstance(data.get("max_pixels"), int):
            what = f"That picture has too many pixels: {_pixels(data)}."
        case PictureReason.TOO_SLOW:
            what = _TOO_SLOW.get(str(data.get("what")), what)
        case PictureReason.CORRUPT if data.get("what") == "cut-short":
            what, todo = _CUT_SHORT
        case PictureReason.UNSUPPORTED_FORMAT if data.get("format") == "TIFF":
            what, todo = "That kind of TIFF cannot be read here.", "Please save it as PNG or JPEG and try again."
    return Sentences(what, NOTHING_QUEUED, todo)


def _pixels(data: Mapping[str, Any]) -> str:
    size = f"{data['pixels'] / 1e6:.0f} million; " if isinstance(data.get("pixels"), int) else ""
    kind = f" for {data['kind']} pictures" if data.get("kind") else ""
    return f"{size}the limit is {data['max_pixels'] / 1e6:.0f} million{kind}"


_PICTURE_SUFFIXES = frozenset(
    {
        *("jpg", "jpeg", "jpe", "jfif", "jfi", "jif", "pjpeg", "pjp", "mpo", "png", "apng", "webp", "gif"),
        *("avif", "avifs", "heic", "heics", "heif", "heifs", "hif", "bmp", "dib", "tif", "tiff"),
    }
)


def may_be_picture(file_name: str, content_type: str | None) -> bool:
    """Tell whether a file may be a picture, from its name and what Discord says of its content."""
    return file_name.rpartition(".")[2].lower() in _PICTURE_SUFFIXES or (content_type or "").startswith("image/")


def explain_source(file_name: str, content_type: str | None, size: int | None, max_bytes: int) -> str | None:
    """Say why a file cannot be a usable picture, from its name and size alone; None when it may be one.

    The size of a linked picture is not known (None).
    """
    if size == 0:
        return str(explain_picture(PictureError(PictureReason.EMPTY, "")))
    if size is not None and size > max_bytes:
        return str(explain_picture(PictureError(PictureReason.TOO_MANY_BYTES, "", max_bytes=max_bytes)))
    if not may_be_picture(file_name, content_type):
        return str(explain_picture(PictureError(PictureReason.NOT_A_PICTURE, "")))
    return None


_OPTIONS = {"min_guidance": "guidance", "max_guidance": "guidance", "motion_bucket": "motion"}


_EXTENTS = {
    "frames": (
        f"Together these options make a clip of {{value:,}} frames; the most is {{most:,}}. {NOTHING_QUEUED} "
        "Leave out `smooth` or the boomerang, raise `playback_fps`, or take fewer `frames`."
    ),
    "seconds": (
        f"Together these options make a clip of {{value:.0f}} seconds; the most is {{most:.0f}}. {NOTHING_QUEUED} "
        "Raise `playback_fps`, leave out the boomerang, or take fewer `frames`."
    ),
}


def explain_settings(error: SettingsError) -> str:
    """Say which option is out of range, or that the options together make too much."""
    if error.data.get("extent") in _EXTENTS:
        return _EXTENTS[error.data["extent"]].format(value=error.data["value"], most=error.data["most"])
    data = error.data
    name = str(data.get("setting", "one option"))
    option = shorten(_OPTIONS.get(name, name), NAME_LETTERS).replace("`", "'")
    if data.get("is_unknown"):
        return f"There is no option `{option}`. {NOTHING_QUEUED} /animate lists all there are."
    if data.get("is_twice"):
        return f"The option `{option}` is there twice: leave it in one place. {NOTHING_QUEUED}"
    if data.get("contradicts"):
        return (
            f"`smooth` fills in frames up to {data.get('most')} a second, so it does nothing with a `playback_fps` of "
            f"{data.get('most')} or more: leave one of the two out. {NOTHING_QUEUED}"
        )
    if "value" in data and ("allowed" in data or "is_whole" in data):
        return _explain_unreadable(option, data)
    low, high = data.get("low"), data.get("high")
    if (name, high) == ("steps", 1):
        return f"This model makes every clip in one step. {NOTHING_QUEUED} Leave out `steps`."
    allowed = f" It goes from {low:g} to {high:g} here." if low is not None and high is not None else ""
    return f"The option `{option}` is out of range.{allowed} {NOTHING_QUEUED}"


def _explain_unreadable(option: str, data: Mapping[str, Any]) -> str:
    """Say that what was typed for an option is none of its values, and which there are."""
    typed = shorten(str(data["value"]), NAME_LETTERS).replace("`", "'") or " "
    names = fit_parts([f"`{name}`" for name in data.get("allowed", [])], SENTENCE_LETTERS, ", ")
    numbers = "" if data.get("low") is None else f"{data['low']:g} to {data['high']:g}"
    if not names:
        kind = "a whole number" if data.get("is_whole") else "a number"
        return f"`{option}` is {kind} from {numbers}, not `{typed}`. {NOTHING_QUEUED}"
    if numbers:
        return f"I know no {option} `{typed}`. Choose {names}, or a whole number from {numbers}. {NOTHING_QUEUED}"
    return f"I know no {option} `{typed}`. Choose one of {names}. {NOTHING_QUEUED}"


def explain_full(scope: str, limit: int) -> str:
    """Say which limit of the queue is reached."""
    if scope == "user":
        return (
            f"You have {limit} pictures waiting, which is the most for one person. {NOTHING_QUEUED} "
            "Wait for one to be done, or give one up with /cancel."
        )
    return f"This server's queue is full: {limit} pictures are waiting. {NOTHING_QUEUED} Please try again in a while."


def explain_channel(missing: Sequence[str]) -> str:
    """Say which permissions the bot lacks in a channel."""
    return (
        f"I may not post clips in this channel: I lack {fit_parts(missing, SENTENCE_LETTERS, ' and ')}. "
        f"{NOTHING_QUEUED} Ask a moderator to allow it, or use another channel."
    )


def explain_hold(hold: Hold) -> str:
    """Say why nothing is started."""
    return {
        HoldCause.PAUSED: f"The bot is paused: {shorten(hold.detail, SENTENCE_LETTERS)}",
        HoldCause.DISK_FULL: "The bot's disk is full; it goes on by itself once there is room.",
        HoldCause.NO_CARD: "No graphics card is connected just now; it goes on by itself once there is one.",
        HoldCause.CRASH_STORM: "The GPU process keeps breaking down; whoever runs this bot has to look at it.",
    }[hold.cause]


def storm_text(error: ExecutorLost, others_go_on: bool) -> str:
    """Return what the owners read when all GPUs have stopped, or one of them, and what to do."""
    ways = {"signal": "was killed", "stall": "hung", "garbage": "spoke garbage"}
    how = ways.get(error.data.get("cause", ""), "ended")
    return (
        f"A process that renders clips has died again and again (the last one {how}), so "
        f"{'its GPU gets no more jobs; the others go on' if others_go_on else 'nothing is started any more'}. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    )


def left_out_text(node: str) -> str:
    """Return what the owners read when a machine of the cluster gets no more jobs, and what to do."""
    return (
        f"The machine {shorten(node, SENTENCE_LETTERS)} of the cluster was lost again and again, so it gets no jobs "
        "for half an hour. The others go on, and everything in the queue is kept. Look at its log and run "
        "`python -m bot cluster doctor` on it; `/admin resume` lets it work again at once."
    )


def unreadable_text(job_ids: Sequence[int]) -> str:
    """Return what the owners read about jobs whose rows this version does not understand."""
    numbers = shorten(", ".join(map(str, job_ids)), SENTENCE_LETTERS)
    which = f"Job {numbers}" if len(job_ids) == 1 else f"{len(job_ids)} jobs ({numbers})"
    return (
        f"{which} could not be read from the database and failed; everything else goes on. "
        "A newer version may have written that. What was there is kept in the table `set_aside`."
    )


_DEAD: dict[str, str] = {
    DeadReason.CHANNEL_GONE: "The channel it was meant for is gone.",
    DeadReason.THREAD_CLOSED: "The thread it was meant for is closed.",
    DeadReason.NO_PERMISSION: "I am not allowed to post files in that channel any more.",
    DeadReason.TOO_LARGE: "It is too large for that channel in every size tried.",
    DeadReason.TOO_SLOW: "Sending it failed again and again: my connection to Discord is too slow.",
    DeadReason.REFUSED: "Discord or this server's AutoMod turned the message down.",
    DeadReason.EXPIRED: "Discord's 15 minutes for answering there were over.",
    DeadReason.FILTERED: "The server's picture filter holds it back.",
    DeadReason.HELD: "The server's moderators look at it first.",
    DeadReason.CLIP_GONE: "The clip was not fetched in time and has been deleted.",
}


def explain_dead(reason: str | None) -> str:
    """Say why a clip could not be posted."""
    return _DEAD.get(reason or "", "It could not be posted there.")


def format_minutes(milliseconds: int) -> str:
    """Return a duration in words a person would use."""
    seconds = max(0, round(milliseconds / 1000))
    if seconds < 60:
        return f"{max(seconds, 1)} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
