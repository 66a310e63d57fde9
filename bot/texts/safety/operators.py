"""What those who run the bot read, and what they tell: draining, limits, blocks, the log, announcements. No Discord.

Tested in tests/bot/texts/test_limits.py and tests/bot/edge/commands/trust/test_operators.py.
"""

from __future__ import annotations

from bot.policy.blocking import Block, Subject
from bot.policy.quota import Quota
from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import N_, _, ngettext
from bot.texts.limits import MESSAGE_LETTERS, SENTENCE_LETTERS, fit_parts, shorten
from bot.texts.refusals import BlockTexts, moment, say_block
from bot.texts.settings.quotas import describe_quota

# Translators: {server} is its number, as Discord knows it, here and in what follows.
_BLOCKED: BlockTexts = {
    (Subject.PERSON, False): N_("<@{user}> is blocked until /admin unblock: {reason}"),
    (Subject.PERSON, True): N_("<@{user}> is blocked until {when}: {reason}"),
    (Subject.SERVER, False): N_("The server {server} is blocked until /admin unblock: {reason}"),
    (Subject.SERVER, True): N_("The server {server} is blocked until {when}: {reason}"),
}
_ROWS: BlockTexts = {
    (Subject.PERSON, False): N_("· <@{user}>: {reason}"),
    (Subject.PERSON, True): N_("· <@{user}> until {when}: {reason}"),
    (Subject.SERVER, False): N_("· The server {server}: {reason}"),
    (Subject.SERVER, True): N_("· The server {server} until {when}: {reason}"),
}


def now_draining_text(active: int) -> str:
    """Say that the bot drains now."""
    return _(
        "Nothing new is taken from now on. Clips that are still waiting or being made: {clips}. When all are posted, "
        "I write to the owners. /admin resume takes new requests again.",
        clips=whole(active),
    )


def drained_text(reason: str) -> str:
    """Tell the owners that everything is finished."""
    return _(
        "Everything is finished and posted; nothing new is taken ({reason}). "
        "You can stop me now, or go on with /admin resume.",
        reason=shorten(reason, SENTENCE_LETTERS),
    )


def limits_text(person: Quota, server: Quota) -> str:
    """Say what each person and each server may have, as the people who run the bot set it."""
    # Translators: {limits} is a sentence such as "At most 5 clips in 24 hours.", here and in the next one.
    each_person = _("Each person: {limits}", limits=describe_quota(person))
    if person.is_unlimited:
        each_person = _("Each person: no limit.")
    each_server = _("Each server, all its people together: {limits}", limits=describe_quota(server))
    if server.is_unlimited:
        each_server = _("Each server, all its people together: no limit.")
    return f"{each_person}\n{each_server}"


def no_id_text() -> str:
    """Say what names a person or a server."""
    return _("Give a person or a server, one of them; a server by its id (right-click it with Developer Mode on).")


def now_blocked_text(block: Block, cancelled: int) -> str:
    """Say that somebody is kept out now."""
    clips = _("Clips of theirs that were cancelled: {clips}.", clips=whole(cancelled))
    return f"{say_block(_BLOCKED, block)} {clips}"


def unblocked_text(*, was_blocked: bool) -> str:
    """Say that somebody is let in again."""
    return _("Unblocked.") if was_blocked else _("They were not blocked.")


def blocks_text(blocks: list[Block], pictures: int) -> str:
    """List who is kept out, and count the blocked pictures."""
    count = ngettext("{count} picture is blocked everywhere.", "{count} pictures are blocked everywhere.", pictures)
    rows = [say_block(_ROWS, block, 200) for block in blocks]
    return fit_parts([count, *(rows or [_("Nobody is blocked.")])], MESSAGE_LETTERS)


def audit_text(rows: list[str]) -> str:
    """List what the people who run the bot did, newest first."""
    return fit_parts(rows or [_("Nothing is in the log yet.")], MESSAGE_LETTERS)


def audit_row(made_ms: int, user_id: int | None, action: str, what: str) -> str:
    """Return one line of the log."""
    when, what = moment(made_ms), f"{shorten(action, 60)} {shorten(what, 300)}".rstrip()
    if user_id is None:
        return _("{when} somebody who was forgotten: {what}", when=when, what=what)
    return _("{when} <@{user}>: {what}", when=when, user=user_id, what=what)


def announcement_text(text: str) -> str:
    """Tell servers what the people who run the bot have to say."""
    return _("**From the people who run this bot:** {text}", text=shorten(text, 1500))


def announced_text(reached: int, failed: int, without: int) -> str:
    """Say how many servers an announcement reached."""
    posted = ngettext(
        "Posted in the log channel of {count} server; {failed} could not be posted.",
        "Posted in the log channels of {count} servers; {failed} could not be posted.",
        reached,
        failed=whole(failed),
    )
    silent = ngettext(
        "{count} server has chosen no log channel in /settings.",
        "{count} servers have chosen no log channel in /settings.",
        without,
    )
    return f"{posted} {silent}"


def imported_text(new: int, total: int, wrong: int) -> str:
    """Say how many hashes of pictures were added."""
    told = ngettext(
        "{count} picture is new on the block list; it has {total} now.",
        "{count} pictures are new on the block list; it has {total} now.",
        new,
        total=whole(total),
    )
    if not wrong:
        return told
    left_out = ngettext(
        "{count} line was no hash of 64 hexadecimal digits and was left out.",
        "{count} lines were no hash of 64 hexadecimal digits and were left out.",
        wrong,
    )
    return f"{told} {left_out}"


def too_large_list_text(limit: int) -> str:
    """Say that a list of hashes is too large."""
    return _("That list is larger than {limit} MiB. Import it in parts.", limit=whole(limit))
