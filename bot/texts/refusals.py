"""Why a request is not taken, as a sentence: one for each kind of reason. No Discord.

Tested in tests/bot/texts/test_refusals.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.policy.admission import Reason, ReasonKind
from bot.policy.blocking import Block, Subject
from bot.policy.quota import Exceeded, Measure, Scope
from bot.texts.explanations import NOTHING_QUEUED, explain_channel
from bot.texts.limits import SENTENCE_LETTERS, fit_parts, shorten
from bot.texts.replies import no_room_text, paused_text

ASK_MANAGERS = "Who manages this server can change that with /settings."


def moment(ms: int) -> str:
    """Return a time as Discord shows it to each reader."""
    return f"<t:{ms // 1000}:f>"


def draining_text(reason: str) -> str:
    """Say that nothing new is taken."""
    told = shorten(reason, SENTENCE_LETTERS)
    return f"I finish what is waiting and take nothing new now: {told} {NOTHING_QUEUED} Please try again later."


def blocked_text(block: Block) -> str:
    """Say to somebody that they are kept out, why and until when."""
    reason = shorten(block.reason, SENTENCE_LETTERS)
    until = "" if block.until_ms is None else f" This ends on {moment(block.until_ms)}."
    if block.subject is Subject.SERVER:
        return (
            f"The people who run this bot take no requests from this server: {reason}{until} {NOTHING_QUEUED} "
            "Questions go to them."
        )
    return (
        f"The people who run this bot take no requests from you: {reason}{until} {NOTHING_QUEUED} "
        "Questions go to them. /privacy, /my-data and /forget-me work all the same."
    )


def opted_out_text() -> str:
    """Say that the picture's author wants nobody else to animate their pictures."""
    return f"Who posted that picture wants nobody else to animate it. {NOTHING_QUEUED}"


def others_never_text() -> str:
    """Say that the server allows only one's own pictures."""
    return (
        f"In this server you can animate only pictures that you posted yourself. {NOTHING_QUEUED} "
        "Who manages this server can change that with /settings."
    )


def cannot_ask_text() -> str:
    """Say that the picture's author would have to be asked, and cannot be."""
    return (
        "In this server I ask the author of a picture first, and this one I cannot ask: it was posted by a bot, or I "
        f"may not post here. {NOTHING_QUEUED} Who manages this server can change that with /settings."
    )


def asks_enough_text(limit: int) -> str:
    """Say that a person has asked enough others already."""
    return f"{limit} of your requests wait for the word of somebody already. {NOTHING_QUEUED} Please wait for those."


def picture_blocked_text() -> str:
    """Say that this picture is blocked."""
    return (
        f"That picture is blocked here: a clip of it was taken down, or it is on the list of the people who run this "
        f"bot. {NOTHING_QUEUED} If that is a mistake, please tell a moderator."
    )


def explain_refusal(reason: Reason) -> str:
    """Say why a request is not taken, that nothing was queued, and what to do."""
    return _SENTENCES[reason.kind](reason.data)


def _channel(data: Mapping[str, Any]) -> str:
    return (
        f"In this server I make clips only in {_mentions('#', data['channels'])}. {NOTHING_QUEUED} "
        f"Please ask there. {ASK_MANAGERS}"
    )


def _role(data: Mapping[str, Any]) -> str:
    return (
        f"In this server only people with one of these roles may ask for clips: {_mentions('@&', data['roles'])}. "
        f"{NOTHING_QUEUED} {ASK_MANAGERS}"
    )


def _age(data: Mapping[str, Any]) -> str:
    return (
        f"In this server I make clips only in age-restricted channels, and this is none. {NOTHING_QUEUED} "
        f"Please ask in one of those. {ASK_MANAGERS}"
    )


def _motion(data: Mapping[str, Any]) -> str:
    return (
        f"This server allows no stronger motion than {str(data['most']).capitalize()}, which is "
        f"{data['bucket']}. {NOTHING_QUEUED} Please choose less motion. {ASK_MANAGERS}"
    )


def _format(data: Mapping[str, Any]) -> str:
    return f"This server allows only these formats: {_names(data['allowed'])}. {NOTHING_QUEUED} {ASK_MANAGERS}"


def _quality(data: Mapping[str, Any]) -> str:
    return f"This server allows only these qualities: {_names(data['allowed'])}. {NOTHING_QUEUED} {ASK_MANAGERS}"


def _variant(data: Mapping[str, Any]) -> str:
    return (
        f"This server allows only clips made with {_names(data['allowed'])}, and I make them with "
        f"{_names([data['variant']])} now. {NOTHING_QUEUED} {ASK_MANAGERS}"
    )


