"""What /history says of each request, and what its buttons say. No Discord.

Tested in tests/bot/edge/commands/jobs/test_history.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.queue.job import DeliveryState, Job, JobState
from bot.queue.life.past import PastJob
from bot.texts.descriptions import describe_settings
from bot.texts.failures import explain_failure
from bot.texts.jobs.faces import job_face, state_word
from bot.texts.limits import shorten

_ENTRY_LETTERS = 700
"""of one request; a page of four and its frame take at most 4,000"""
_HOUR_MS = 3_600_000

AGAIN, FETCH, DELETE, DELETE_FOR_GOOD, OLDER, NEWEST = (
    "Again",
    "Fetch",
    "Delete",
    "Delete for good",
    "Older",
    "Newest",
)
"""the labels of its buttons"""


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


def history_title(page: HistoryPage) -> str:
    """Say what the page holds."""
    if not page.entries:
        return "### Your clips\nThere is nothing here yet. `/animate` makes the first one."
    return "### Your clips\nThe newest first; only you see this."


def history_foot(page: HistoryPage) -> str:
    """Say how long things are kept, and how many are older."""
    older = f"{page.older} older. " if page.older else ""
    hours, days = page.clip_hours, page.row_days
    return f"-# {older}Pictures and clips are kept for {hours} hours, this list for {days} days."


def describe_past(page: HistoryPage, entry: PastJob) -> str:
    """Return what is known of one settled request: face, state, where it is, and what is no longer kept."""
    job = entry.job
    lines = [f"`{job.id}` {job_face(job, page.names.get(job.id))}", _state(page, entry)]
    lines += [f"-# {describe_settings(job.settings)}"]
    return shorten("\n".join(lines), _ENTRY_LETTERS)


def _state(page: HistoryPage, entry: PastJob) -> str:
    job = entry.job
    if job.state is JobState.FAILED:
        return f"No clip: {explain_failure(job.failure or {}).what}"
    if job.state is JobState.CANCELLED:
        return "Cancelled, so there is no clip."
    kept = _kept(page, entry)
    if entry.delivery is DeliveryState.DEAD:
        return f"Done, but it could not be posted. {kept}"
    if entry.delivery is not DeliveryState.SENT or entry.message_id is None:
        return f"Done. {kept}"
    return f"Done: [the post]({post_url(job, entry.message_id)}). {kept}"


def _kept(page: HistoryPage, entry: PastJob) -> str:
    """Say until when the clip is kept, or when it went."""
    until_ms = entry.finished_ms + page.clip_hours * _HOUR_MS
    if entry.job.id in page.clips:
        if entry.delivery is DeliveryState.DEAD:
            return "I keep it for you; Fetch hands it over."
        return f"I keep it until <t:{until_ms // 1000}:f>."
    if until_ms > page.now_ms:
        return "It was deleted, so I no longer keep it."
    return f"I no longer keep it: it went at the latest <t:{until_ms // 1000}:f>."


def post_url(job: Job, message_id: int) -> str:
    """Return the address of a job's post."""
    return f"https://discord.com/channels/{job.route.guild_id or '@me'}/{job.route.channel_id}/{message_id}"


def ask_discard_text(job: Job, name: str | None) -> str:
    """Ask before a clip is deleted."""
    return (
        f"Delete this one for good? {job_face(job, name)}, {state_word(job)}. The post, the clip and the picture go, "
        "unless another clip of the same picture is kept. This cannot be undone."
    )


def discarded_text(job: Job, message_id: int | None, *, is_gone: bool) -> str:
    """Say that a clip was deleted, and what is left where the post could not be."""
    if message_id is None:
        return "Deleted: the clip and the picture. It had no post."
    if is_gone:
        return "Deleted: the post, the clip and the picture."
    where = post_url(job, message_id)
    return (
        f"The clip and the picture are deleted. [The post]({where}) I cannot reach any more: press Delete under it, "
        "which still works."
    )


def clip_no_longer_kept_text(entry: PastJob, clip_hours: int, now_ms: int) -> str:
    """Say that a clip cannot be fetched any more, and when it went."""
    page = HistoryPage(entries=[entry], clip_hours=clip_hours, now_ms=now_ms)
    return f"{_kept(page, entry)} Please use /animate again."
