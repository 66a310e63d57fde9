"""Why a request is not taken, as a sentence: one for each kind of reason. No Discord.

Tested in tests/bot/texts/test_refusals.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.policy.admission import Reason, ReasonKind
from bot.policy.blocking import Block, Subject
from bot.policy.quota import Exceeded, Measure, Scope
from bot.texts.explanations import explain_channel
from bot.texts.languages.numbers import shortest
from bot.texts.languages.sentences import N_, _, ngettext, nN_
from bot.texts.limits import SENTENCE_LETTERS, listed, shorten
from bot.texts.replies import no_room_text, paused_text
from bot.texts.settings.settings_panel import choice_label


def moment(ms: int) -> str:
    """Return a time as Discord shows it to each reader."""
    return f"<t:{ms // 1000}:f>"


def draining_text(reason: str) -> str:
    """Say that nothing new is taken."""
    # Translators: {reason} is one sentence or more, in the operator's own words.
    return _(
        "I finish what is waiting and take nothing new now: {reason} Nothing was queued. Please try again later.",
        reason=shorten(reason, SENTENCE_LETTERS),
    )


BlockTexts = Mapping[tuple[Subject, bool], str]
"""a sentence for each subject of a block, and whether the block ends"""
# Translators: {reason} is one sentence or more, in the operator's own words; {when} is a date with its time.
_BLOCKED: BlockTexts = {
    (Subject.PERSON, False): N_(
        "The people who run this bot take no requests from you: {reason} Nothing was queued. "
        "Questions go to them. /privacy, /my-data and /forget-me work all the same."
    ),
    (Subject.PERSON, True): N_(
        "The people who run this bot take no requests from you: {reason} This ends on {when}. Nothing was queued. "
        "Questions go to them. /privacy, /my-data and /forget-me work all the same."
    ),
    (Subject.SERVER, False): N_(
        "The people who run this bot take no requests from this server: {reason} Nothing was queued. "
        "Questions go to them."
    ),
    (Subject.SERVER, True): N_(
        "The people who run this bot take no requests from this server: {reason} This ends on {when}. "
        "Nothing was queued. Questions go to them."
    ),
}


def blocked_text(block: Block) -> str:
    """Say to somebody that they are kept out, why and until when."""
    return say_block(_BLOCKED, block)


def say_block(texts: BlockTexts, block: Block, most: int = SENTENCE_LETTERS) -> str:
    """Say of a block what fits its subject, and whether it ends; its reason has `most` letters at most."""
    ends = block.until_ms is not None
    return _(
        texts[block.subject, ends],
        user=block.number,
        server=block.number,
        reason=shorten(block.reason, most),
        when=moment(block.until_ms) if block.until_ms is not None else "",
    )


def opted_out_text() -> str:
    """Say that the picture's author wants nobody else to animate their pictures."""
    return _("Who posted that picture wants nobody else to animate it. Nothing was queued.")


def others_never_text() -> str:
    """Say that the server allows only one's own pictures."""
    return _(
        "In this server you can animate only pictures that you posted yourself. Nothing was queued. "
        "Who manages this server can change that with /settings."
    )


def cannot_ask_text() -> str:
    """Say that the picture's author would have to be asked, and cannot be."""
    return _(
        "In this server I ask the author of a picture first, and this one I cannot ask: it was posted by a bot, or I "
        "may not post here. Nothing was queued. Who manages this server can change that with /settings."
    )


def asks_enough_text(limit: int) -> str:
    """Say that a person has asked enough others already."""
    return ngettext(
        "{count} of your requests waits for the word of somebody already. Nothing was queued. Please wait for that.",
        "{count} of your requests wait for the word of somebody already. Nothing was queued. Please wait for those.",
        limit,
    )


def picture_blocked_text() -> str:
    """Say that this picture is blocked."""
    return _(
        "That picture is blocked here: a clip of it was taken down, or it is on the list of the people who run this "
        "bot. Nothing was queued. If that is a mistake, please tell a moderator."
    )


def explain_refusal(reason: Reason) -> str:
    """Say why a request is not taken, that nothing was queued, and what to do."""
    return _SENTENCES[reason.kind](reason.data)


def _channel(data: Mapping[str, Any]) -> str:
    return _(
        "In this server I make clips only in {channels}. Nothing was queued. Please ask there. "
        "Who manages this server can change that with /settings.",
        channels=_mentions("#", data["channels"]),
    )


def _role(data: Mapping[str, Any]) -> str:
    return _(
        "In this server only people with one of these roles may ask for clips: {roles}. Nothing was queued. "
        "Who manages this server can change that with /settings.",
        roles=_mentions("@&", data["roles"]),
    )


def _age(data: Mapping[str, Any]) -> str:
    return _(
        "In this server I make clips only in age-restricted channels, and this is none. Nothing was queued. "
        "Please ask in one of those. Who manages this server can change that with /settings."
    )


def _motion(data: Mapping[str, Any]) -> str:
    # Translators: {motion} is one of the strengths of motion by its name, {number} the same as a number.
    return _(
        "This server allows no stronger motion than {motion}, which is {number}. Nothing was queued. "
        "Please choose less motion. Who manages this server can change that with /settings.",
        motion=choice_label("most_motion", str(data["most"])),
        number=data["bucket"],
    )


