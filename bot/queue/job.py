"""The records that the store keeps, and the clock of their times. Knows no Discord and no SQL.

Tested in tests/bot/queue/test_jobs.py, tests/bot/queue/test_store.py and tests/bot/queue/test_deliveries.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from bot.policy.quota import NO_LIMITS, Allowance
from bot.policy.told import NOTHING_TOLD, Told
from generator.clip import ClipSettings
from generator.memory import MIB
from generator.protocol import Note, Rendered


def wall_clock_ms() -> int:
    """Return the time in UTC milliseconds: for display, back-off and retention, never to decide who holds a job."""
    return time.time_ns() // 1_000_000


def running_ms() -> int:
    """Return the milliseconds since the machine's start, sleep included: a clock that nobody sets."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class JobState(StrEnum):
    """Where a job's execution stands."""

    QUEUED = "queued"
    RUNNING = "running"
    RENDERED = "rendered"
    FAILED = "failed"
    CANCELLED = "cancelled"


SETTLED = frozenset({JobState.RENDERED, JobState.FAILED, JobState.CANCELLED})


class DeliveryState(StrEnum):
    """Where the delivery of a settled job stands."""

    PENDING = "pending"
    SENDING = "sending"
    """written before the request goes out: after a crash, the post may have arrived"""
    SENT = "sent"
    DEAD = "dead"
    """no route is left; the row is kept so that the person can fetch the clip"""


class DeadReason(StrEnum):
    """Why a settled job could not be posted in its channel; kept in the delivery row."""

    CHANNEL_GONE = "channel-gone"
    THREAD_CLOSED = "thread-closed"
    NO_PERMISSION = "no-permission"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    """every upload stood still, in the smallest size too"""
    REFUSED = "refused"
    """Discord refused the message itself: AutoMod, a content filter"""
    EXPIRED = "expired"
    """the bot may not post here by itself, and the interaction's 15 minutes are over"""
    CLIP_GONE = "clip-gone"
    FILTERED = "filtered"
    """the picture filter's guess counts in that server"""
    HELD = "held"
    """so it does, and the moderators decide"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a job's answers go, as the interaction said when the job was accepted."""

    application_id: int
    channel_id: int
    guild_id: int | None = None
    interaction_token: str | None = None
    """valid for 15 minutes after the interaction; never logged"""
    token_expires_ms: int | None = None
    can_post: bool = True
    """whether the bot can post here with its own token: member of the guild, or its own DM"""
    max_bytes: int = 10 * MIB
    """the channel's upload limit for the bot's own posts"""
    spoiler: bool = False
    language: str | None = None
    """of what is posted there; None in a row of an earlier version"""
    own_language: str | None = None
    """of who asked, for what only they read"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a job's picture came from."""

    hash: str | None = None
    """by which it is known again, see `generator.picture.fingerprint`; None: too plain for that, or not known"""
    who: str | None = None
    """a keyed hash of the id of who posted it; None: the person who asked"""


