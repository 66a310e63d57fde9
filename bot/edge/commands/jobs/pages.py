"""The pages of /history: each request with its thumbnail and its buttons. Pure: records in, a discord.py layout out.

Tested in tests/bot/edge/commands/jobs/test_history.py.
"""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from bot.edge.layouts.actions import Action, ActionButton
from bot.edge.layouts.buttons import remedy_button
from bot.queue.job import JobState
from bot.queue.life.past import PastJob
from bot.texts.jobs.history import (
    Button,
    HistoryPage,
    button_label,
    describe_past,
    framed_picture_text,
    history_foot,
    history_title,
)

PAGE_SIZE = 4
"""requests on a page: each takes up to seven of the 40 components that Discord allows, and a phone shows two at once"""
FIRST_PAGE = 2**62
"""no job's number is higher"""


def picture_file_name(job_id: int, *, spoiler: bool = False) -> str:
    """Return the name under which a page attaches a job's picture."""
    return f"{'SPOILER_' if spoiler else ''}job-{job_id}.png"  # as discord.File names it


def history_layout(page: HistoryPage, user_id: int) -> ui.LayoutView:
    """Lay out one page."""
    layout = ui.LayoutView(timeout=None)
    layout.add_item(ui.TextDisplay(history_title(page)))
    for entry in page.entries:
        box: ui.Container[Any] = ui.Container()
        box.add_item(_face(page, entry))
        if buttons := _buttons(page, entry):
            box.add_item(ui.ActionRow(*buttons))
        layout.add_item(box)
    if page.entries:
        layout.add_item(ui.TextDisplay(history_foot(page)))
    if turning := _turning(page, user_id):
        layout.add_item(ui.ActionRow(*turning))
    return layout


def _face(page: HistoryPage, entry: PastJob) -> ui.Item[Any]:
    text: ui.TextDisplay[Any] = ui.TextDisplay(describe_past(page, entry))
    job = entry.job
    if job.id not in page.pictures:
        return text
    spoiler = job.route.spoiler
    url = f"attachment://{picture_file_name(job.id, spoiler=spoiler)}"
    return ui.Section(text, accessory=ui.Thumbnail(url, description=framed_picture_text(), spoiler=spoiler))


def _buttons(page: HistoryPage, entry: PastJob) -> list[ActionButton]:
    job, found = entry.job, []
    if job.state is JobState.FAILED and job.id in page.pictures:
        found.append(remedy_button(job))
    elif job.id in page.pictures:
        found.append(ActionButton(Action.AGAIN, job.id, job.key, button_label(Button.AGAIN)))
    if job.id in page.clips:
        found.append(ActionButton(Action.FETCH, job.id, job.key, button_label(Button.FETCH)))
    is_posted = job.state is JobState.RENDERED and entry.message_id is not None
    if job.id in page.clips or job.id in page.pictures or is_posted:
        found.append(ActionButton(Action.DISCARD, job.id, job.key, button_label(Button.DELETE)))
    return found


def _turning(page: HistoryPage, user_id: int) -> list[ActionButton]:
    found = (
        [] if page.is_newest else [ActionButton(Action.HISTORY, FIRST_PAGE, str(user_id), button_label(Button.NEWEST))]
    )
    if page.older and page.entries:
        found.append(ActionButton(Action.HISTORY, page.entries[-1].job.id, str(user_id), button_label(Button.OLDER)))
    return found


def discard_button(job_id: int, key: str) -> ui.View:
    """Return the button that deletes for good."""
    view = ui.View(timeout=None)
    button = ActionButton(Action.DISCARDING, job_id, key, button_label(Button.DELETE_FOR_GOOD))
    button.style = discord.ButtonStyle.danger
    view.add_item(button)
    return view
