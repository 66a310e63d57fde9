"""/queue, /cancel and /result."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.edge.commands.answers import acknowledge, may_end
from bot.edge.commands.channel import LARGEST_POST
from bot.edge.layouts import clip_name, describe_line, describe_settings
from bot.edge.posting import Unposted, fit_clip
from bot.edge.status_cards import wall_clock_ms
from bot.queue.job import SETTLED, Job, JobState
from bot.queue.store import CancelOutcome
from bot.texts.explanations import explain_failure
from bot.texts.replies import explain_cancel, no_clip_text, no_job_text, not_yours_text, still_coming_text
from generator.errors import GeneratorError

if TYPE_CHECKING:
    from bot.edge.client import VivantClient

    Interaction = discord.Interaction[VivantClient]

log = logging.getLogger(__name__)

MOST_CHOICES = 25  # Discord's limit


@app_commands.command(name="queue", description="Your pictures' places in the line, and the whole line")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def queue(interaction: discord.Interaction[VivantClient]) -> None:
    """Show the line, privately."""
    if await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    active = await services.store.active_jobs()
    own = [(job, await services.store.place(job.id)) for job in active if job.user_id == interaction.user.id]
    text = describe_line(
        own,
        active,
        begun=services.cards.begun(),
        guild_id=interaction.guild_id,
        now_ms=wall_clock_ms(),
        hold=services.switches.hold,
    )
    await interaction.edit_original_response(content=text, allowed_mentions=discord.AllowedMentions.none())


@app_commands.command(name="cancel", description="Give up one of your pictures in the line")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
@app_commands.describe(job="Which one; /queue lists them")
async def cancel(interaction: discord.Interaction[VivantClient], job: int) -> None:
    """Cancel a job: one's own, or as a moderator any of that server."""
    if await acknowledge(interaction, private=True) is None:
        return
    await interaction.edit_original_response(content=await cancel_job(interaction, job))


async def cancel_job(interaction: Interaction, job_id: int) -> str:
    """Cancel a job for whoever asks, and say what came of it."""
    services = interaction.client.services
    job = await services.store.job(job_id)
    if job is None:
        return no_job_text(job_id)
    if not may_end(interaction, job):
        return not_yours_text()
    outcome = await services.store.cancel(job_id)
    if outcome is CancelOutcome.RUNNING_REQUESTED:
        for worker in services.workers:
            worker.cancel(job_id)
    services.cards.changed(job_id)
    return explain_cancel(outcome, job_id)


@cancel.autocomplete("job")
async def _cancellable(interaction: discord.Interaction[VivantClient], current: str) -> list[app_commands.Choice[int]]:
    jobs = await interaction.client.services.store.jobs_of(interaction.user.id, limit=MOST_CHOICES)
    return _job_choices([job for job in jobs if job.state not in SETTLED], current)


@app_commands.command(name="result", description="Hand me a finished clip again, also one that could not be posted")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
@app_commands.describe(job="Which one; leave it out for your newest")
async def result(interaction: discord.Interaction[VivantClient], job: int | None = None) -> None:
    """Hand a person their own clip, privately: a fresh interaction may always be answered."""
    if await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    jobs = await services.store.jobs_of(interaction.user.id, limit=MOST_CHOICES)
    if job is None:
        found = next((item for item in jobs if item.state is JobState.RENDERED and item.clip), None)
    else:
        found = await services.store.job(job)
    if found is None or (found.user_id != interaction.user.id):
        await interaction.edit_original_response(content=no_clip_text())
    elif found.state is JobState.FAILED:
        await interaction.edit_original_response(content=str(explain_failure(found.failure or {})))
    elif found.state not in SETTLED:
        await interaction.edit_original_response(content=still_coming_text())
    else:
        await _hand_over(interaction, found)


async def _hand_over(interaction: Interaction, job: Job) -> None:
    services = interaction.client.services
    try:
        limit = min(interaction.filesize_limit, LARGEST_POST)
        path = await fit_clip(services.spool, job, limit, services.shrink)
    except (Unposted, GeneratorError) as error:
        log.info("job=%d cannot be handed over: %s", job.id, error)
        await interaction.edit_original_response(content=no_clip_text())
        return
    name = clip_name(str(job.id), job.settings.format)
    await interaction.edit_original_response(
        content=f"-# {describe_settings(job.settings)}",
        attachments=[discord.File(path, filename=name, spoiler=job.route.spoiler)],
    )


@result.autocomplete("job")
async def _fetchable(interaction: discord.Interaction[VivantClient], current: str) -> list[app_commands.Choice[int]]:
    jobs = await interaction.client.services.store.jobs_of(interaction.user.id, limit=MOST_CHOICES)
    return _job_choices([job for job in jobs if job.state is JobState.RENDERED and job.clip], current)


def _job_choices(jobs: list[Job], current: str) -> list[app_commands.Choice[int]]:
    labels = ((job.id, f"{job.id}: {describe_settings(job.settings)}"[:100]) for job in jobs)
    return [app_commands.Choice(name=label, value=number) for number, label in labels if current in label]