NO_SOURCE = Source()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """An accepted request on its way into the store."""

    key: str
    """the interaction's id: the same request twice is the same job"""
    user_id: int
    route: Route
    settings: ClipSettings
    picture: str
    """the conditioning image's name in the spool"""
    of_job: int | None = None
    """the job whose picture or last frames this takes: it is refused when that one has let go of its files"""
    share: int = 100
    """the person's share of the GPU, in percent of one ordinary share"""
    notes: tuple[Note, ...] = ()
    card_message_id: int | None = None
    """the message that becomes the status card"""
    source: Source = NO_SOURCE
    told: Told = NOTHING_TOLD
    allowance: Allowance = NO_LIMITS
    """the quotas that it is held against when it is enqueued"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row: one person's request to animate one picture."""

    id: int
    key: str
    user_id: int
    route: Route
    settings: ClipSettings
    picture: str
    state: JobState
    attempt: int
    """how often it was claimed; only the holder of (id, attempt) may settle the job"""
    card_message_id: int | None = None
    clip: str | None = None
    """the clip's name in the spool"""
    master: str | None = None
    failure: dict[str, Any] | None = None
    """the wire form of a RenderError"""
    notes: tuple[Note, ...] = ()
    facts: dict[str, Any] | None = None
    """the finished clip's bytes, width, height, frames, playback_fps, seconds, phase_seconds and motion"""
    cancel_requested: bool = False
    told: Told = NOTHING_TOLD
    of_job: int | None = None
    """the job under whose clip a button was pressed for it; it may be deleted since"""
    by_moderator: bool = False
    """that it is to be cancelled was said by somebody else than its person"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """Where a queued job stands, and in how many milliseconds it may be done."""

    position: int
    """1 is next"""
    waiting: int
    """the number of queued jobs"""
    eta_low_ms: int
    eta_high_ms: int
    """least and most, until the GPU is free of it"""
    eta_ms: int | None = None
    """the middle of that; None: not known"""
    after_ms: int = 0
    """what follows then: the file is written, and sent"""
    running: int = 0
    """the jobs that were started and are not settled"""
    people: int = 0
    """whose jobs come before: the running ones and those ahead in the queue"""
    own: int = 0
    """of what comes before, the jobs of the same person"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One row of `outbox`: a settled job whose result must be posted exactly once."""

    job_id: int
    state: DeliveryState
    nonce: str
    """the same for every attempt to post: Discord drops a repeat of it for a few minutes"""
    may_have_arrived: bool = False
    """whether an earlier attempt began, in this process, in one that died, or after the copy that was restored"""
    attempts: int = 0
    first_attempt_ms: int | None = None
    """when the first attempt to post began"""
    first_attempt_age_ms: int | None = None
    """how long ago that was, by a clock that nobody sets; None: another process made it, or nobody yet"""
    message_id: int | None = None
    error: str | None = None
    stalls: int = 0
    """how many uploads of it stood still since the bot's start; no column"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one person and one server may hold in the queue; 0 means no limit."""

    queued_per_user: int = 20
    queued_per_guild: int = 0
    running_per_user: int = 0
    max_attempts: int = 3


Whose = Literal["user_id", "guild_id"]
"""the column that says whose jobs are forgotten: a person's, or a server's"""


@dataclass(frozen=True, slots=True)
class ForgottenJob:
    """A job whose row is deleted, for what is still to be done about it elsewhere."""

    job: Job
    message_id: int | None
    """where its clip or failure was posted"""
    is_answered: bool
    """whether its card is in its last state: the job was settled and delivered"""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: the jobs, and the names of the spool's files to delete."""

    jobs: list[ForgottenJob]
    files: list[str]


class QueueFull(Exception):
    """A limit on waiting jobs is reached: `scope` is "user" or "guild", `limit` its number."""

    def __init__(self, scope: str, limit: int) -> None:
        super().__init__(f"the {scope} limit of {limit} waiting jobs is reached")
        self.scope = scope
        self.limit = limit


class PictureReleased(Exception):
    """The job whose picture a variation takes keeps it no longer: its file is deleted, or will be at once."""


class CancelOutcome(StrEnum):
    """What a request to cancel did."""

    NOT_FOUND = "not-found"
    QUEUED_CANCELLED = "queued-cancelled"
    RUNNING_REQUESTED = "running-requested"
    """the worker has to stop the render; it settles the job"""
    ALREADY_SETTLED = "already-settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job's last attempt ended."""

    state: JobState
    clip: str | None = None
    master: str | None = None
    facts: Mapping[str, Any] | None = None
    notes: tuple[Note, ...] = ()
    failure: Mapping[str, Any] | None = None
    took_ms: int = 0
    """how long the render held the GPU; 0 when there is nothing to learn from it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended, for whoever counts."""

    job: Job
    state: JobState | None
    """what the job is now; None: the attempt was not the current one any more"""
    error: str = ""
    """the code of the render's error"""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """of a finished clip, as in `Outcome`"""


_FACTS = ("bytes", "width", "height", "frames", "playback_fps", "seconds", "phase_seconds", "motion")


def rendered_outcome(rendered: Rendered) -> Outcome:
    """Return the outcome of an attempt that made a clip."""
    return Outcome(
        state=JobState.RENDERED,
        clip=rendered.clip_path.name,
        master=None if rendered.master_path is None else rendered.master_path.name,
        facts={name: getattr(rendered, name) for name in _FACTS},
        notes=rendered.notes,
        took_ms=int(rendered.seconds * 1000),
    )
