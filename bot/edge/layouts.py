"""Every layout a person sees: status cards and posted clips. Pure: records in, discord.py views out.

The status card is a Components V2 layout. The clip itself is an ordinary message with a plain attachment, because
that plays everywhere, can be forwarded, and is found again by its file name in the channel's history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import discord
from discord import ui

from bot.policy.motion import is_nearly_still
from bot.policy.remedies import Remedy, remedy_for
from bot.queue.job import DeadReason, Job, JobState, Route
from bot.queue.servers.reviews import Review, ReviewState
from bot.texts.after_clip import change_hint, change_label, menu_text
from bot.texts.descriptions import alt_text, card_small_print, clip_text, small_print
from bot.texts.explanations import explain_dead, format_minutes
from bot.texts.safety.filter import held_clip_text
from bot.texts.status import CardView, describe_origin, describe_preview, describe_state
from bot.work.uplink.changes import Change, state_of

PREVIEW_NAME = "framing.png"

_WAITING, _WORKING, _DONE, _FAILED, _QUIET = (
    discord.Colour(value) for value in (0x8B8FA3, 0x5865F2, 0x2D9D5C, 0xC8503C, 0x4E5058)
)
_COLOURS = {
    JobState.QUEUED: _WAITING,
    JobState.RUNNING: _WORKING,
    JobState.RENDERED: _DONE,
    JobState.FAILED: _FAILED,
    JobState.CANCELLED: _QUIET,
}


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


BUTTONS_IN_ROW = 3
"""under a clip: what makes another one, then what is about this one"""
CLIP_ACTIONS = (Action.AGAIN, Action.MORE, Action.LESS, Action.RECIPE, Action.DELETE, Action.REPORT)
DRAFT_ACTIONS = (Action.FIRST, Action.SECOND, Action.THIRD, Action.FOURTH)
"""below a sheet of drafts, in their order"""
STILL_ACTIONS = (Action.LIVEN, Action.AGAIN, Action.MORE, Action.RECIPE, Action.DELETE, Action.REPORT)
"""under a clip in which hardly anything moves"""

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


class FileMenuItem(ui.Select[Any]):
    """The changes of a clip's file; its custom id names all that `commands.finished.file_menu.FileMenu` needs.

    `job` has the settings of the file beside it, which may have been changed since it was made.
    """

    def __init__(self, job: Job) -> None:
        options = [
            discord.SelectOption(label=change_label(change), value=change, description=change_hint(change))
            for change in Change
            if job.settings.seams or change is not Change.SHORTEN
        ]
        custom_id = f"vivant:file:{job.id}:{job.key}:{state_of(job.settings)}"
        super().__init__(custom_id=custom_id, placeholder=menu_text(), options=options)

    def is_dispatchable(self) -> bool:
        """Return False, as an ActionButton does."""
        return False


def status_card(view: CardView) -> ui.LayoutView:
    """Lay out a job's status card."""
    job = view.job
    title, body = describe_state(view)
    waits = job.state in (JobState.QUEUED, JobState.RUNNING)
    buttons = [remedy_button(job)] if job.state is JobState.FAILED else _buttons(job, [Action.CANCEL] * waits)
    preview = job.route if view.has_preview and waits else None
    small = [*describe_origin(view), *card_small_print(job)]
    lines = [f"### {title}", *body]
    return _layout(lines, small, _COLOURS[job.state], buttons, preview=preview, alt_text=describe_preview(view))


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


def appeal_buttons(key: str) -> ui.View:
    """Return the button with which a person asks the moderators."""
    return _view([ReviewButton(ReviewAct.APPEAL, key)])


def decision_buttons(key: str) -> ui.View:
    """Return the buttons with which moderators decide."""
    return _view([ReviewButton(ReviewAct.ALLOW, key), ReviewButton(ReviewAct.REFUSE, key)])


def _clip_buttons(job: Job) -> list[ActionButton]:
    return _buttons(job, STILL_ACTIONS if is_nearly_still(job.facts) else CLIP_ACTIONS)


def _buttons(job: Job, actions: Iterable[Action]) -> list[ActionButton]:
    return [ActionButton(action, job.id, job.key) for action in actions]


def _layout(
    lines: list[str],
    small: list[str],
    colour: discord.Colour,
    buttons: Sequence[ui.Button[Any]],
    *,
    preview: Route | None = None,
    alt_text: str = "",
) -> ui.LayoutView:
    text: ui.TextDisplay[Any] = ui.TextDisplay("\n".join(lines))
    box: ui.Container[Any] = ui.Container(accent_colour=colour)
    if preview is not None:
        picture: ui.Thumbnail[Any] = ui.Thumbnail(
            f"attachment://{'SPOILER_' if preview.spoiler else ''}{PREVIEW_NAME}",  # as discord.File names it
            description=alt_text,
            spoiler=preview.spoiler,
        )
        box.add_item(ui.Section(text, accessory=picture))
    else:
        box.add_item(text)
    if small:
        box.add_item(ui.TextDisplay("\n".join(small)))
    if buttons:
        box.add_item(ui.ActionRow(*buttons))
    layout = ui.LayoutView(timeout=None)
    layout.add_item(box)
    return layout


