"""Why a request is not taken, as a sentence: one for each kind of reason. No Discord.

Tested in tests/bot/texts/test_refusals.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.policy.admission import Reason, ReasonKind
from bot.policy.quota import Exceeded, Measure, Scope
from bot.texts.explanations import NOTHING_QUEUED, explain_channel
from bot.texts.limits import SENTENCE_LETTERS, fit_parts
from bot.texts.replies import no_room_text, paused_text

ASK_MANAGERS = "Who manages this server can change that with /settings."


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
        f"This server allows no stronger motion than {str(data['most']).capitalize()}, which is motion_bucket "
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
