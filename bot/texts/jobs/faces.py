"""What a job looks like in a list: its picture's name, its age, its state. Pure; no Discord."""

from __future__ import annotations

import re
import unicodedata

from bot.queue.job import Job, JobState
from bot.texts.descriptions import describe_settings
from bot.texts.languages.sentences import N_, _, ngettext, nN_, pgettext, pN_
from bot.texts.limits import CHOICE_LETTERS, count_letters, listed, shorten
from generator.clip import Shape

NAME_LETTERS = 28
"""of a picture's name; it fits beside an age and a state on a phone"""
_DISCORD_EPOCH_MS = 1_420_070_400_000
_MARKDOWN = re.compile(r"([\\`*_~|<>\[\]()#@]|(?<=:)/(?=/))")
_UNNAMED = {
    Shape.LANDSCAPE: N_("a landscape picture"),
    Shape.PORTRAIT: N_("a portrait picture"),
    Shape.SQUARE: N_("a square picture"),
    Shape.AUTO: N_("a picture"),
}
_STATES = {
    JobState.QUEUED: pN_("state of a clip", "waiting"),
    JobState.RUNNING: pN_("state of a clip", "being made"),
    JobState.RENDERED: pN_("state of a clip", "done"),
    JobState.FAILED: pN_("state of a clip", "no clip"),
    JobState.CANCELLED: pN_("state of a clip", "cancelled"),
}
_STOPPING = pN_("state of a clip", "stopping")
_AGES = {
    86_400_000: nN_("{count} day ago", "{count} days ago"),
    3_600_000: nN_("{count} hour ago", "{count} hours ago"),
    60_000: nN_("{count} minute ago", "{count} minutes ago"),
}
"""by the unit's milliseconds, the largest first"""


def picture_name(job: Job, name: str | None) -> str:
    """Return what a picture is called, as plain text on one line; without a name, what shape its clip has."""
    letters = (letter if _is_sane(letter) else " " for letter in unicodedata.normalize("NFC", name or ""))
    sane = " ".join("".join(letters).split()).removeprefix("SPOILER_").strip(" .")
    return _short(sane) if sane else _(_UNNAMED[job.settings.shape])


def escaped_name(job: Job, name: str | None) -> str:
    """Return the same for a message: nothing in it is markup, and a covered picture's name is covered."""
    plain = picture_name(job, name)
    if plain == _(_UNNAMED[job.settings.shape]):
        return plain
    shown = _MARKDOWN.sub(r"\\\1", plain)
    return f"||{shown}||" if job.route.spoiler else f"**{shown}**"


def asked_ms(job: Job) -> int | None:
    """Return when a job was asked for, in UTC milliseconds; None when its key is no id of Discord's."""
    return (int(job.key) >> 22) + _DISCORD_EPOCH_MS if job.key.isdecimal() else None


def job_face(job: Job, name: str | None) -> str:
    """Return a job's picture and age, for a message; Discord shows the age, and counts it on by itself."""
    asked = asked_ms(job)
    shown = escaped_name(job, name)
    if asked is None:
        return shown
    when = f"<t:{asked // 1000}:R>"
    # Translators: {when} is a time such as "3 minutes ago".
    return _("{picture}, asked {when}", picture=shown, when=when)


def choice_label(job: Job, name: str | None, now_ms: int) -> str:
    """Return a job as a suggestion for an option: number, picture, age, state, and its settings where they fit."""
    asked = asked_ms(job)
    age = [] if asked is None else [describe_age(now_ms - asked)]
    known = listed([picture_name(job, name), *age, state_word(job)])
    return shorten(f"{job.id}: {known} · {describe_settings(job.settings)}", CHOICE_LETTERS)


def state_word(job: Job) -> str:
    """Return a job's state as a word or two."""
    is_stopping = job.cancel_requested and job.state is JobState.RUNNING
    return pgettext(*(_STOPPING if is_stopping else _STATES[job.state]))


def describe_age(age_ms: int) -> str:
    """Return an age in words, in the largest unit of which it has one."""
    for length_ms in _AGES:
        count = age_ms // length_ms
        if count >= 1:
            return ngettext(*_AGES[length_ms], count)
    return _("just now")


def _is_sane(letter: str) -> bool:
    """Tell whether a letter shows as itself: no control character, and none that turns the direction of writing."""
    return unicodedata.category(letter)[0] != "C"


def _short(name: str) -> str:
    """Return a name of at most NAME_LETTERS that keeps the end, where the file's kind is."""
    if count_letters(name) <= NAME_LETTERS:
        return name
    stem, dot, kind = name.rpartition(".")
    if not dot or not kind.isalnum() or len(kind) > 5:
        return shorten(name, NAME_LETTERS)
    return f"{shorten(stem, NAME_LETTERS - 1 - len(kind))}.{kind}"