def _too_long(data: Mapping[str, Any]) -> str:
    return (
        f"That clip would play {data['seconds']:.4g} seconds; this server allows {data['most']:g}. {NOTHING_QUEUED} "
        f"Raise playback_fps, leave out the boomerang, or take fewer frames. {ASK_MANAGERS}"
    )


def _quota(data: Mapping[str, Any]) -> str:
    return explain_exceeded(data["exceeded"])


_SENTENCES: Mapping[ReasonKind, Callable[[Mapping[str, Any]], str]] = {
    ReasonKind.PAUSED: lambda data: paused_text(data["why"]),
    ReasonKind.PERMISSIONS: lambda data: explain_channel(data["missing"]),
    ReasonKind.NO_ROOM: lambda data: no_room_text(),
    ReasonKind.CHANNEL: _channel,
    ReasonKind.ROLE: _role,
    ReasonKind.AGE: _age,
    ReasonKind.MOTION: _motion,
    ReasonKind.FORMAT: _format,
    ReasonKind.QUALITY: _quality,
    ReasonKind.VARIANT: _variant,
    ReasonKind.TOO_LONG: _too_long,
    ReasonKind.QUOTA: _quota,
    ReasonKind.DRAINING: lambda data: draining_text(data["why"]),
    ReasonKind.PERSON_BLOCKED: lambda data: blocked_text(data["block"]),
    ReasonKind.SERVER_BLOCKED: lambda data: blocked_text(data["block"]),
    ReasonKind.OPTED_OUT: lambda data: opted_out_text(),
    ReasonKind.OTHERS_PICTURE: lambda data: others_never_text(),
    ReasonKind.PICTURE_BLOCKED: lambda data: picture_blocked_text(),
    ReasonKind.ASK_AUTHOR: lambda data: cannot_ask_text(),
}

_LIMITS: Mapping[tuple[Scope, Measure], str] = {
    (Scope.PERSON, Measure.CLIPS_PER_DAY): "You may have {limit} clips in 24 hours.",
    (Scope.PERSON, Measure.GPU_SECONDS_PER_DAY): "You may have {limit} seconds of the GPU in 24 hours.",
    (Scope.PERSON, Measure.CLIPS_AT_ONCE): "You may have {limit} clips waiting or being made at once.",
    (Scope.PERSON, Measure.GPU_SECONDS_AT_ONCE): "You may have {limit} seconds of the GPU asked for at once.",
    (Scope.MEMBER, Measure.CLIPS_PER_DAY): "In this server each person may have {limit} clips in 24 hours.",
    (Scope.MEMBER, Measure.GPU_SECONDS_PER_DAY): (
        "In this server each person may have {limit} seconds of the GPU in 24 hours."
    ),
    (Scope.MEMBER, Measure.CLIPS_AT_ONCE): (
        "In this server each person may have {limit} clips waiting or being made at once."
    ),
    (Scope.MEMBER, Measure.GPU_SECONDS_AT_ONCE): (
        "In this server each person may have {limit} seconds of the GPU asked for at once."
    ),
    (Scope.SERVER, Measure.CLIPS_PER_DAY): "This server may have {limit} clips in 24 hours.",
    (Scope.SERVER, Measure.GPU_SECONDS_PER_DAY): "This server may have {limit} seconds of the GPU in 24 hours.",
    (Scope.SERVER, Measure.CLIPS_AT_ONCE): "This server may have {limit} clips waiting or being made at once.",
    (Scope.SERVER, Measure.GPU_SECONDS_AT_ONCE): "This server may have {limit} seconds of the GPU asked for at once.",
}


def explain_exceeded(exceeded: Exceeded) -> str:
    """Say which limit of a quota is reached, and when there is room again."""
    limit = _LIMITS[exceeded.scope, exceeded.measure].format(limit=f"{exceeded.limit:,}")
    if exceeded.never:
        return (
            f"{limit} This clip alone needs more. {NOTHING_QUEUED} Choose fewer steps or frames, or a faster quality."
        )
    if exceeded.free_again_ms is not None:
        when = exceeded.free_again_ms // 1000 + 1  # Discord's own times show whole seconds
        return f"{limit} That is used up. {NOTHING_QUEUED} There is room again <t:{when}:R> (<t:{when}:t>)."
    return f"{limit} That is reached. {NOTHING_QUEUED} There is room again as soon as one of them is done or given up."


def _mentions(kind: str, ids: Iterable[int]) -> str:
    return fit_parts([f"<{kind}{number}>" for number in ids], SENTENCE_LETTERS, ", ")


def _names(names: Iterable[Any]) -> str:
    return fit_parts([str(name) for name in names], SENTENCE_LETTERS, ", ")
