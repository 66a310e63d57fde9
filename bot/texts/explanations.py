"""What the bot says when it refuses, waits or cannot post: plain sentences. No Discord.

People never read an exception's text: a sentence is chosen by the error's class and filled from its `data`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.queue.job import DeadReason
from bot.texts.asking.choosing import typed_word
from bot.texts.languages.numbers import rounded, shortest, whole
from bot.texts.languages.sentences import N_, _, ngettext, pgettext, pN_
from bot.texts.limits import NAME_LETTERS, SENTENCE_LETTERS, listed, shorten
from bot.work.gate import Hold, HoldCause
from generator.clip import Format, Framing, Loop, Quality, Shape
from generator.errors import PictureError, PictureReason, SettingsError
from generator.memory import MIB


@dataclass(frozen=True, slots=True)
class Sentences:
    """What happened, what it means for the person's clip, and what to do next."""

    what: str
    means: str
    todo: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.means, self.todo) if part)


NOTHING_QUEUED = N_("Nothing was queued.")

_PICTURE: dict[PictureReason, tuple[str, str]] = {
    PictureReason.NOT_A_PICTURE: (
        N_("That file is not a picture."),
        N_("Please attach a JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC picture."),
    ),
    PictureReason.UNSUPPORTED_FORMAT: (
        N_("That kind of picture cannot be read here."),
        N_("Please save it as JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC and try again."),
    ),
    PictureReason.TOO_MANY_BYTES: (
        N_("That file is too big."),
        N_("Please send a smaller one; a JPEG is usually enough."),
    ),
    PictureReason.TOO_MANY_PIXELS: (
        N_("That picture has too many pixels."),
        N_("Please scale it down; 2000 pixels on the long side is plenty."),
    ),
    PictureReason.CORRUPT: (
        N_("That picture is damaged or incomplete."),
        N_("Please open it, save it again, and send the new file."),
    ),
    PictureReason.EMPTY: (N_("That file is empty."), N_("Please attach the picture again.")),
    PictureReason.TOO_SLOW: (
        N_("That picture takes too much time or memory to open."),
        N_("Please save it as an ordinary JPEG or PNG and try again."),
    ),
}
_TOO_SLOW = {
    "time": N_("That picture takes too long to open."),
    "memory": N_("That picture takes too much memory to open."),
}
_CUT_SHORT = (
    N_("That picture is incomplete: the file ends before the picture does."),
    N_("Please send it again from where it is whole."),
)
_TIFF = N_("That kind of TIFF cannot be read here."), N_("Please save it as PNG or JPEG and try again.")


def explain_picture(error: PictureError) -> Sentences:
    """Say why a picture cannot be used."""
    what, todo = map(_, _PICTURE[error.reason])
    data = error.data
    match error.reason:
        case PictureReason.TOO_MANY_BYTES if isinstance(data.get("max_bytes"), int):
            what = _("That file is too big: the limit is {size} MiB.", size=rounded(data["max_bytes"] / MIB))
        case PictureReason.TOO_MANY_PIXELS if isinstance(data.get("max_pixels"), int):
            what = _too_many_pixels(data)
        case PictureReason.TOO_SLOW if data.get("what") in _TOO_SLOW:
            what = _(_TOO_SLOW[data["what"]])
        case PictureReason.CORRUPT if data.get("what") == "cut-short":
            what, todo = map(_, _CUT_SHORT)
        case PictureReason.UNSUPPORTED_FORMAT if data.get("format") == "TIFF":
            what, todo = map(_, _TIFF)
    return Sentences(what, _(NOTHING_QUEUED), todo)


