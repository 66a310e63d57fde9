"""What is done about a picture or a clip of which the filter's model has made a guess. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.policy.server import FilterAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """How sure a small model is that something is unsafe to show, from 0 to 1, and from which score on that counts."""

    score: float
    threshold: float
    model: str

    @property
    def counts(self) -> bool:
        """Tell whether the score is high enough for the server's action."""
        return self.score >= self.threshold


class Outcome(StrEnum):
    """What becomes of it."""

    PASS = "pass"
    SPOILER = "spoiler"
    """it passes, covered"""
    REFUSE = "refuse"
    NOT_RESTRICTED = "not-restricted"
    """refused, because this channel is not age-restricted"""
    ASK = "ask"
    """it waits until the moderators have decided"""


def outcome_of(action: FilterAction, guess: Guess, *, is_age_restricted: bool, has_moderators: bool) -> Outcome:
    """Return what the server wants. Where nobody can be asked, what moderators should decide is refused."""
    if not guess.counts:
        return Outcome.PASS
    match action:
        case FilterAction.OFF:
            return Outcome.PASS
        case FilterAction.SPOILER:
            return Outcome.SPOILER
        case FilterAction.RESTRICTED_ONLY:
            return Outcome.PASS if is_age_restricted else Outcome.NOT_RESTRICTED
        case FilterAction.MODERATORS if has_moderators:
            return Outcome.ASK
    return Outcome.REFUSE
