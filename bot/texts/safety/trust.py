"""What people read about consent, reports, take-downs, blocks and their own data. No Discord.

Tested in tests/bot/texts/test_limits.py and tests/bot/edge/commands/trust/test_consent.py.
"""

from __future__ import annotations

from bot.policy.blocking import Block, Subject
from bot.policy.quota import Quota
from bot.texts.limits import MESSAGE_LETTERS, SENTENCE_LETTERS, fit_parts, shorten
from bot.texts.refusals import moment
from bot.texts.settings.quotas import describe_quota

# -- consent ---------------------------------------------------------------------------------------------------------


def ask_author_text(author_id: int, user_id: int, until_ms: int, link: str | None) -> str:
    """Ask a picture's author whether somebody may animate it; `link` leads to the message with the picture."""
    which = "your picture" if link is None else f"[your picture]({shorten(link, SENTENCE_LETTERS)})"
    return (
        f"<@{author_id}>, may <@{user_id}> have a short clip made of {which}? A model makes it move. "
        f"I fetch the picture only after a yes. Without an answer by {moment(until_ms)}, nothing is made."
    )


def allowed_text(author_id: int, user_id: int) -> str:
    """Say that the author agreed."""
    return f"<@{author_id}> agreed that <@{user_id}> has a clip made of their picture."


def denied_text(author_id: int, user_id: int) -> str:
    """Say that the author did not agree."""
    return f"<@{author_id}> did not agree, so nothing was made for <@{user_id}>."


def withdrawn_text(user_id: int) -> str:
    """Say that who asked has taken it back."""
    return f"<@{user_id}> has taken this request back. Nothing was made."


def unanswered_text(author_id: int, user_id: int) -> str:
    """Say that the author did not answer in time."""
    return (
        f"<@{author_id}> did not answer in time, so nothing was made for <@{user_id}>. The request is deleted; "
        "the picture was never fetched."
    )


def not_asked_text() -> str:
    """Say who can answer a question for consent."""
    return "Only the person who posted the picture can answer that."


def asked_over_text() -> str:
    """Say that a question for consent is over."""
    return "That question is over: it was answered, or its time had come."


def allowed_refused_text(user_id: int, why: str) -> str:
    """Say why nothing was made although the author agreed."""
    return f"<@{user_id}> {shorten(why, MESSAGE_LETTERS - 40)}"


# -- opting out, own data --------------------------------------------------------------------------------------------


def opt_out_state_text(*, is_out: bool) -> str:
    """Say whether others may animate the reader's pictures."""
    if is_out:
        return "**You have opted out:** nobody else can animate a picture that you posted, in any server where I am."
    return "Others may animate pictures that you posted where a server allows it. You can opt out of that for good."


def opted_out_now_text() -> str:
    """Say that somebody has opted out."""
    return (
        "Done. From now on nobody else can animate a picture that you posted, in any server, until you change that "
        "with /privacy. I keep a keyed hash of your id for it, also after /forget-me. Clips that exist already stay: "
        "use the Report button under them."
    )


def opted_in_now_text() -> str:
    """Say that somebody has taken their opt-out back."""
    return "Done. What each server allows counts again for pictures that you posted."


def my_data_text(left_out: int) -> str:
    """Hand over everything that is kept about the reader."""
    if left_out:
        return (
            "This is everything that I keep about you, as one file. Only you see this message. "
            f"{left_out} pictures and clips did not fit; /result hands clips over one by one."
        )
    return "This is everything that I keep about you, as one file. Only you see this message."


# -- reports and take-downs ------------------------------------------------------------------------------------------


def ask_report_text() -> str:
    """Ask before a clip is reported."""
    return (
        "This tells the moderators of this server and the people who run this bot that something is wrong with this "
        "clip. They see the clip and who asked for it. They do not see that it was you. If somebody is in danger, or "
        "the clip shows the abuse of a child, report the message to Discord as well, and to the police."
    )


def reported_text() -> str:
    """Thank for a report."""
    return "Thank you. They are told now. If you posted the picture, /privacy lets you opt out for good."


def reported_already_text() -> str:
    """Say that a clip was reported before."""
    return "Thank you. Somebody has reported this clip already, and they have been told."


def report_text(link: str, job_id: int | None, user_id: int | None) -> str:
    """Tell moderators and operators of a reported clip: what they need and no more."""
    link = shorten(link, SENTENCE_LETTERS)
    job = "Its request is not kept any more." if job_id is None else f"It is job {job_id}, asked for by <@{user_id}>."
    return (
        f"**A clip was reported:** {link}\n{job}\nTake down deletes the clip, its variations and their files, and "
        "blocks the picture: here when a moderator does it, everywhere when one of the people who run me does."
    )


