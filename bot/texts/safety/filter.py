"""What people read about the picture filter. It never claims more than it is: the guess of a small model."""

from __future__ import annotations

from bot.texts.languages.numbers import percent
from bot.texts.languages.sentences import _
from bot.texts.limits import NAME_LETTERS, SENTENCE_LETTERS, shorten


def guess_text(score: float, threshold: float) -> str:
    """Say what the filter guesses, and what that is worth."""
    # Translators: {score} and {threshold} are numbers such as "93%".
    return _(
        "A small model guesses with {score} that this is unsafe to show, and here {threshold} is enough. "
        "It is a guess: such models are often wrong, about art, beaches and medical pictures too.",
        score=_percent(score),
        threshold=_percent(threshold),
    )


def refused_picture_text(score: float, threshold: float, can_appeal: bool) -> str:
    """Say that a picture was refused for what the filter guesses."""
    guess = guess_text(score, threshold)
    if can_appeal:
        # Translators: {guess} is a whole sentence, here and in the next ones: "A small model guesses with ..."
        return _(
            "This server does not take this picture. {guess}\n"
            "Is it wrong? Then ask the moderators: they see the picture and decide.",
            guess=guess,
        )
    return _("This server does not take this picture. {guess}", guess=guess)


def not_restricted_text(score: float, threshold: float, can_appeal: bool) -> str:
    """Say that a picture may be used in age-restricted channels alone."""
    guess = guess_text(score, threshold)
    if can_appeal:
        return _(
            "This server takes this picture in age-restricted channels alone. {guess}\n"
            "Is it wrong? Then ask the moderators: they see the picture and decide.",
            guess=guess,
        )
    return _("This server takes this picture in age-restricted channels alone. {guess}", guess=guess)


def held_picture_text(score: float, threshold: float) -> str:
    """Say that the moderators decide about a picture."""
    return _(
        "The moderators of this server look at this picture first. {guess}\n"
        "If they allow it, I make the clip and post it here.",
        guess=guess_text(score, threshold),
    )


def held_clip_text(score: float, threshold: float, asked: bool) -> str:
    """Say on a card that a clip was held back."""
    guess = guess_text(score, threshold)
    if asked:
        return _(
            "### Your clip is ready, and the moderators look at it first\n{guess}\nIf they allow it, I post it here.",
            guess=guess,
        )
    return _(
        "### Your clip is ready, and this server does not show it\n{guess}\n"
        "Is it wrong? Then ask the moderators: they see the clip and decide.",
        guess=guess,
    )


def held_result_text() -> str:
    """Say that a clip that was held back is not handed over."""
    return _("This clip was held back by the server's picture filter. If its moderators allow it, it is posted.")


def unusable_filter_text(remedy: str) -> str:
    """Say that a server wants pictures looked at, and that this is not possible here."""
    if remedy:
        # Translators: {command} is what is typed on the bot's computer.
        return _(
            "This server wants pictures looked at by a filter, which is not installed here. The bot's operator can "
            "install it: `{command}`. Until then I take no pictures here.",
            command=shorten(remedy.replace("`", " "), SENTENCE_LETTERS),
        )
    return _(
        "This server wants pictures looked at by a filter, and it does not work at the moment. "
        "The bot's operator finds out why with `python -m bot doctor`. Until then I take no pictures here."
    )


def appealed_text() -> str:
    """Say that the moderators were asked."""
    return _("The moderators were asked. If they allow it, I post the clip where you asked for it.")


def asked_later_text() -> str:
    """Say that the moderators cannot be asked yet."""
    return _("I cannot write into this server's log channel at the moment. I ask the moderators at my next start.")


def not_open_text() -> str:
    """Say that there is nothing to decide any more."""
    return _("That was decided before, or it is not kept any more.")


def no_moderators_text() -> str:
    """Say that there is no channel in which the moderators could be asked."""
    return _("This server has not chosen a log channel, so I cannot ask its moderators. `/settings` has it.")


def not_moderator_text() -> str:
    """Say who may decide."""
    return _("Only people who may manage messages in this server decide that.")


def review_picture_text(user_id: int, score: float, threshold: float) -> str:
    """Ask the moderators about a picture."""
    return _(
        "### A picture to decide about\n<@{user}> wants a clip of this picture. {guess}\n"
        "If you allow it, the clip is made and posted, and not looked at again.",
        user=user_id,
        guess=guess_text(score, threshold),
    )


def review_clip_text(user_id: int, score: float, threshold: float) -> str:
    """Ask the moderators about a clip."""
    return _(
        "### A clip to decide about\nThis clip was made for <@{user}>. {guess}\nIf you allow it, it is posted.",
        user=user_id,
        guess=guess_text(score, threshold),
    )


def decided_text(allowed: bool, moderator_id: int, user_id: int) -> str:
    """Say on the moderators' card what was decided."""
    if allowed:
        return _("Allowed by <@{moderator}>, for <@{user}>.", moderator=moderator_id, user=user_id)
    return _("Refused by <@{moderator}>, for <@{user}>.", moderator=moderator_id, user=user_id)


def refused_by_moderators_text(server: str) -> str:
    """Tell a person that the moderators refused."""
    return _("The moderators of {server} have refused your picture or clip.", server=shorten(server, NAME_LETTERS))


def _percent(value: float) -> str:
    return percent(min(1.0, max(0.0, value)))
