"""The buttons: what each does, its label, and the custom id by which it works after a restart.

Tested in tests/bot/edge/test_layouts.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import discord
from discord import ui

from bot.queue.job import Job


class Action(StrEnum):
    """What a button on a message does to its job."""

    CANCEL = "cancel"
    AGAIN = "again"
    MORE = "more"
    LESS = "less"
    DRAFTS = "drafts"
    FIRST = "first"
    """make the first draft in full"""
    SECOND = "second"
    THIRD = "third"
    FOURTH = "fourth"
    SHORTEN = "shorten"
    """undo the last part of a clip"""
    LIVEN = "liven"
    RECIPE = "recipe"
    DELETE = "delete"
    FORGET = "forget"
    ERASE = "erase"
    """forget, and delete the posts too"""
    REPORT = "report"
    REPORTING = "reporting"
    """the report is meant"""
    TAKE_DOWN = "takedown"
    DISMISS = "dismiss"
    ALLOW = "allow"
    DENY = "deny"
    NEVER_ASK = "never"
    OPT_OUT = "optout"
    OPT_IN = "optin"
    PUT_BACK = "putback"
    REMEDY = "remedy"
    OWN_PICTURE = "own"
    TELL = "tell"
    HISTORY = "history"
    FETCH = "fetch"
    DISCARD = "discard"
    DISCARDING = "discarding"


DRAFT_ACTIONS = (Action.FIRST, Action.SECOND, Action.THIRD, Action.FOURTH)
"""below a sheet of drafts, in their order"""
_LABELS: dict[Action, tuple[str, discord.ButtonStyle]] = {
    Action.CANCEL: ("Cancel", discord.ButtonStyle.secondary),
    Action.AGAIN: ("Again", discord.ButtonStyle.primary),
    Action.MORE: ("More motion", discord.ButtonStyle.secondary),
    Action.LESS: ("Less motion", discord.ButtonStyle.secondary),
    Action.DRAFTS: ("Drafts", discord.ButtonStyle.secondary),
    Action.FIRST: ("1", discord.ButtonStyle.primary),
    Action.SECOND: ("2", discord.ButtonStyle.primary),
    Action.THIRD: ("3", discord.ButtonStyle.primary),
    Action.FOURTH: ("4", discord.ButtonStyle.primary),
    Action.SHORTEN: ("Undo the last part", discord.ButtonStyle.secondary),
    Action.LIVEN: ("Make it move", discord.ButtonStyle.success),
    Action.RECIPE: ("Recipe", discord.ButtonStyle.secondary),
    Action.DELETE: ("Delete", discord.ButtonStyle.secondary),
    Action.FORGET: ("Delete what you keep", discord.ButtonStyle.danger),
    Action.ERASE: ("Delete my posted clips too", discord.ButtonStyle.danger),
    Action.REPORT: ("Report", discord.ButtonStyle.secondary),
    Action.REPORTING: ("Report this clip", discord.ButtonStyle.danger),
    Action.TAKE_DOWN: ("Take down", discord.ButtonStyle.danger),
    Action.DISMISS: ("Dismiss", discord.ButtonStyle.secondary),
    Action.ALLOW: ("Allow", discord.ButtonStyle.success),
    Action.DENY: ("Don't allow", discord.ButtonStyle.secondary),
    Action.NEVER_ASK: ("Never my pictures", discord.ButtonStyle.secondary),
    Action.OPT_OUT: ("Nobody else may animate my pictures", discord.ButtonStyle.secondary),
    Action.OPT_IN: ("Allow it again", discord.ButtonStyle.secondary),
    Action.PUT_BACK: ("Put it back", discord.ButtonStyle.primary),
    Action.REMEDY: ("Try again", discord.ButtonStyle.primary),
    Action.OWN_PICTURE: ("With your picture", discord.ButtonStyle.primary),
    Action.TELL: ("Tell the operator", discord.ButtonStyle.secondary),
}


class ActionButton(ui.Button[Any]):
    """A button that also works after a restart: its custom id names all that `commands.buttons.JobButton` needs.

    `number` is the job's id, or for FORGET and ERASE the person's. `key` is the job's key, because a new database
    counts its jobs from one again.
    """

    def __init__(self, action: Action, number: int, key: str = "", label: str | None = None) -> None:
        usual, style = _LABELS.get(action, ("", discord.ButtonStyle.secondary))
        super().__init__(label=label or usual, style=style, custom_id=f"vivant:{action}:{number}:{key}")

    def is_dispatchable(self) -> bool:
        """Return False, so that discord.py does not keep every message's view in memory for this object's callback."""
        return False


class ReviewAct(StrEnum):
    """What a button does about a picture or a clip that the filter held back."""

    APPEAL = "appeal"
    """its person asks the moderators"""
    ALLOW = "allow"
    REFUSE = "refuse"


_REVIEW_LABELS = {
    ReviewAct.APPEAL: ("Ask the moderators", discord.ButtonStyle.secondary),
    ReviewAct.ALLOW: ("Allow", discord.ButtonStyle.success),
    ReviewAct.REFUSE: ("Refuse", discord.ButtonStyle.danger),
}


class ReviewButton(ui.Button[Any]):
    """A button that also works after a restart: `commands.reviews.deciding` answers it, and `key` names the review."""

    def __init__(self, act: ReviewAct, key: str) -> None:
        label, style = _REVIEW_LABELS[act]
        super().__init__(label=label, style=style, custom_id=f"vivant-review:{act}:{key}")

    def is_dispatchable(self) -> bool:
        """Return False, as an ActionButton does."""
        return False


def buttons_of(job: Job, actions: Iterable[Action]) -> list[ActionButton]:
    """Return buttons that do this to a job."""
    return [ActionButton(action, job.id, job.key) for action in actions]