def _format(data: Mapping[str, Any]) -> str:
    return _(
        "This server allows only these formats: {formats}. Nothing was queued. "
        "Who manages this server can change that with /settings.",
        formats=_names(data["allowed"]),
    )


def _quality(data: Mapping[str, Any]) -> str:
    return _(
        "This server allows only these qualities: {qualities}. Nothing was queued. "
        "Who manages this server can change that with /settings.",
        qualities=_names(data["allowed"]),
    )


def _variant(data: Mapping[str, Any]) -> str:
    return _(
        "This server allows only clips made with {allowed}, and I make them with {variant} now. Nothing was queued. "
        "Who manages this server can change that with /settings.",
        allowed=_names(data["allowed"]),
        variant=_names([data["variant"]]),
    )


def _too_long(data: Mapping[str, Any]) -> str:
    # Translators: {seconds} and {most} are numbers such as 7.04 and 3.5.
    return _(
        "That clip would play {seconds} seconds; this server allows {most}. Nothing was queued. "
        "Raise playback_fps, leave out the boomerang, or take fewer frames. "
        "Who manages this server can change that with /settings.",
        seconds=shortest(float(f"{data['seconds']:.4g}")),
        most=shortest(data["most"]),
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

_LIMITS: Mapping[tuple[Scope, Measure], tuple[str, str]] = {
    (Scope.PERSON, Measure.CLIPS_PER_DAY): nN_(
        "You may have {count} clip in 24 hours.",
        "You may have {count} clips in 24 hours.",
    ),
    (Scope.PERSON, Measure.GPU_SECONDS_PER_DAY): nN_(
        "You may have {count} second of the GPU in 24 hours.",
        "You may have {count} seconds of the GPU in 24 hours.",
    ),
    (Scope.PERSON, Measure.CLIPS_AT_ONCE): nN_(
        "You may have {count} clip waiting or being made at once.",
        "You may have {count} clips waiting or being made at once.",
    ),
    (Scope.PERSON, Measure.GPU_SECONDS_AT_ONCE): nN_(
        "You may have {count} second of the GPU asked for at once.",
        "You may have {count} seconds of the GPU asked for at once.",
    ),
    (Scope.MEMBER, Measure.CLIPS_PER_DAY): nN_(
        "In this server each person may have {count} clip in 24 hours.",
        "In this server each person may have {count} clips in 24 hours.",
    ),
    (Scope.MEMBER, Measure.GPU_SECONDS_PER_DAY): nN_(
        "In this server each person may have {count} second of the GPU in 24 hours.",
        "In this server each person may have {count} seconds of the GPU in 24 hours.",
    ),
    (Scope.MEMBER, Measure.CLIPS_AT_ONCE): nN_(
        "In this server each person may have {count} clip waiting or being made at once.",
        "In this server each person may have {count} clips waiting or being made at once.",
    ),
    (Scope.MEMBER, Measure.GPU_SECONDS_AT_ONCE): nN_(
        "In this server each person may have {count} second of the GPU asked for at once.",
        "In this server each person may have {count} seconds of the GPU asked for at once.",
    ),
    (Scope.SERVER, Measure.CLIPS_PER_DAY): nN_(
        "This server may have {count} clip in 24 hours.",
        "This server may have {count} clips in 24 hours.",
    ),
    (Scope.SERVER, Measure.GPU_SECONDS_PER_DAY): nN_(
        "This server may have {count} second of the GPU in 24 hours.",
        "This server may have {count} seconds of the GPU in 24 hours.",
    ),
    (Scope.SERVER, Measure.CLIPS_AT_ONCE): nN_(
        "This server may have {count} clip waiting or being made at once.",
        "This server may have {count} clips waiting or being made at once.",
    ),
    (Scope.SERVER, Measure.GPU_SECONDS_AT_ONCE): nN_(
        "This server may have {count} second of the GPU asked for at once.",
        "This server may have {count} seconds of the GPU asked for at once.",
    ),
}


def explain_exceeded(exceeded: Exceeded) -> str:
    """Say which limit of a quota is reached, and when there is room again."""
    limit = ngettext(*_LIMITS[exceeded.scope, exceeded.measure], exceeded.limit)
    if exceeded.never:
        # Translators: {limit} is a sentence such as "You may have 3 clips in 24 hours.", here and in the two next ones.
        return _(
            "{limit} This clip alone needs more. Nothing was queued. "
            "Choose fewer steps or frames, or a faster quality.",
            limit=limit,
        )
    if exceeded.free_again_ms is not None:
        second = exceeded.free_again_ms // 1000 + 1  # Discord's own times show whole seconds
        when, time = f"<t:{second}:R>", f"<t:{second}:t>"
        # Translators: {when} is a time such as "in 3 hours", {time} the same as a time of the day.
        return _(
            "{limit} That is used up. Nothing was queued. There is room again {when} ({time}).",
            limit=limit,
            when=when,
            time=time,
        )
    return _(
        "{limit} That is reached. Nothing was queued. There is room again as soon as one of them is done or given up.",
        limit=limit,
    )


def _mentions(kind: str, ids: Iterable[int]) -> str:
    return listed(f"<{kind}{number}>" for number in ids)


def _names(names: Iterable[Any]) -> str:
    return listed(str(name) for name in names)
