"""What /history says of each request, and what its buttons say. No Discord.

Tested in tests/bot/edge/commands/jobs/test_history.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto

from bot.queue.job import DeliveryState, Job, JobState
from bot.queue.life.past import PastJob, post_url
from bot.texts.descriptions import describe_settings
from bot.texts.failures import explain_failure
from bot.texts.jobs.faces import job_face, state_word
from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import _, ngettext, pgettext, pN_
from bot.texts.limits import shorten


class Button(StrEnum):
    """What its buttons do."""

    AGAIN = auto()
    FETCH = auto()
    DELETE = auto()
    DELETE_FOR_GOOD = auto()
    OLDER = auto()
    NEWEST = auto()


_ENTRY_LETTERS = 700
"""of one request; a page of four and its frame take at most 4,000"""
_HOUR_MS = 3_600_000

_LABELS = {
    Button.AGAIN: pN_("button", "Again"),
    Button.FETCH: pN_("button", "Fetch"),
    Button.DELETE: pN_("button", "Delete"),
    Button.DELETE_FOR_GOOD: pN_("button", "Delete for good"),
    Button.OLDER: pN_("button", "Older"),
    Button.NEWEST: pN_("button", "Newest"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """One page of a person's settled requests, the newest first."""

    entries: list[PastJob]
    older: int = 0
    """how many come after these"""
    is_newest: bool = True
    names: Mapping[int, str] = field(default_factory=dict)
    """what their pictures are called, by the job's id"""
    pictures: frozenset[int] = frozenset()
    """of which jobs the picture is still kept"""
    clips: frozenset[int] = frozenset()
    """of which jobs the clip is still kept"""
    clip_hours: int = 24
    row_days: int = 30
    now_ms: int = 0


def button_label(button: Button) -> str:
    """Name a button."""
    return pgettext(*_LABELS[button])


def framed_picture_text() -> str:
    """Say what the picture beside a request is, for whoever does not see it."""
    return _("Your picture, as framed")


def history_title(page: HistoryPage) -> str:
    """Say what the page holds."""
    if not page.entries:
        return _("### Your clips\nThere is nothing here yet. `/animate` makes the first one.")
    return _("### Your clips\nThe newest first; only you see this.")


def history_foot(page: HistoryPage) -> str:
    """Say how long things are kept, and how many are older."""
    older = ngettext("{count} older.", "{count} older.", page.older) + " " if page.older else ""
    return f"-# {older}{_kept_for(page)}"


def _kept_for(page: HistoryPage) -> str:
    if page.row_days == 1:
        return ngettext(
            "Pictures and clips are kept for {count} hour, this list for 1 day.",
            "Pictures and clips are kept for {count} hours, this list for 1 day.",
            page.clip_hours,
        )
    # Translators: {days} is 2 or more.
    return ngettext(
        "Pictures and clips are kept for {count} hour, this list for {days} days.",
        "Pictures and clips are kept for {count} hours, this list for {days} days.",
        page.clip_hours,
        days=whole(page.row_days),
    )


def describe_past(page: HistoryPage, entry: PastJob) -> str:
    """Return what is known of one settled request: face, state, where it is, and what is no longer kept."""
    job = entry.job
    lines = [f"`{job.id}` {job_face(job, page.names.get(job.id))}", _state(page, entry)]
    lines += [f"-# {describe_settings(job.settings)}"]
    return shorten("\n".join(lines), _ENTRY_LETTERS)


def _state(page: HistoryPage, entry: PastJob) -> str:
    job = entry.job
    if job.state is JobState.FAILED:
        return _("No clip: {reason}", reason=explain_failure(job.failure or {}).what)
    if job.state is JobState.CANCELLED:
        return _("Cancelled, so there is no clip.")
    return f"{_where(entry)} {_kept(page, entry)}"


def _where(entry: PastJob) -> str:
    if entry.delivery is DeliveryState.DEAD:
        return _("Done, but it could not be posted.")
    if entry.delivery is not DeliveryState.SENT or entry.message_id is None:
        return _("Done.")
    return _("Done: [the post]({url}).", url=post_url(entry.job, entry.message_id))


def _kept(page: HistoryPage, entry: PastJob) -> str:
    """Say until when the clip is kept, or when it went."""
    until_ms = entry.finished_ms + page.clip_hours * _HOUR_MS
    when = f"<t:{until_ms // 1000}:f>"
    if entry.job.id in page.clips:
        if entry.delivery is DeliveryState.DEAD:
            return _("I keep it for you; Fetch hands it over.")
        # Translators: {when} is a date and a time, here and below.
        return _("I keep it until {when}.", when=when)
    if until_ms > page.now_ms:
        return _("It was deleted, so I no longer keep it.")
    return _("I no longer keep it: it went at the latest {when}.", when=when)


def ask_discard_text(job: Job, name: str | None) -> str:
    """Ask before a clip is deleted."""
    # Translators: {picture} is its name and when it was asked for; {state} is a word such as "done".
    return _(
        "Delete this one for good? {picture}, {state}. The post, the clip and the picture go, "
        "unless another clip of the same picture is kept. This cannot be undone.",
        picture=job_face(job, name),
        state=state_word(job),
    )


def discarded_text(job: Job, message_id: int | None, *, is_gone: bool) -> str:
    """Say that a clip was deleted, and what is left where the post could not be."""
    if message_id is None:
        return _("Deleted: the clip and the picture. It had no post.")
    if is_gone:
        return _("Deleted: the post, the clip and the picture.")
    return _(
        "The clip and the picture are deleted. [The post]({url}) I cannot reach any more: press Delete under it, "
        "which still works.",
        url=post_url(job, message_id),
    )


def clip_no_longer_kept_text(entry: PastJob, clip_hours: int, now_ms: int) -> str:
    """Say that a clip cannot be fetched any more, and when it went."""
    page = HistoryPage(entries=[entry], clip_hours=clip_hours, now_ms=now_ms)
    return f"{_kept(page, entry)} {_('Please use /animate again.')}"
