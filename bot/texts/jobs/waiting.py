"""What a waiting clip's card says of what comes before it, and when it comes. No Discord.

Tested in tests/bot/texts/jobs/test_status.py.
"""

from __future__ import annotations

from bot.queue.estimates import round_wait
from bot.queue.job import QueuePosition
from bot.texts.languages.numbers import shortest, whole
from bot.texts.languages.sentences import _, ngettext


def describe_turn(position: QueuePosition) -> str:
    """Say whose clips come before a waiting one, and why."""
    before, own = position.position - 1 + position.running, position.own
    if before == 0:
        return _("Next in the queue.")
    if before == 1:
        return _("Next, after your other clip.") if own else _("Next, after one other clip.")
    if position.position == 1 and own >= before:
        return ngettext("Next, after {count} other clip of yours.", "Next, after {count} other clips of yours.", before)
    if position.position == 1:
        return ngettext("Next, after {count} other clip.", "Next, after {count} other clips.", before)
    return _describe_others(position, before)


def _describe_others(position: QueuePosition, before: int) -> str:
    """Say how many clips come before a waiting one that is not the next, and that people take turns."""
    if position.own >= before:
        return ngettext(
            "{count} clip of yours comes before this one.", "{count} clips of yours come before this one.", before
        )
    if position.own:
        return ngettext(
            "{count} clip comes before this one, {own} of them yours; people take turns by GPU time.",
            "{count} clips come before this one, {own} of them yours; people take turns by GPU time.",
            before,
            own=whole(position.own),
        )
    if position.people <= 1:
        return ngettext(
            "{count} clip of another person comes before yours; people take turns by GPU time.",
            "{count} clips of another person come before yours; people take turns by GPU time.",
            before,
        )
    # Translators: {people} is 2 or more.
    return ngettext(
        "{count} clip of {people} people comes before yours; people take turns by GPU time.",
        "{count} clips of {people} people come before yours; people take turns by GPU time.",
        before,
        people=whole(position.people),
    )


def describe_wait(left_ms: int) -> str:
    """Say in about what time a clip comes, in one rounded number that is never nothing."""
    seconds = round_wait(left_ms)
    if seconds < 10:
        return _("Your clip comes in a few seconds.")
    if seconds < 60:
        return ngettext(
            "Your clip comes in about {count} second.", "Your clip comes in about {count} seconds.", seconds
        )
    if seconds < 3600:
        return ngettext(
            "Your clip comes in about {count} minute.", "Your clip comes in about {count} minutes.", seconds // 60
        )
    if seconds == 3600:
        return _("Your clip comes in about 1 hour.")
    if seconds == 5400:
        return _("Your clip comes in about 1.5 hours.")
    # Translators: {hours} is a number such as 2 or 2.5.
    return _("Your clip comes in about {hours} hours.", hours=shortest(seconds / 3600))


def describe_range(position: QueuePosition) -> str:
    """Say between which times a clip comes, where nobody knows yet how long it takes."""
    low, high = (round_wait(ms + position.after_ms) for ms in (position.eta_low_ms, position.eta_high_ms))
    if high <= 60:
        return _("Your clip comes within a minute.")
    if low < 60 or high < 120:
        return _describe_most(high)
    if low >= 3600:
        return _(
            "Your clip comes in {low} to {high} hours; how long it takes is not sure yet.",
            low=shortest(low / 3600),
            high=shortest(high / 3600),
        )
    if high < 3600:
        return ngettext(
            "Your clip comes in {low} to {count} minute; how long it takes is not sure yet.",
            "Your clip comes in {low} to {count} minutes; how long it takes is not sure yet.",
            high // 60,
            low=whole(low // 60),
        )
    if high == 3600:
        return ngettext(
            "Your clip comes in {count} minute to 1 hour; how long it takes is not sure yet.",
            "Your clip comes in {count} minutes to 1 hour; how long it takes is not sure yet.",
            low // 60,
        )
    return ngettext(
        "Your clip comes in {count} minute to {hours} hours; how long it takes is not sure yet.",
        "Your clip comes in {count} minutes to {hours} hours; how long it takes is not sure yet.",
        low // 60,
        hours=shortest(high / 3600),
    )


def _describe_most(seconds: int) -> str:
    if seconds < 3600:
        return ngettext(
            "Your clip comes within {count} minute; how long it takes is not sure yet.",
            "Your clip comes within {count} minutes; how long it takes is not sure yet.",
            max(1, seconds // 60),
        )
    if seconds == 3600:
        return _("Your clip comes within 1 hour; how long it takes is not sure yet.")
    return _("Your clip comes within {hours} hours; how long it takes is not sure yet.", hours=shortest(seconds / 3600))
