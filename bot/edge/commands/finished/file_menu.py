"""The menu below a clip: its file in another format, as another loop, smoother, slower. No GPU is needed.

One's own clip changes in its place, without a new message; anybody else gets the changed file privately. Either is one
edit of a message, which may be repeated: nothing arrives twice, and what fails leaves the message as it was.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import discord
from discord import ui

from bot.edge.commands.finished.extending import ask_from_where, extend
from bot.edge.commands.forgetting import note_request
from bot.edge.commands.reviews.holding import to_hand_over
from bot.edge.commands.submission.answers import acknowledge, acknowledge_press, answer, fill_in, repeat_lost, reporting
from bot.edge.commands.submission.channel import LARGEST_POST
from bot.edge.commands.submission.permissions import is_served
from bot.edge.connection.posts import clip_name
from bot.edge.context import Interaction
from bot.edge.http_errors import Next, classify
from bot.edge.layouts.buttons import clip_buttons, menu_alone
from bot.edge.layouts.cards import clip_layout
from bot.policy.admission import FILES, decide
from bot.policy.facts import Entrance, Facts
from bot.queue.job import Job
from bot.queue.spool import ClipGone, SpoolFull
from bot.texts.descriptions import alone_text, alt_text, clip_text
from bot.texts.explanations import explain_settings
from bot.texts.jobs.after_clip import frames_gone_text, making_already_text, not_changed_text, same_file_text
from bot.texts.languages.spoken import speaking
from bot.texts.refusals import explain_refusal
from bot.texts.replies import earlier_text, no_room_text
from bot.texts.safety.filter import held_result_text
from bot.work.uplink.changes import Change, change_file, changed_names, with_state
from bot.work.uplink.clip_sizes import SHRINK_TO
from bot.work.uplink.remaking import MakingAlready
from generator.clip import ClipSettings, check_extent
from generator.errors import DiskFull, GeneratorError, SettingsError
from generator.video.clip_file import EncodedClip

log = logging.getLogger(__name__)

_OF_A_FILE = ("shrunk", "frame-rate", "loop-score")
"""kinds of notes that are about one file of a clip, not about the clip"""


_CUSTOM_ID = re.compile(r"vivant:file:(?P<number>\d+):(?P<key>[\w-]*):(?P<state>[\w.]*)")


class FileMenu(ui.DynamicItem[ui.Select[Any]], template=_CUSTOM_ID):
    """Answers a choice, also in a menu posted before a restart: the custom id names the clip and its file now."""

    def __init__(self, item: ui.Select[Any], number: int, key: str, state: str) -> None:
        super().__init__(item)
        self.number, self.key, self.state = number, key, state

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the menu from a choice."""
        assert isinstance(item, ui.Select)
        return cls(item, int(match["number"]), match["key"], match["state"])

    @reporting
    async def callback(self, interaction: Interaction) -> None:
        """Make the file, with the same checks and answers to failures as a command."""
        note_request(interaction)
        if await is_served(interaction):
            job = await interaction.client.services.store.jobs.get(self.number)
            if job is None or job.key != self.key:
                await answer(interaction, earlier_text())
            else:
                await change_clip(interaction, job, self.state, Change(self.item.values[0]))


async def press_change(interaction: Interaction, job: Job, change: Change) -> None:
    """Make a change by its button, as the menu beside the button does."""
    assert interaction.message is not None
    menus = (found for item in interaction.message.components for found in _menus_in(item))
    state = next((match["state"] for menu in menus if (match := _CUSTOM_ID.fullmatch(menu))), "")
    await change_clip(interaction, job, state, change)


def _menus_in(component: Any) -> Iterator[str]:
    """Yield the custom ids of the menus in a part of a message."""
    if isinstance(component, discord.SelectMenu):
        yield component.custom_id
    for child in getattr(component, "children", []):
        yield from _menus_in(child)


async def change_clip(interaction: Interaction, job: Job, state: str, change: Change) -> None:
    """Make what was chosen of a clip whose file has that state."""
    if change is Change.EXTEND:
        await extend(interaction, job, state)
        return
    if change is Change.EXTEND_FROM:
        await ask_from_where(interaction, job, state)
        return
    now = with_state(job.settings, state)
    wanted = change_file(change, now, job.settings)
    if refusal := same_file_text() if wanted == now else _refuse(interaction, wanted):
        await answer(interaction, refusal)
        return
    in_place = _is_theirs(interaction, job)
    if in_place:
        await acknowledge_press(interaction)
    elif await acknowledge(interaction, private=True) is None:
        return
    if refusal := await _change(interaction, job, wanted, in_place=in_place):
        await (answer if in_place else fill_in)(interaction, refusal)


