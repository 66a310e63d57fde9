"""The buttons below each message: under a clip, a failure, a question.

Tested in tests/bot/edge/test_layouts.py and tests/bot/edge/commands/jobs/test_remedying.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from discord import ui

from bot.edge.layouts.actions import Action, ActionButton, ReviewAct, ReviewButton, buttons_of
from bot.policy.motion import is_nearly_still
from bot.policy.remedies import Remedy, remedy_for
from bot.queue.job import Job

BUTTONS_IN_ROW = 3
"""under a clip: what makes another one, then what is about this one"""
CLIP_ACTIONS = (Action.AGAIN, Action.MORE, Action.LESS, Action.RECIPE, Action.DELETE, Action.REPORT)
STILL_ACTIONS = (Action.LIVEN, Action.AGAIN, Action.MORE, Action.RECIPE, Action.DELETE, Action.REPORT)
"""under a clip in which hardly anything moves"""

_REMEDIES: dict[Remedy, tuple[Action, str | None]] = {
    Remedy.AGAIN: (Action.AGAIN, None),
    Remedy.SMALLER: (Action.REMEDY, "Try smaller"),
    Remedy.LIVELIER: (Action.LIVEN, None),
    Remedy.CALMER: (Action.REMEDY, "Try less motion"),
    Remedy.AS_MP4: (Action.REMEDY, "Try as MP4"),
    Remedy.OTHER_PICTURE: (Action.OWN_PICTURE, "Another picture"),
    Remedy.TELL: (Action.TELL, None),
}


FAILURE_ACTIONS = frozenset(action for action, _ in _REMEDIES.values())
"""by one of which a message tells of a failure, whichever it was"""


def remedy_button(job: Job) -> ActionButton:
    """Return the button that helps after a job's failure."""
    action, label = _REMEDIES[remedy_for(job.failure or {}, job.settings)]
    return ActionButton(action, job.id, job.key, label)


def clip_rows(job: Job) -> list[list[ActionButton]]:
    """Return the buttons below a posted clip, row by row."""
    buttons = buttons_of(job, STILL_ACTIONS if is_nearly_still(job.facts) else CLIP_ACTIONS)
    return [buttons[start : start + BUTTONS_IN_ROW] for start in range(0, len(buttons), BUTTONS_IN_ROW)]


def clip_buttons(job: Job) -> ui.View:
    """Return the buttons below a posted clip."""
    rows = clip_rows(job)
    for number, row in enumerate(rows):
        for button in row:
            button.row = number
    return _view(button for row in rows for button in row)


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


def _view(buttons: Iterable[ui.Button[Any]]) -> ui.View:
    view = ui.View(timeout=None)
    for button in buttons:
        view.add_item(button)
    return view