def _too_many_pixels(data: Mapping[str, Any]) -> str:
    most = rounded(data["max_pixels"] / 1e6)
    has = rounded(data["pixels"] / 1e6) if isinstance(data.get("pixels"), int) else ""
    if has and data.get("kind"):
        # Translators: {kind} is a format such as WebP; {has} and {most} are numbers.
        return _(
            "That picture has too many pixels: {has} million; the limit is {most} million for {kind} pictures.",
            has=has,
            most=most,
            kind=data["kind"],
        )
    if has:
        return _("That picture has too many pixels: {has} million; the limit is {most} million.", has=has, most=most)
    if data.get("kind"):
        return _(
            "That picture has too many pixels: the limit is {most} million for {kind} pictures.",
            most=most,
            kind=data["kind"],
        )
    return _("That picture has too many pixels: the limit is {most} million.", most=most)


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
_WORDS = dict[str, type[StrEnum]](shape=Shape, loop=Loop, format=Format, quality=Quality, framing=Framing)
_EXTENTS = {
    "frames": N_(
        "Together these options make a clip of {value} frames; the most is {most}. Nothing was queued. "
        "Leave out `smooth` or the boomerang, raise `playback_fps`, or take fewer `frames`."
    ),
    "seconds": N_(
        "Together these options make a clip of {value} seconds; the most is {most}. Nothing was queued. "
        "Raise `playback_fps`, leave out the boomerang, or take fewer `frames`."
    ),
}
_CONTRADICTIONS = {
    "playback_fps": N_(
        "`smooth` fills in frames up to {most} a second, so it does nothing with a `playback_fps` of "
        "{most} or more: leave one of the two out. Nothing was queued."
    ),
    "max_guidance": N_(
        "The option `{option}` is lower here than what a clip begins with. Nothing was queued. "
        "Choose a higher number, or leave it out."
    ),
}


def explain_settings(error: SettingsError) -> str:
    """Say what is wrong with an option, or that the options together make too much: each mistake in its sentence."""
    data = error.data
    if data.get("extent") in _EXTENTS:
        return _(_EXTENTS[data["extent"]], value=rounded(data["value"]), most=rounded(data["most"]))
    name = str(data.get("setting", ""))
    known = pgettext("option name", _OPTIONS.get(name, name)) if name else ""  # as the person's own menu calls it
    option = shorten(known, NAME_LETTERS).replace("`", "'")
    if data.get("is_unknown"):
        return _("There is no option `{option}`. Nothing was queued. /animate lists all there are.", option=option)
    if data.get("is_twice"):
        return _("The option `{option}` is there twice: leave it in one place. Nothing was queued.", option=option)
    if data.get("contradicts") in _CONTRADICTIONS:
        return _(_CONTRADICTIONS[data["contradicts"]], option=option, most=data.get("most"))
    if "value" in data and (name in _WORDS or "allowed" in data or "is_whole" in data):
        return _explain_unreadable(option, data, data.get("allowed") or list(_WORDS.get(name, [])))
    low, high = data.get("low"), data.get("high")
    if (name, high) == ("steps", 1):
        return _("This model makes every clip in one step. Nothing was queued. Leave out `steps`.")
    if not name or low is None or high is None:
        return _("I cannot make a clip with these options. Nothing was queued. Please choose other ones with /animate.")
    return _(
        "The option `{option}` is out of range. It goes from {low} to {high} here. Nothing was queued.",
        option=option,
        low=shortest(low),
        high=shortest(high),
    )


def _explain_unreadable(option: str, data: Mapping[str, Any], allowed: Iterable[str]) -> str:
    """Say that what was typed for an option is none of its values, and which there are."""
    typed = shorten(str(data["value"]), NAME_LETTERS).replace("`", "'") or " "
    names = listed(f"`{typed_word(name) if isinstance(name, StrEnum) else name}`" for name in allowed)
    if data.get("low") is None:
        # Translators: {option} is an option's name such as motion, {typed} what somebody typed for it.
        return _(
            "I know no {option} `{typed}`. Choose one of {names}. Nothing was queued.",
            option=option,
            typed=typed,
            names=names,
        )
    values = {"option": option, "typed": typed, "low": shortest(data["low"]), "high": shortest(data["high"])}
    if names:
        return _(
            "I know no {option} `{typed}`. Choose {names}, or a whole number from {low} to {high}. Nothing was queued.",
            names=names,
            **values,
        )
    if data.get("is_whole"):
        return _("`{option}` is a whole number from {low} to {high}, not `{typed}`. Nothing was queued.", **values)
    return _("`{option}` is a number from {low} to {high}, not `{typed}`. Nothing was queued.", **values)


