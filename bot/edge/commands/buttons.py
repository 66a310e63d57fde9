"""What the buttons under cards and clips do."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self

import discord
from discord import ui

from bot.edge.card_edits import remove_card
from bot.edge.commands.finished.file_menu import press_change
from bot.edge.commands.forgetting import note_request, press_forget
from bot.edge.commands.jobs.history import press_discard, press_discarding, press_fetch, press_history
from bot.edge.commands.jobs.own_picture import press_own_picture
from bot.edge.commands.jobs.putting_back import press_put_back
from bot.edge.commands.jobs.queue import cancel_job
from bot.edge.commands.jobs.recipe import describe_job_recipe
from bot.edge.commands.jobs.remedying import press_liven, press_remedy, press_tell
from bot.edge.commands.submission.answers import acknowledge, acknowledge_press, answer, fill_in, reporting
from bot.edge.commands.submission.options import MOTION_STEP, draft, vary
from bot.edge.commands.submission.permissions import is_operator, is_served, may_end
from bot.edge.commands.submission.submit import submit_again
from bot.edge.commands.trust.consent import press_consent
from bot.edge.commands.trust.own_data import press_opt_out
from bot.edge.commands.trust.reports import press_report, press_report_further
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.actions import DRAFT_ACTIONS, Action
from bot.edge.layouts.buttons import job_buttons
from bot.policy.facts import Entrance
from bot.queue.job import Job, wall_clock_ms
from bot.texts.replies import earlier_text, not_yours_text
from bot.work.uplink.changes import Change
from generator.clip import ClipSettings, chosen_draft

log = logging.getLogger(__name__)

_OF_PEOPLE: dict[Action, Callable[[Interaction, Action, int, str], Awaitable[None]]] = {
    **dict.fromkeys((Action.FORGET, Action.ERASE), press_forget),
    **dict.fromkeys((Action.ALLOW, Action.DENY, Action.NEVER_ASK), press_consent),
    **dict.fromkeys((Action.OPT_OUT, Action.OPT_IN), press_opt_out),
    Action.HISTORY: press_history,
    **dict.fromkeys((Action.REPORTING, Action.TAKE_DOWN, Action.DISMISS), press_report_further),
}
"""what is not about the job that the button's number names"""
_OF_JOBS: dict[Action, Callable[[Interaction, Job | None], Awaitable[None]]] = {
    Action.PUT_BACK: press_put_back,
    Action.LIVEN: press_liven,
    Action.REMEDY: press_remedy,
    Action.OWN_PICTURE: press_own_picture,
    Action.TELL: press_tell,
    Action.FETCH: press_fetch,
    Action.DISCARD: press_discard,
    Action.DISCARDING: press_discarding,
}
_CHANGES = {Action.SHORTEN: Change.SHORTEN, Action.UNDO: Change.UNDO}
"""of a clip's file, which its menu offers as well"""
ALWAYS_OPEN = (
    *_OF_PEOPLE.keys() - {Action.ALLOW, Action.HISTORY},
    *(Action.DELETE, Action.REPORT, Action.DISCARD, Action.DISCARDING),
)
"""also where the bot does not work: what there is of somebody may always be deleted, and reported"""


_VARIATIONS: dict[Action, tuple[Callable[[ClipSettings], ClipSettings], Entrance]] = {
    Action.AGAIN: (vary, Entrance.AGAIN),
    Action.MORE: (partial(vary, motion=MOTION_STEP), Entrance.MORE),
    Action.LESS: (partial(vary, motion=-MOTION_STEP), Entrance.LESS),
    Action.DRAFTS: (draft, Entrance.DRAFTS),
    **{action: (partial(chosen_draft, index=index), Entrance.DRAFT) for index, action in enumerate(DRAFT_ACTIONS)},
}
"""what asks for another clip of the same picture: which settings it makes of a job's"""


class JobButton(
    ui.DynamicItem[ui.Button[Any]], template=r"vivant:(?P<action>[a-z]+):(?P<number>\d+)(?::(?P<key>[\w-]*))?"
):
    """Answers a press on an `ActionButton`, also on one posted before a restart: the custom id names all it needs."""

    def __init__(self, item: ui.Button[Any], action: Action, number: int, key: str) -> None:
        super().__init__(item)
        self.action = action
        self.number = number
        self.key = key

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the button from a press."""
        assert isinstance(item, ui.Button)
        return cls(item, Action(match["action"]), int(match["number"]), match["key"] or "")

    @reporting
    async def callback(self, interaction: Interaction) -> None:
        """Do what the button says, with the same checks and answers to failures as a command."""
        if self.action in ALWAYS_OPEN:
            await _press(interaction, self.action, self.number, self.key)
            return
        note_request(interaction)
        if await is_served(interaction):
            await _press(interaction, self.action, self.number, self.key)


async def _press(interaction: Interaction, action: Action, number: int, key: str) -> None:
    if press := _OF_PEOPLE.get(action):
        await press(interaction, action, number, key)
        return
    job = await interaction.client.services.store.jobs.get(number)
    if action is Action.REPORT:
        await press_report(interaction, job if job and job.key == key else None)
    elif job is not None and job.key != key and action is not Action.DELETE:
        await answer(interaction, earlier_text())
    elif action in _VARIATIONS:
        await submit_again(interaction, number, *_VARIATIONS[action])
    elif action in _CHANGES:
        await (press_change(interaction, job, _CHANGES[action]) if job else answer(interaction, earlier_text()))
    elif action is Action.DELETE:
        await _delete(interaction, job if job and job.key == key else None)
    elif action in _OF_JOBS:
        await _OF_JOBS[action](interaction, job)
    elif await acknowledge(interaction, private=True) is not None:
        if action is Action.CANCEL:
            await cancel_job(interaction, number)
        else:
            text = await describe_job_recipe(interaction, number)
            await (
                fill_in(interaction, text, view=job_buttons(job, Action.OWN_PICTURE))
                if job
                else fill_in(interaction, text)
            )


async def _delete(interaction: Interaction, job: Job | None) -> None:
    """Delete the message that holds the clip, and the files of its job where that is still kept."""
    await acknowledge_press(interaction)
    services = interaction.client.services
    if not (may_end(interaction, job) if job else _may_delete_orphan(interaction)):
        await answer(interaction, not_yours_text())
        return
    with contextlib.suppress(discord.NotFound):
        await interaction.delete_original_response()  # of a component: the message it sits on
    if job is not None:
        await services.requests.delete_clip(job)
        with contextlib.suppress(*NETWORK_ERRORS):  # the card may be gone as well
            await remove_card(interaction.client, job, None, now_ms=wall_clock_ms())


def _may_delete_orphan(interaction: Interaction) -> bool:
    """Tell who may delete a clip whose job is no longer kept: the person it mentions, a moderator, an operator.

    Discord's own list of mentions is empty where the clip is in an answer that notifies nobody; its text is our own.
    """
    if interaction.message and f"<@{interaction.user.id}>" in _text_of(interaction.message):
        return True
    in_guild = interaction.guild_id is not None
    return (in_guild and interaction.permissions.manage_messages) or is_operator(interaction)


def _text_of(message: discord.Message) -> str:
    displays = (item.content for item in message.components if isinstance(item, discord.TextDisplay))
    return "\n".join([message.content, *displays])
