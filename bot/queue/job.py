"""The records that the store keeps. Knows no Discord and no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from generator.clip import ClipSettings
from generator.protocol import Note


class JobState(StrEnum):
    """Where a job's execution stands."""

    QUEUED = "queued"
    RUNNING = "running"
    RENDERED = "rendered"
    FAILED = "failed"
    CANCELLED = "cancelled"


SETTLED = frozenset({JobState.RENDERED, JobState.FAILED, JobState.CANCELLED})


class DeliveryState(StrEnum):
    """Where a settled job's post stands."""

    PENDING = "pending"
    SENDING = "sending"
    """written before the request goes out: after a crash, look whether it arrived"""
    SENT = "sent"
    DEAD = "dead"
    """no route left; kept so that the person can fetch it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a job's answers go, as the interaction told it at enqueue."""

    application_id: int
    channel_id: int
    guild_id: int | None = None
    interaction_token: str | None = None
    """good for 15 minutes after the interaction; never logged"""
    token_expires_ms: int | None = None
    can_post: bool = True
    """whether the bot can post here with its own token: member of the guild, or its own DM"""
    max_bytes: int = 10 * 1024 * 1024
    """the place's upload limit for the bot's own posts"""
    spoiler: bool = False


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
    cost_ms: int = 0
    """expected GPU milliseconds; 0 lets the store estimate from what this GPU really took"""
    weight: int = 100
    """the person's share of the GPU, in percent of one ordinary share"""
    notes: tuple[Note, ...] = ()
    card_message_id: int | None = None
    """the message that becomes the status card"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row: one person's request to animate one picture. Times are UTC milliseconds."""

    id: int
    key: str
    user_id: int
    route: Route
    settings: ClipSettings
    picture: str
    state: JobState
    attempt: int
    """how often it was claimed; together with id it names one try (the fencing epoch)"""
    cost_ms: int
    card_message_id: int | None = None
    clip: str | None = None
    """the clip's name in the spool"""
    master: str | None = None
    failure: dict[str, Any] | None = None
    """a RenderError's wire form"""
    notes: tuple[Note, ...] = ()
    facts: dict[str, Any] | None = None
    """the finished clip's bytes, width, height, frames, playback_fps, seconds and phase_seconds"""
    cancel_requested: bool = False
    created_ms: int = 0
    started_ms: int | None = None
    finished_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A queued job's place in the line, and when it may be done."""

    position: int
    """1 is next"""
    waiting: int
    """all queued jobs"""
    eta_low_ms: int
    eta_high_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One outbox row: a settled job that must be told to its person exactly once."""

    job_id: int
    state: DeliveryState
    nonce: str
    attempts: int = 0
    next_ms: int = 0
    first_try_ms: int | None = None
    message_id: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one person and one server may hold in the queue; 0 means no limit."""

    queued_per_user: int = 20
    queued_per_guild: int = 0
    running_per_user: int = 0
    max_attempts: int = 3
