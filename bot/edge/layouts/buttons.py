"""The buttons below each message: under a clip, a failure, a question.

Tested in tests/bot/edge/test_layouts.py and tests/bot/edge/commands/jobs/test_remedying.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import discord
from discord import ui

from bot.edge.layouts.actions import DRAFT_ACTIONS, Action, ActionButton, ReviewAct, ReviewButton, buttons_of
from bot.policy.motion import is_nearly_still
from bot.policy.remedies import Remedy, remedy_for
from bot.queue.job import Job
from bot.texts.jobs.after_clip import change_hint, change_label, menu_text
from bot.texts.languages.sentences import pgettext, pN_
from bot.work.uplink.changes import Change, moments, state_of

BUTTONS_IN_ROW = 3
"""under a clip: what makes another one, then what is about this one"""
CLIP_ACTIONS = (Action.AGAIN, Action.MORE, Action.LESS, Action.RECIPE, Action.DELETE, Action.REPORT)
STILL_ACTIONS = (Action.LIVEN, Action.AGAIN, Action.MORE, Action.RECIPE, Action.DELETE, Action.REPORT)
"""under a clip in which hardly anything moves"""

_REMEDIES: dict[Remedy, tuple[Action, tuple[str, str] | None]] = {
    Remedy.AGAIN: (Action.AGAIN, None),
    Remedy.SMALLER: (Action.REMEDY, pN_("button", "Try smaller")),
    Remedy.LIVELIER: (Action.LIVEN, None),
    Remedy.CALMER: (Action.REMEDY, pN_("button", "Try less motion")),
    Remedy.AS_MP4: (Action.REMEDY, pN_("button", "Try as MP4")),
    Remedy.OTHER_PICTURE: (Action.OWN_PICTURE, pN_("button", "Another picture")),
    Remedy.TELL: (Action.TELL, None),
}


FAILURE_ACTIONS = frozenset(action for action, _ in _REMEDIES.values())
"""by one of which a message tells of a failure, whichever it was"""


def remedy_button(job: Job) -> ActionButton:
    """Return the button that helps after a job's failure."""
    action, label = _REMEDIES[remedy_for(job.failure or {}, job.settings)]
    return ActionButton(action, job.id, job.key, pgettext(*label) if label else None)


class FileMenuItem(ui.Select[Any]):
    """The changes of a clip's file; its custom id names all that `commands.finished.file_menu.FileMenu` needs.

    `job` has the settings of the file beside it, which may have been changed since it was made.
    """

    def __init__(self, job: Job) -> None:
        options = [
            discord.SelectOption(label=change_label(change), value=change, description=change_hint(change))
            for change in Change
            if _is_offered(change, job)
        ]
        custom_id = ":".join(("vivant", "file", str(job.id), job.key, state_of(job.settings)))
        super().__init__(custom_id=custom_id, placeholder=menu_text(), options=options)

    def is_dispatchable(self) -> bool:
        """Return False, as an ActionButton does."""
        return False


def _is_offered(change: Change, job: Job) -> bool:
    if change is Change.SHORTEN:
        return bool(job.settings.seams)
    return change is not Change.EXTEND_FROM or bool(moments(job.settings))


def clip_rows(job: Job, *, is_changed: bool = False) -> list[list[ui.Item[Any]]]:
    """Return the rows below a clip, or below a sheet of drafts, whose file is not for keeping.

    `is_changed`: the file is no longer as it was made first.
    """
    usual = buttons_of(job, STILL_ACTIONS if is_nearly_still(job.facts) else CLIP_ACTIONS)
    another, about = usual[:BUTTONS_IN_ROW], usual[BUTTONS_IN_ROW:]
    if job.settings.drafts:
        return [[*buttons_of(job, DRAFT_ACTIONS)], [*another], [*about]]
    undo = buttons_of(job, [Action.SHORTEN] * bool(job.settings.seams) + [Action.UNDO] * is_changed)
    return [[*another, *buttons_of(job, [Action.DRAFTS])], [*about, *undo], [FileMenuItem(job)]]


def clip_buttons(job: Job, *, is_changed: bool = False) -> ui.View:
    """Return the buttons below a posted clip, and the menu of changes of its file."""
    rows = clip_rows(job, is_changed=is_changed)
    for number, row in enumerate(rows):
        for item in row:
            item.row = number
    return _view(item for row in rows for item in row)


def menu_alone(job: Job, *, is_changed: bool = False) -> ui.View:
    """Return the menu of changes of a clip's file, and what undoes them, for a clip that one person sees."""
    return _view([*buttons_of(job, [Action.UNDO] * is_changed), FileMenuItem(job)])


def failure_buttons(job: Job) -> ui.View:
    """Return the one button below a failure that helps."""
    return _view([remedy_button(job)])


def job_buttons(job: Job, *actions: Action) -> ui.View:
    """Return buttons that do this to a job."""
    return _view(buttons_of(job, actions))


def appeal_buttons(key: str) -> ui.View:
    """Return the button with which a person asks the moderators."""
    return _view([ReviewButton(ReviewAct.APPEAL, key)])


def decision_buttons(key: str) -> ui.View:
    """Return the buttons with which moderators decide."""
    return _view([ReviewButton(ReviewAct.ALLOW, key), ReviewButton(ReviewAct.REFUSE, key)])


def forget_buttons(user_id: int) -> ui.View:
    """Return the buttons with which a person confirms that they want to be forgotten, with or without their posts."""
    return _view([ActionButton(Action.FORGET, user_id), ActionButton(Action.ERASE, user_id)])


def consent_buttons(author_id: int, key: str) -> ui.View:
    """Return the buttons with which a picture's author answers; `key` is the request's."""
    return _view([ActionButton(action, author_id, key) for action in (Action.ALLOW, Action.DENY, Action.NEVER_ASK)])


def confirm_report_button(message_id: int, job: str) -> ui.View:
    """Return the button that confirms a report of a message; `job` is the number of its job, or empty."""
    return _view([ActionButton(Action.REPORTING, message_id, job)])


def report_buttons(report_id: int) -> ui.View:
    """Return the buttons with which a moderator decides about a report."""
    return _view([ActionButton(Action.TAKE_DOWN, report_id), ActionButton(Action.DISMISS, report_id)])


def opt_out_button(user_id: int, *, is_out: bool) -> ui.View:
    """Return the button with which a person keeps their pictures to themselves, or takes that back."""
    return _view([ActionButton(Action.OPT_IN if is_out else Action.OPT_OUT, user_id)])


def _view(buttons: Iterable[ui.Item[Any]]) -> ui.View:
    view = ui.View(timeout=None)
    for button in buttons:
        view.add_item(button)
    return view
