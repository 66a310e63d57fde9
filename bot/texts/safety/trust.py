"""What people read about consent, reports, take-downs and their own data. No Discord.

Tested in tests/bot/texts/test_limits.py and tests/bot/edge/commands/trust/test_consent.py.
"""

from __future__ import annotations

from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import _, ngettext
from bot.texts.limits import MESSAGE_LETTERS, SENTENCE_LETTERS, shorten
from bot.texts.refusals import moment

# -- consent ---------------------------------------------------------------------------------------------------------


def ask_author_text(author_id: int, user_id: int, until_ms: int, link: str | None) -> str:
    """Ask a picture's author whether somebody may animate it; `link` leads to the message with the picture."""
    values = {"author": author_id, "user": user_id, "when": moment(until_ms)}
    if link is None:
        return _(
            "<@{author}>, may <@{user}> have a short clip made of your picture? A model makes it move. "
            "I fetch the picture only after a yes. Without an answer by {when}, nothing is made.",
            **values,
        )
    return _(
        "<@{author}>, may <@{user}> have a short clip made of [your picture]({link})? A model makes it move. "
        "I fetch the picture only after a yes. Without an answer by {when}, nothing is made.",
        link=shorten(link, SENTENCE_LETTERS),
        **values,
    )


def allowed_text(author_id: int, user_id: int) -> str:
    """Say that the author agreed."""
    return _("<@{author}> agreed that <@{user}> has a clip made of their picture.", author=author_id, user=user_id)


def denied_text(author_id: int, user_id: int) -> str:
    """Say that the author did not agree."""
    return _("<@{author}> did not agree, so nothing was made for <@{user}>.", author=author_id, user=user_id)


def withdrawn_text(user_id: int) -> str:
    """Say that who asked has taken it back."""
    return _("<@{user}> has taken this request back. Nothing was made.", user=user_id)


def unanswered_text(author_id: int, user_id: int) -> str:
    """Say that the author did not answer in time."""
    return _(
        "<@{author}> did not answer in time, so nothing was made for <@{user}>. The request is deleted; "
        "the picture was never fetched.",
        author=author_id,
        user=user_id,
    )


def not_asked_text() -> str:
    """Say who can answer a question for consent."""
    return _("Only the person who posted the picture can answer that.")


def asked_over_text() -> str:
    """Say that a question for consent is over."""
    return _("That question is over: it was answered, or its time had come.")


def allowed_refused_text(user_id: int, why: str) -> str:
    """Say why nothing was made although the author agreed."""
    return f"<@{user_id}> {shorten(why, MESSAGE_LETTERS - 40)}"


# -- opting out, own data --------------------------------------------------------------------------------------------


def opt_out_state_text(*, is_out: bool) -> str:
    """Say whether others may animate the reader's pictures."""
    if is_out:
        return _("**You have opted out:** nobody else can animate a picture that you posted, in any server where I am.")
    return _("Others may animate pictures that you posted where a server allows it. You can opt out of that for good.")


def opted_out_now_text() -> str:
    """Say that somebody has opted out."""
    return _(
        "Done. From now on nobody else can animate a picture that you posted, in any server, until you change that "
        "with /privacy. I keep a keyed hash of your id for it, also after /forget-me. Clips that exist already stay: "
        "use the Report button under them."
    )


def opted_in_now_text() -> str:
    """Say that somebody has taken their opt-out back."""
    return _("Done. What each server allows counts again for pictures that you posted.")


def my_data_text(left_out: int) -> str:
    """Hand over everything that is kept about the reader."""
    if left_out:
        return ngettext(
            "This is everything that I keep about you, as one file. Only you see this message. "
            "{count} picture or clip did not fit; /result hands clips over one by one.",
            "This is everything that I keep about you, as one file. Only you see this message. "
            "{count} pictures and clips did not fit; /result hands clips over one by one.",
            left_out,
        )
    return _("This is everything that I keep about you, as one file. Only you see this message.")


# -- reports and take-downs ------------------------------------------------------------------------------------------


def ask_report_text() -> str:
    """Ask before a clip is reported."""
    return _(
        "This tells the moderators of this server and the people who run this bot that something is wrong with this "
        "clip. They see the clip and who asked for it. They do not see that it was you. If somebody is in danger, or "
        "the clip shows the abuse of a child, report the message to Discord as well, and to the police."
    )


def reported_text() -> str:
    """Thank for a report."""
    return _("Thank you. They are told now. If you posted the picture, /privacy lets you opt out for good.")


def reported_already_text() -> str:
    """Say that a clip was reported before."""
    return _("Thank you. Somebody has reported this clip already, and they have been told.")


def report_text(link: str, job_id: int | None, user_id: int | None) -> str:
    """Tell moderators and operators of a reported clip: what they need and no more."""
    parts = [_("**A clip was reported:** {link}", link=shorten(link, SENTENCE_LETTERS)), _reported_job(job_id, user_id)]
    told = _(
        "Take down deletes the clip, its variations and their files, and blocks the picture: "
        "here when a moderator does it, everywhere when one of the people who run me does."
    )
    return "\n".join([*parts, told])


def _reported_job(job_id: int | None, user_id: int | None) -> str:
    if job_id is None:
        return _("Its request is not kept any more.")
    # Translators: {job} is its number.
    return _("It is job {job}, asked for by <@{user}>.", job=job_id, user=user_id)


def dismissed_text(link: str, by: int) -> str:
    """Say that a report came to nothing."""
    return _("The report about {link} was dismissed by <@{user}>.", link=shorten(link, SENTENCE_LETTERS), user=by)


def not_moderator_text() -> str:
    """Say who may decide about a report."""
    return _("Only moderators of that server (Manage Messages) and the people who run me can decide that.")


def taken_down_text(clips: int, left: int, *, is_blocked: bool) -> str:
    """Say what came of a take-down."""
    told = [_("Taken down, with all files. Clips deleted: {clips}.", clips=whole(clips))]
    if left:
        told.append(
            ngettext(
                "{count} message could not be deleted; please delete it in Discord.",
                "{count} messages could not be deleted; please delete them in Discord.",
                left,
            )
        )
    if is_blocked:
        told.append(_("Its picture is blocked, and copies of it too."))
    else:
        told.append(_("Its picture cannot be blocked: it is too plain to be told from others, or no longer known."))
    return " ".join(told)
