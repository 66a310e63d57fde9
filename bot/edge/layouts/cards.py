"""Status cards and posted clips. Pure: records in, discord.py views out.

The status card is a Components V2 layout. The clip itself is an ordinary message with a plain attachment, because
that plays everywhere, can be forwarded, and is found again by its file name in the channel's history.

Tested in tests/bot/edge/test_layouts.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from bot.edge.layouts.actions import Action, ReviewAct, ReviewButton, buttons_of
from bot.edge.layouts.buttons import clip_rows, remedy_button
from bot.queue.job import DeadReason, Job, JobState, Route
from bot.queue.servers.reviews import Review, ReviewState
from bot.texts.descriptions import alt_text, card_small_print, clip_text, small_print
from bot.texts.jobs.status import CardView, dead_lines, describe_origin, describe_preview, describe_state, sent_text
from bot.texts.safety.filter import held_clip_text

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


def status_card(view: CardView) -> ui.LayoutView:
    """Lay out a job's status card."""
    job = view.job
    title, body = describe_state(view)
    waits = job.state in (JobState.QUEUED, JobState.RUNNING)
    buttons = [remedy_button(job)] if job.state is JobState.FAILED else buttons_of(job, [Action.CANCEL] * waits)
    preview = job.route if view.has_preview and waits else None
    small = [*describe_origin(view), *card_small_print(job)]
    lines = [f"### {title}", *body]
    return _layout(lines, small, _COLOURS[job.state], buttons, preview=preview, alt_text=describe_preview(view))


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
        return _layout([sent_text(job, url)], [], _FAILED, [])
    return _layout([sent_text(job, url)], small_print([], job.settings), _DONE, [])  # the settings are on the clip


def dead_card(job: Job, reason: str | None, review: Review | None = None) -> ui.LayoutView:
    """Lay out the card of a job whose clip or failure could not be posted in its channel, or was held back."""
    if job.state is not JobState.RENDERED:
        return status_card(CardView(job=job))
    if review is not None and reason in (DeadReason.FILTERED, DeadReason.HELD):
        buttons = [ReviewButton(ReviewAct.APPEAL, review.key)] if review.state is ReviewState.OFFERED else []
        lines = [held_clip_text(review.score, review.threshold, reason == DeadReason.HELD)]
        return _layout(lines, [], _FAILED, buttons)
    return _layout(dead_lines(job, reason), [], _FAILED, [])


def clip_layout(job: Job, file_name: str, *, spoiler: bool, is_changed: bool = False) -> ui.LayoutView:
    """Lay out clip and card in one, for channels where only the interaction's answer can be edited."""
    layout = ui.LayoutView(timeout=None)
    layout.add_item(ui.TextDisplay(clip_text(job)))
    clip = discord.MediaGalleryItem(f"attachment://{file_name}", description=alt_text(job), spoiler=spoiler)
    layout.add_item(ui.MediaGallery(clip))
    for row in clip_rows(job, is_changed=is_changed):
        layout.add_item(ui.ActionRow(*row))
    return layout
