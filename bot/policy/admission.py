"""The one decision whether a request for a clip may be taken: rules over facts, each None or a reason. Pure.

A new rule is a function in `RULES`, with a kind of reason here, a sentence in `bot/texts/refusals.py` and a row in
`tests/bot/edge/commands/submission/test_entrances.py`, which tries it at every entrance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.policy.facts import Facts
from bot.policy.motion import MOTION_BUCKETS
from bot.policy.server import AgeRule
from generator.clip import count_looped


class ReasonKind(StrEnum):
    """Why a request is not taken."""

    PAUSED = "paused"
    PERMISSIONS = "permissions"
    NO_ROOM = "no-room"
    CHANNEL = "channel"
    ROLE = "role"
    AGE = "age"
    MOTION = "motion"
    FORMAT = "format"
    QUALITY = "quality"
    VARIANT = "variant"
    TOO_LONG = "too-long"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request is not taken, with what its sentence says."""

    kind: ReasonKind
    data: Mapping[str, Any] = field(default_factory=dict)


Rule = Callable[[Facts], Reason | None]


def paused(facts: Facts) -> Reason | None:
    """Take nothing while the bot is paused."""
    return Reason(ReasonKind.PAUSED, {"why": facts.paused}) if facts.paused is not None else None


def permissions(facts: Facts) -> Reason | None:
    """Take nothing where the clip could not be posted."""
    return Reason(ReasonKind.PERMISSIONS, {"missing": facts.where.missing}) if facts.where.missing else None


def room(facts: Facts) -> Reason | None:
    """Take nothing while the disk is nearly full."""
    return None if facts.has_room else Reason(ReasonKind.NO_ROOM)


def channel(facts: Facts) -> Reason | None:
    """Serve the channels that the server chose; a thread belongs to its channel, a channel to its category."""
    chosen, where = facts.server.channels, facts.where
    if not chosen or chosen & {where.channel_id, *where.parents}:
        return None
    return Reason(ReasonKind.CHANNEL, {"channels": tuple(sorted(chosen))})


def role(facts: Facts) -> Reason | None:
    """Serve the roles that the server chose."""
    chosen = facts.server.roles
    if not chosen or chosen & facts.person.roles:
        return None
    return Reason(ReasonKind.ROLE, {"roles": tuple(sorted(chosen))})


def age(facts: Facts) -> Reason | None:
    """Serve age-restricted channels alone, where the server wants that. What Discord does not tell counts as open."""
    wanted = facts.server.age_rule is AgeRule.RESTRICTED_ONLY
    return Reason(ReasonKind.AGE) if wanted and not facts.where.is_age_restricted else None


def motion(facts: Facts) -> Reason | None:
    """Allow no stronger motion than the server does, however it was asked for."""
    most = facts.server.most_motion
    if most is None or facts.settings is None or facts.settings.motion_bucket <= MOTION_BUCKETS[most]:
        return None
    return Reason(ReasonKind.MOTION, {"most": most, "bucket": MOTION_BUCKETS[most]})


def clip_format(facts: Facts) -> Reason | None:
    """Allow the server's formats."""
    allowed = facts.server.formats
    if not allowed or facts.settings is None or facts.settings.format in allowed:
        return None
    return Reason(ReasonKind.FORMAT, {"allowed": tuple(sorted(allowed))})


def quality(facts: Facts) -> Reason | None:
    """Allow the server's qualities."""
    allowed = facts.server.qualities
    if not allowed or facts.settings is None or facts.settings.quality in allowed:
        return None
    return Reason(ReasonKind.QUALITY, {"allowed": tuple(sorted(allowed))})


def variant(facts: Facts) -> Reason | None:
    """Allow the server's variants."""
    allowed = facts.server.variants
    if not allowed or facts.settings is None or facts.settings.variant in allowed:
        return None
    return Reason(ReasonKind.VARIANT, {"allowed": tuple(sorted(allowed)), "variant": facts.settings.variant})


def length(facts: Facts) -> Reason | None:
    """Allow clips as long as the server does."""
    most, settings = facts.server.longest_clip, facts.settings
    if most is None or settings is None:
        return None
    seconds = count_looped(settings) / settings.playback_fps
    return Reason(ReasonKind.TOO_LONG, {"seconds": seconds, "most": most}) if seconds > most else None


def quota(facts: Facts) -> Reason | None:
    """Hold a request against the quotas."""
    return Reason(ReasonKind.QUOTA, {"exceeded": facts.exceeded}) if facts.exceeded is not None else None


RULES: tuple[Rule, ...] = (
    paused,
    permissions,
    room,
    channel,
    role,
    age,
    motion,
    clip_format,
    quality,
    variant,
    length,
    quota,
)
"""in the order in which a reason is told: what concerns everybody first, what a person can change last"""


def decide(facts: Facts, rules: Iterable[Rule] = RULES) -> Reason | None:
    """Return the first reason not to take a request; None when it may be taken."""
    return next((reason for rule in rules if (reason := rule(facts)) is not None), None)
