"""What people read about the picture filter. It never claims more than it is: the guess of a small model."""

from __future__ import annotations

from bot.texts.limits import NAME_LETTERS, SENTENCE_LETTERS, shorten


def guess_text(score: float, threshold: float) -> str:
    """Say what the filter guesses, and what that is worth."""
    return (
        f"A small model guesses with {_percent(score)} that this is unsafe to show, and here {_percent(threshold)} "
        "is enough. It is a guess: such models are often wrong, about art, beaches and medical pictures too."
    )


def refused_picture_text(score: float, threshold: float, can_appeal: bool) -> str:
    """Say that a picture was refused for what the filter guesses."""
    if can_appeal:
        return (
            f"This server does not take this picture. {guess_text(score, threshold)}\n"
            "Is it wrong? Then ask the moderators: they see the picture and decide."
        )
    return f"This server does not take this picture. {guess_text(score, threshold)}"


def not_restricted_text(score: float, threshold: float, can_appeal: bool) -> str:
    """Say that a picture may be used in age-restricted channels alone."""
    if can_appeal:
        return (
            "This server takes this picture in age-restricted channels alone. "
            f"{guess_text(score, threshold)}\nIs it wrong? Then ask the moderators: they see the picture and decide."
        )
    return f"This server takes this picture in age-restricted channels alone. {guess_text(score, threshold)}"


def held_picture_text(score: float, threshold: float) -> str:
    """Say that the moderators decide about a picture."""
    return (
        f"The moderators of this server look at this picture first. {guess_text(score, threshold)}\n"
        "If they allow it, I make the clip and post it here."
    )


def held_clip_text(score: float, threshold: float, asked: bool) -> str:
    """Say on a card that a clip was held back."""
    if asked:
        return (
            f"### Your clip is ready, and the moderators look at it first\n{guess_text(score, threshold)}\n"
            "If they allow it, I post it here."
        )
    return (
        f"### Your clip is ready, and this server does not show it\n{guess_text(score, threshold)}\n"
        "Is it wrong? Then ask the moderators: they see the clip and decide."
    )


def held_result_text() -> str:
    """Say that a clip that was held back is not handed over."""
    return "This clip was held back by the server's picture filter. If its moderators allow it, it is posted."


def unusable_filter_text(remedy: str) -> str:
    """Say that a server wants pictures looked at, and that this is not possible here."""
    if remedy:
        return (
            "This server wants pictures looked at by a filter, which is not installed here. The bot's operator can "
            f"install it: `{shorten(remedy.replace('`', ' '), SENTENCE_LETTERS)}`. Until then I take no pictures here."
        )
    return (
        "This server wants pictures looked at by a filter, and it does not work at the moment. "
        "The bot's operator finds out why with `python -m bot doctor`. Until then I take no pictures here."
    )


def appealed_text() -> str:
    """Say that the moderators were asked."""
    return "The moderators were asked. If they allow it, I post the clip where you asked for it."


def asked_later_text() -> str:
    """Say that the moderators cannot be asked yet."""
    return "I cannot write into this server's log channel at the moment. I ask the moderators at my next start."


def not_open_text() -> str:
    """Say that there is nothing to decide any more."""
    return "That was decided before, or it is not kept any more."


def no_moderators_text() -> str:
    """Say that there is no channel in which the moderators could be asked."""
    return "This server has not chosen a log channel, so I cannot ask its moderators. `/settings` has it."


def not_moderator_text() -> str:
    """Say who may decide."""
    return "Only people who may manage messages in this server decide that."


def review_picture_text(user_id: int, score: float, threshold: float) -> str:
    """Ask the moderators about a picture."""
    return (
        f"### A picture to decide about\n<@{user_id}> wants a clip of this picture. {guess_text(score, threshold)}\n"
        "If you allow it, the clip is made and posted, and not looked at again."
    )


def review_clip_text(user_id: int, score: float, threshold: float) -> str:
    """Ask the moderators about a clip."""
    return (
        f"### A clip to decide about\nThis clip was made for <@{user_id}>. {guess_text(score, threshold)}\n"
        "If you allow it, it is posted."
    )


def decided_text(allowed: bool, moderator_id: int, user_id: int) -> str:
    """Say on the moderators' card what was decided."""
    if allowed:
        return f"Allowed by <@{moderator_id}>, for <@{user_id}>."
    return f"Refused by <@{moderator_id}>, for <@{user_id}>."


def refused_by_moderators_text(server: str) -> str:
    """Tell a person that the moderators refused."""
    return f"The moderators of {shorten(server, NAME_LETTERS)} have refused your picture or clip."


def _percent(value: float) -> str:
    return f"{100 * min(1.0, max(0.0, value)):.0f} %"