def sent_card(job: Job, url: str) -> ui.LayoutView:
    """Lay out the card of a job whose clip or failure has been posted in another channel, at `url`."""
    if job.state is JobState.FAILED:
        return _layout([f"No clip this time: [why, and what to do]({url})."], [], _FAILED, [])
    took_ms = int(1000 * (job.facts or {}).get("seconds", 0))
    took = f" in {format_minutes(took_ms)}" if took_ms >= 1000 else ""
    small = small_print([], job.settings)  # the settings are on the clip
    return _layout([f"Done{took}: [here is the clip]({url})."], small, _DONE, [])


def dead_card(job: Job, reason: str | None, review: Review | None = None) -> ui.LayoutView:
    """Lay out the card of a job whose clip or failure could not be posted in its channel, or was held back."""
    if job.state is not JobState.RENDERED:
        return status_card(CardView(job=job))
    if review is not None and reason in (DeadReason.FILTERED, DeadReason.HELD):
        buttons = [ReviewButton(ReviewAct.APPEAL, review.key)] if review.state is ReviewState.OFFERED else []
        lines = [held_clip_text(review.score, review.threshold, reason == DeadReason.HELD)]
        return _layout(lines, [], _FAILED, buttons)
    lines = ["### Your clip is ready, but not here", explain_dead(reason)]
    if reason != DeadReason.CLIP_GONE:
        lines.append(f"Use `/result job:{job.id}` wherever you can see me, and I will hand it to you.")
    return _layout(lines, [], _FAILED, [])


def clip_layout(job: Job, file_name: str, *, spoiler: bool) -> ui.LayoutView:
    """Lay out clip and card in one, for channels where only the interaction's answer can be edited."""
    layout = ui.LayoutView(timeout=None)
    layout.add_item(ui.TextDisplay(clip_text(job)))
    clip = discord.MediaGalleryItem(f"attachment://{file_name}", description=alt_text(job), spoiler=spoiler)
    layout.add_item(ui.MediaGallery(clip))
    for row in _rows_below(job):
        layout.add_item(ui.ActionRow(*row))
    return layout


def _rows_below(job: Job) -> list[list[ui.Item[Any]]]:
    """Return the rows below a clip, or below a sheet of drafts, whose file is not for keeping."""
    usual = _clip_buttons(job)
    another, about = usual[:BUTTONS_IN_ROW], usual[BUTTONS_IN_ROW:]
    if job.settings.drafts:
        return [[*_buttons(job, DRAFT_ACTIONS)], [*another], [*about]]
    undo = _buttons(job, [Action.SHORTEN] if job.settings.seams else [])
    return [[*another, *_buttons(job, [Action.DRAFTS])], [*about, *undo], [FileMenuItem(job)]]


def clip_buttons(job: Job) -> ui.View:
    """Return the buttons below a posted clip, and the menu of changes of its file."""
    view = ui.View(timeout=None)
    for number, row in enumerate(_rows_below(job)):
        for item in row:
            item.row = number
            view.add_item(item)
    return view


def menu_alone(job: Job) -> ui.View:
    """Return the menu of changes of a clip's file without the buttons, for a clip that one person sees."""
    return _view([FileMenuItem(job)])


def failure_buttons(job: Job) -> ui.View:
    """Return the one button below a failure that helps."""
    return _view([remedy_button(job)])


_REMEDIES: dict[Remedy, tuple[Action, str | None]] = {
    Remedy.AGAIN: (Action.AGAIN, None),
    Remedy.SMALLER: (Action.REMEDY, "Try smaller"),
    Remedy.LIVELIER: (Action.REMEDY, "Try strong motion"),
    Remedy.CALMER: (Action.REMEDY, "Try less motion"),
    Remedy.AS_MP4: (Action.REMEDY, "Try as MP4"),
    Remedy.OTHER_PICTURE: (Action.OWN_PICTURE, "Another picture"),
    Remedy.TELL: (Action.TELL, None),
}


def remedy_button(job: Job) -> ActionButton:
    """Return the button that helps after a job's failure."""
    action, label = _REMEDIES[remedy_for(job.failure or {}, job.settings)]
    return ActionButton(action, job.id, job.key, label)


def job_buttons(job: Job, *actions: Action) -> ui.View:
    """Return buttons that do this to a job."""
    return _view(_buttons(job, actions))


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