def dismissed_text(link: str, by: int) -> str:
    """Say that a report came to nothing."""
    return f"The report about {shorten(link, SENTENCE_LETTERS)} was dismissed by <@{by}>."


def not_moderator_text() -> str:
    """Say who may decide about a report."""
    return "Only moderators of that server (Manage Messages) and the people who run me can decide that."


def taken_down_text(clips: int, left: int, *, is_blocked: bool) -> str:
    """Say what came of a take-down."""
    told = f"Taken down, with all files. Clips deleted: {clips}."
    if left:
        told += f" {left} messages could not be deleted; please delete them in Discord."
    if is_blocked:
        return f"{told} Its picture is blocked, and copies of it too."
    return f"{told} Its picture cannot be blocked: it is too plain to be told from others, or no longer known."


# -- operators -------------------------------------------------------------------------------------------------------


def now_draining_text(active: int) -> str:
    """Say that the bot drains now."""
    return (
        f"Nothing new is taken from now on. Clips that are still waiting or being made: {active}. When all are posted, "
        "I write to the owners. /admin resume takes new requests again."
    )


def drained_text(reason: str) -> str:
    """Tell the owners that everything is finished."""
    return (
        f"Everything is finished and posted; nothing new is taken ({shorten(reason, SENTENCE_LETTERS)}). "
        "You can stop me now, or go on with /admin resume."
    )


def limits_text(person: Quota, server: Quota) -> str:
    """Say what each person and each server may have, as the people who run the bot set it."""
    return f"Each person: {_allowed(person)}\nEach server, all its people together: {_allowed(server)}"


def _allowed(quota: Quota) -> str:
    return "no limit." if quota.is_unlimited else describe_quota(quota)


def no_id_text() -> str:
    """Say what names a person or a server."""
    return "Give a person or a server, one of them; a server by its id (right-click it with Developer Mode on)."


def now_blocked_text(block: Block, cancelled: int) -> str:
    """Say that somebody is kept out now."""
    until = "until /admin unblock" if block.until_ms is None else f"until {moment(block.until_ms)}"
    return (
        f"{name_block(block)} is blocked {until}: {shorten(block.reason, SENTENCE_LETTERS)} "
        f"Clips of theirs that were cancelled: {cancelled}."
    )


def unblocked_text(*, was_blocked: bool) -> str:
    """Say that somebody is let in again."""
    return "Unblocked." if was_blocked else "They were not blocked."


def name_block(block: Block) -> str:
    """Name who is kept out."""
    return f"<@{block.number}>" if block.subject is Subject.PERSON else f"The server {block.number}"


def blocks_text(blocks: list[Block], pictures: int) -> str:
    """List who is kept out, and count the blocked pictures."""
    rows = [
        f"· {name_block(block)}{'' if block.until_ms is None else f' until {moment(block.until_ms)}'}: "
        f"{shorten(block.reason, 200)}"
        for block in blocks
    ]
    return fit_parts(
        [f"{pictures} pictures are blocked everywhere.", *(rows or ["Nobody is blocked."])], MESSAGE_LETTERS
    )


def audit_text(rows: list[str]) -> str:
    """List what the people who run the bot did, newest first."""
    return fit_parts(rows or ["Nothing is in the log yet."], MESSAGE_LETTERS)


def audit_row(made_ms: int, user_id: int | None, action: str, what: str) -> str:
    """Return one line of the log."""
    who = "somebody who was forgotten" if user_id is None else f"<@{user_id}>"
    return f"{moment(made_ms)} {who}: {shorten(action, 60)} {shorten(what, 300)}".rstrip()


def announcement_text(text: str) -> str:
    """Tell servers what the people who run the bot have to say."""
    return f"**From the people who run this bot:** {shorten(text, 1500)}"


def announced_text(reached: int, failed: int, without: int) -> str:
    """Say how many servers an announcement reached."""
    return (
        f"Posted in the log channels of {reached} servers; {failed} could not be posted. {without} servers have chosen "
        "no log channel in /settings."
    )


def imported_text(new: int, total: int, wrong: int) -> str:
    """Say how many hashes of pictures were added."""
    told = f"{new} pictures are new on the block list; it has {total} now."
    return f"{told} {wrong} lines were no hash of 64 hexadecimal digits and were left out." if wrong else told


def too_large_list_text(limit: int) -> str:
    """Say that a list of hashes is too large."""
    return f"That list is larger than {limit} MiB. Import it in parts."
