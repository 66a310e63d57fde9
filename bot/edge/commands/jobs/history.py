"""/history: a person's own clips, page by page, answered privately; and what the buttons there do."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands

from bot.edge.commands.forgetting import delete_post
from bot.edge.commands.jobs.pages import FIRST_PAGE, PAGE_SIZE, discard_button, history_layout, picture_file_name
from bot.edge.commands.jobs.queue import hand_over
from bot.edge.commands.submission.answers import acknowledge, acknowledge_press, answer, fill_in, repeat_lost
from bot.edge.commands.submission.permissions import usable_everywhere
from bot.edge.context import Interaction
from bot.edge.layouts.actions import Action
from bot.queue.job import Job, JobState
from bot.queue.life.past import PastJob
from bot.queue.spool import Spool
from bot.texts.jobs.history import HistoryPage, ask_discard_text, clip_no_longer_kept_text, discarded_text
from bot.texts.replies import earlier_text, not_yours_text


@app_commands.command(name="history", description="Your clips: make one again, fetch it, delete it")
@usable_everywhere
async def history(interaction: Interaction) -> None:
    """Show the newest page, privately."""
    if await acknowledge(interaction, private=True) is not None:
        await _show(interaction, FIRST_PAGE)


async def press_history(interaction: Interaction, _action: Action, before: int, person: str) -> None:
    """Turn to another page in the same message."""
    if person != str(interaction.user.id):
        await answer(interaction, not_yours_text())
        return
    await acknowledge_press(interaction)
    await _show(interaction, before)


async def _show(interaction: Interaction, before: int) -> None:
    services = interaction.client.services
    entries, count = await services.store.past.page(interaction.user.id, before=before, limit=PAGE_SIZE)
    jobs = [entry.job for entry in entries]
    pictures, clips = await asyncio.to_thread(_kept, services.spool, jobs)
    page = HistoryPage(
        entries=entries,
        older=count - len(entries),
        is_newest=before == FIRST_PAGE,
        names=services.store.names.of_all(jobs),
        pictures=pictures,
        clips=clips,
        clip_hours=services.config.retention.clip_hours,
        row_days=services.config.retention.row_days,
        now_ms=services.store.now_ms(),
    )

    def write() -> Any:
        # new Files for every try: discord.py uploads a used one as 0 bytes
        shown = [job for job in jobs if job.id in page.pictures]
        files = [_picture(services.spool, job) for job in shown]
        return interaction.edit_original_response(view=history_layout(page, interaction.user.id), attachments=files)

    await repeat_lost(write)


def _picture(spool: Spool, job: Job) -> discord.File:
    return discord.File(spool.path(job.picture), picture_file_name(job.id), spoiler=job.route.spoiler)


def _kept(spool: Spool, jobs: list[Job]) -> tuple[frozenset[int], frozenset[int]]:
    """Return of which jobs the picture, and of which the clip is still in the spool."""
    pictures = (job.id for job in jobs if job.picture and spool.path(job.picture).is_file())
    clips = (job.id for job in jobs if job.clip and job.state is JobState.RENDERED and spool.path(job.clip).is_file())
    return frozenset(pictures), frozenset(clips)


async def press_fetch(interaction: Interaction, job: Job | None) -> None:
    """Hand the kept clip over, privately; or say when it went."""
    entry = await _own_entry(interaction, job)
    if entry is None or await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    _, clips = await asyncio.to_thread(_kept, services.spool, [entry.job])
    if clips:
        await hand_over(interaction, entry.job)
    else:
        hours = services.config.retention.clip_hours
        await fill_in(interaction, clip_no_longer_kept_text(entry, hours, services.store.now_ms()))


async def press_discard(interaction: Interaction, job: Job | None) -> None:
    """Ask before a clip is deleted for good."""
    entry = await _own_entry(interaction, job)
    if entry is not None:
        name = interaction.client.services.store.names.of(entry.job)
        await answer(interaction, ask_discard_text(entry.job, name), view=discard_button(entry.job.id, entry.job.key))


async def press_discarding(interaction: Interaction, job: Job | None) -> None:
    """Delete the clip's files, its post and its card, and say what could not be deleted."""
    entry = await _own_entry(interaction, job)
    if entry is None:
        return
    await acknowledge_press(interaction)
    client, found = interaction.client, entry.job
    await client.services.requests.delete_clip(found)
    is_gone = entry.message_id is None or await delete_post(client, found.route, entry.message_id)
    if found.card_message_id not in (None, entry.message_id):
        await delete_post(client, found.route, found.card_message_id or 0)
    text = discarded_text(found, entry.message_id, is_gone=is_gone)
    await fill_in(interaction, text, view=None)


async def _own_entry(interaction: Interaction, job: Job | None) -> PastJob | None:
    """Return a person's own settled job; where there is none, answer so."""
    entry = None if job is None else await interaction.client.services.store.past.of_job(job)
    if job is None or entry is None:
        await answer(interaction, earlier_text())
        return None
    if job.user_id != interaction.user.id:
        await answer(interaction, not_yours_text())
        return None
    return entry
