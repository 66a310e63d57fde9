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
from bot.texts.languages.sentences import pgettext, pN_


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
    UNDO = "undo"
    """the file of a clip as it was made first"""
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
_LABELS: dict[Action, tuple[tuple[str, str], discord.ButtonStyle]] = {
    Action.CANCEL: (pN_("button", "Cancel"), discord.ButtonStyle.secondary),
    Action.AGAIN: (pN_("button", "Again"), discord.ButtonStyle.primary),
    Action.MORE: (pN_("button", "More motion"), discord.ButtonStyle.secondary),
    Action.LESS: (pN_("button", "Less motion"), discord.ButtonStyle.secondary),
    Action.DRAFTS: (pN_("button", "Drafts"), discord.ButtonStyle.secondary),
    Action.FIRST: (("button", "1"), discord.ButtonStyle.primary),
    Action.SECOND: (("button", "2"), discord.ButtonStyle.primary),
    Action.THIRD: (("button", "3"), discord.ButtonStyle.primary),
    Action.FOURTH: (("button", "4"), discord.ButtonStyle.primary),
    Action.SHORTEN: (pN_("button", "Undo the last part"), discord.ButtonStyle.secondary),
    Action.UNDO: (pN_("button", "Undo changes"), discord.ButtonStyle.secondary),
    Action.LIVEN: (pN_("button", "Make it move"), discord.ButtonStyle.success),
    Action.RECIPE: (pN_("button", "Recipe"), discord.ButtonStyle.secondary),
    Action.DELETE: (pN_("button", "Delete"), discord.ButtonStyle.secondary),
    Action.FORGET: (pN_("button", "Delete what you keep"), discord.ButtonStyle.danger),
    Action.ERASE: (pN_("button", "Delete my posted clips too"), discord.ButtonStyle.danger),
    Action.REPORT: (pN_("button", "Report"), discord.ButtonStyle.secondary),
    Action.REPORTING: (pN_("button", "Report this clip"), discord.ButtonStyle.danger),
    Action.TAKE_DOWN: (pN_("button", "Take down"), discord.ButtonStyle.danger),
    Action.DISMISS: (pN_("button", "Dismiss"), discord.ButtonStyle.secondary),
    Action.ALLOW: (pN_("button", "Allow"), discord.ButtonStyle.success),
    Action.DENY: (pN_("button", "Don't allow"), discord.ButtonStyle.secondary),
    Action.NEVER_ASK: (pN_("button", "Never my pictures"), discord.ButtonStyle.secondary),
    Action.OPT_OUT: (pN_("button", "Nobody else may animate my pictures"), discord.ButtonStyle.secondary),
    Action.OPT_IN: (pN_("button", "Allow it again"), discord.ButtonStyle.secondary),
    Action.PUT_BACK: (pN_("button", "Put it back"), discord.ButtonStyle.primary),
    Action.REMEDY: (pN_("button", "Try again"), discord.ButtonStyle.primary),
    Action.OWN_PICTURE: (pN_("button", "With your picture"), discord.ButtonStyle.primary),
    Action.TELL: (pN_("button", "Tell the operator"), discord.ButtonStyle.secondary),
}


class ActionButton(ui.Button[Any]):
    """A button that also works after a restart: its custom id names all that `commands.buttons.JobButton` needs.

    `number` is the job's id, or for FORGET and ERASE the person's. `key` is the job's key, because a new database
    counts its jobs from one again.
    """

    def __init__(self, action: Action, number: int, key: str = "", label: str | None = None) -> None:
        usual, style = _LABELS.get(action, (("", ""), discord.ButtonStyle.secondary))
        super().__init__(label=label or pgettext(*usual), style=style, custom_id=f"vivant:{action}:{number}:{key}")

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
    ReviewAct.APPEAL: (pN_("button", "Ask the moderators"), discord.ButtonStyle.secondary),
    ReviewAct.ALLOW: (pN_("button", "Allow"), discord.ButtonStyle.success),
    ReviewAct.REFUSE: (pN_("button", "Refuse"), discord.ButtonStyle.danger),
}


class ReviewButton(ui.Button[Any]):
    """A button that also works after a restart: `commands.reviews.deciding` answers it, and `key` names the review."""

    def __init__(self, act: ReviewAct, key: str) -> None:
        label, style = _REVIEW_LABELS[act]
        super().__init__(label=pgettext(*label), style=style, custom_id=f"vivant-review:{act}:{key}")

    def is_dispatchable(self) -> bool:
        """Return False, as an ActionButton does."""
        return False


def buttons_of(job: Job, actions: Iterable[Action]) -> list[ActionButton]:
    """Return buttons that do this to a job."""
    return [ActionButton(action, job.id, job.key) for action in actions]
