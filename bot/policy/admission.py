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
from bot.policy.server import AgeRule, OthersPictures
from generator.clip import count_looped


class ReasonKind(StrEnum):
    """Why a request is not taken."""

    PAUSED = "paused"
    DRAINING = "draining"
    PERSON_BLOCKED = "person-blocked"
    SERVER_BLOCKED = "server-blocked"
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
    OPTED_OUT = "opted-out"
    OTHERS_PICTURE = "others-picture"
    PICTURE_BLOCKED = "picture-blocked"
    QUOTA = "quota"
    ASK_AUTHOR = "ask-author"
    """the picture's author has to agree first: where they can be asked, the request waits for that"""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request is not taken, with what its sentence says."""

    kind: ReasonKind
    data: Mapping[str, Any] = field(default_factory=dict)


Rule = Callable[[Facts], Reason | None]


def paused(facts: Facts) -> Reason | None:
    """Take nothing while the bot is paused."""
    return Reason(ReasonKind.PAUSED, {"why": facts.paused}) if facts.paused is not None else None


def draining(facts: Facts) -> Reason | None:
    """Take nothing new while the bot finishes the rest."""
    return Reason(ReasonKind.DRAINING, {"why": facts.draining}) if facts.draining is not None else None


def person_block(facts: Facts) -> Reason | None:
    """Take nothing from people who are blocked."""
    return Reason(ReasonKind.PERSON_BLOCKED, {"block": facts.person_block}) if facts.person_block else None


def server_block(facts: Facts) -> Reason | None:
    """Take nothing from servers that are blocked."""
    return Reason(ReasonKind.SERVER_BLOCKED, {"block": facts.server_block}) if facts.server_block else None


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


def opted_out(facts: Facts) -> Reason | None:
    """Take no picture of somebody who wants nobody else to animate theirs."""
    return Reason(ReasonKind.OPTED_OUT) if facts.picture.has_opted_out else None


def others_picture(facts: Facts) -> Reason | None:
    """Take only pictures of the person who asks, where the server wants that."""
    is_others = facts.is_others_picture or facts.picture.who is not None
    never = facts.server.others_pictures is OthersPictures.NEVER
    return Reason(ReasonKind.OTHERS_PICTURE) if never and is_others else None


def picture_block(facts: Facts) -> Reason | None:
    """Take no picture that is blocked."""
    return Reason(ReasonKind.PICTURE_BLOCKED) if facts.picture.is_blocked else None


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


def ask_author(facts: Facts) -> Reason | None:
    """Let the picture's author agree first, where the server wants that."""
    asks = facts.server.others_pictures is OthersPictures.ASK and not facts.picture.is_allowed
    return Reason(ReasonKind.ASK_AUTHOR) if asks and facts.is_others_picture else None


RULES: tuple[Rule, ...] = (
    paused,
    draining,
    person_block,
    server_block,
    permissions,
    room,
    channel,
    role,
    age,
    opted_out,
    others_picture,
    picture_block,
    motion,
    clip_format,
    quality,
    variant,
    length,
    quota,
    ask_author,  # the last: nobody is asked for what would be refused anyway
)
"""in the order in which a reason is told: what concerns everybody first, what a person can change last"""

OF_CHANNELS: tuple[Rule, ...] = (permissions, channel, age)
"""what a person changes by asking in another channel"""

OF_SETTINGS: tuple[Rule, ...] = (motion, clip_format, quality, length)
"""what a person changes by choosing something else"""

BLOCKS: tuple[Rule, ...] = (person_block, server_block, opted_out, picture_block)
"""what is asked again when moderators allow a picture that was held back"""


FILES: tuple[Rule, ...] = (clip_format, length)
"""what a server's file of a clip is held against when it is made anew, without rendering"""


def decide(facts: Facts, rules: Iterable[Rule] = RULES) -> Reason | None:
    """Return the first reason not to take a request; None when it may be taken."""
    return next((reason for rule in rules if (reason := rule(facts)) is not None), None)


_MEND: Mapping[ReasonKind, str] = {
    **dict.fromkeys((ReasonKind.PAUSED, ReasonKind.DRAINING, ReasonKind.NO_ROOM), ""),
    **dict.fromkeys((ReasonKind.PERMISSIONS, ReasonKind.CHANNEL, ReasonKind.AGE), "channel"),
    ReasonKind.MOTION: "motion",
    ReasonKind.FORMAT: "format",
    ReasonKind.QUALITY: "quality",
    ReasonKind.TOO_LONG: "frames",
}
"""what a person changes; not in it is what they cannot: who they are, whose picture it is, which model there is"""


def what_to_mend(reason: Reason) -> str | None:
    """Return what a person can change: an option, or "channel"; "" where waiting may help, None where nothing does."""
    if reason.kind is ReasonKind.QUOTA:
        return "quality" if reason.data["exceeded"].never else ""
    return _MEND.get(reason.kind)