def _refuse(interaction: Interaction, wanted: ClipSettings) -> str | None:
    """Return why this server allows no such file."""
    server = interaction.client.services.store.servers.settings(interaction.guild_id)
    reason = decide(Facts(entrance=Entrance.FILE, server=server, settings=wanted), FILES)
    return None if reason is None else explain_refusal(reason)


def _is_theirs(interaction: Interaction, job: Job) -> bool:
    """Tell whether the message may change for whoever sees it: the person's own clip, or shown to them alone."""
    alone = interaction.message is not None and interaction.message.flags.ephemeral
    return alone or interaction.user.id == job.user_id


async def _change(interaction: Interaction, job: Job, wanted: ClipSettings, *, in_place: bool) -> str | None:
    """Make the file and show it; return what to tell the person where that cannot be."""
    services = interaction.client.services
    limit = min(interaction.filesize_limit, LARGEST_POST)
    try:
        shown = await to_hand_over(interaction.client, job)
        if shown is None:
            return held_result_text()
        job = shown
        check_extent(wanted, _size(job))
        for budget in (limit, *(size for size in SHRINK_TO if size < limit)):
            made = await services.remaking.make(job, wanted, budget, interaction.user.id)
            try:
                now, is_changed = _as_made(job, wanted, made), wanted != job.settings
                await _show(interaction, now, made.path, in_place=in_place, is_changed=is_changed)
                return None
            except discord.HTTPException as error:
                if classify(error).next is not Next.SHRINK:
                    raise
    except SettingsError as error:
        return explain_settings(error)
    except ClipGone as error:
        log.info("%s cannot be changed any more", error)
        return frames_gone_text(services.config.retention.clip_hours)
    except MakingAlready:
        return making_already_text()
    except (SpoolFull, DiskFull):
        return no_room_text()
    except discord.NotFound:
        log.info("job=%d its message was deleted while its file was changed", job.id)
        return None
    except GeneratorError as error:
        log.warning("job=%d its file could not be changed: %s", job.id, error)
    return not_changed_text()


def _size(job: Job) -> tuple[int, int]:
    facts = job.facts or {}
    return int(facts.get("width", 0)), int(facts.get("height", 0))


def _as_made(job: Job, wanted: ClipSettings, made: EncodedClip) -> Job:
    """Return the job as it is told beside the changed file."""
    others = tuple(note for note in job.notes if note.kind not in _OF_A_FILE)
    told = replace(job.told, chosen=tuple(dict.fromkeys([*job.told.chosen, *changed_names(job.settings, wanted)])))
    return replace(job, settings=wanted, told=told, notes=(*others, *made.notes))


async def _show(interaction: Interaction, job: Job, path: Path, *, in_place: bool, is_changed: bool) -> None:
    delivery = await interaction.client.services.store.deliveries.of_job(job.id)
    name = clip_name(delivery.nonce if delivery else str(job.id), job.settings.format)
    message = interaction.message if in_place else None
    public = message.flags if message is not None and not message.flags.ephemeral else None

    def content(file: discord.File) -> dict[str, Any]:
        if public is None:
            return {"content": alone_text(job), "view": menu_alone(job, is_changed=is_changed)}
        if public.components_v2:
            spoiler = job.route.spoiler
            return {"view": clip_layout(job, file.filename, spoiler=spoiler, is_changed=is_changed)}
        return {"content": clip_text(job), "view": clip_buttons(job, is_changed=is_changed)}

    async def edit() -> None:
        with speaking(None if public is None else job.route.language):
            # a new File for every try: discord.py uploads a used one as 0 bytes
            file = discord.File(path, filename=name, spoiler=job.route.spoiler, description=alt_text(job))
            shown = content(file)
        nobody = discord.AllowedMentions.none()
        await interaction.edit_original_response(attachments=[file], allowed_mentions=nobody, **shown)

    await repeat_lost(edit)