def explain_full(scope: str, limit: int) -> str:
    """Say which limit of the queue is reached."""
    if scope == "user":
        return ngettext(
            "You have {count} picture waiting, which is the most for one person. Nothing was queued. "
            "Wait for one to be done, or give one up with /cancel.",
            "You have {count} pictures waiting, which is the most for one person. Nothing was queued. "
            "Wait for one to be done, or give one up with /cancel.",
            limit,
        )
    return ngettext(
        "This server's queue is full: {count} picture is waiting. Nothing was queued. Please try again in a while.",
        "This server's queue is full: {count} pictures are waiting. Nothing was queued. Please try again in a while.",
        limit,
    )


_PERMISSIONS = (
    pN_("permission", "View Channel"),
    pN_("permission", "Send Messages"),
    pN_("permission", "Send Messages in Threads"),
    pN_("permission", "Attach Files"),
)
"""as Discord calls them in each language"""


def explain_channel(missing: Sequence[str]) -> str:
    """Say which permissions the bot lacks in a channel."""
    names = [pgettext("permission", name) for name in missing]
    # Translators: {permissions} are permissions as Discord calls them.
    return _(
        "I may not post clips in this channel: I lack {permissions}. Nothing was queued. "
        "Ask a moderator to allow it, or use another channel.",
        permissions=listed(names),
    )


_HOLDS = {
    HoldCause.DISK_FULL: N_("The bot's disk is full; it goes on by itself once there is room."),
    HoldCause.NO_CARD: N_("No graphics card is connected just now; it goes on by itself once there is one."),
    HoldCause.CRASH_STORM: N_("The GPU process keeps breaking down; whoever runs this bot has to look at it."),
}


def explain_hold(hold: Hold) -> str:
    """Say why nothing is started."""
    if hold.cause is HoldCause.PAUSED:
        # Translators: {reason} is one sentence or more, in the operator's own words.
        return _("The bot is paused: {reason}", reason=shorten(hold.detail, SENTENCE_LETTERS))
    return _(_HOLDS[hold.cause])


_DEAD: dict[str, str] = {
    DeadReason.CHANNEL_GONE: N_("The channel it was meant for is gone."),
    DeadReason.THREAD_CLOSED: N_("The thread it was meant for is closed."),
    DeadReason.NO_PERMISSION: N_("I am not allowed to post files in that channel any more."),
    DeadReason.TOO_LARGE: N_("It is too large for that channel in every size tried."),
    DeadReason.TOO_SLOW: N_("Sending it failed again and again: my connection to Discord is too slow."),
    DeadReason.REFUSED: N_("Discord or this server's AutoMod turned the message down."),
    DeadReason.EXPIRED: N_("Discord's 15 minutes for answering there were over."),
    DeadReason.FILTERED: N_("The server's picture filter holds it back."),
    DeadReason.HELD: N_("The server's moderators look at it first."),
    DeadReason.CLIP_GONE: N_("The clip was not fetched in time and has been deleted."),
}


def explain_dead(reason: str | None) -> str:
    """Say why a clip could not be posted."""
    return _(_DEAD[reason]) if reason in _DEAD else _("It could not be posted there.")


def format_minutes(milliseconds: int) -> str:
    """Return a duration in words a person would use."""
    seconds = max(0, round(milliseconds / 1000))
    if seconds < 60:
        return pgettext("a duration", "{seconds} s", seconds=whole(max(seconds, 1)))
    if seconds < 3600:
        return pgettext("a duration", "{minutes} min", minutes=whole(round(seconds / 60)))
    return pgettext("a duration", "{hours} h", hours=rounded(seconds / 3600, 1))
