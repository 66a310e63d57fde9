"""/queue, /cancel and /result."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import discord
from discord import app_commands

from bot.edge.commands.jobs.putting_back import may_put_back
from bot.edge.commands.reviews.holding import to_hand_over
from bot.edge.commands.submission.answers import acknowledge, fill_in, repeat_lost
from bot.edge.commands.submission.channel import LARGEST_POST
from bot.edge.commands.submission.permissions import may_end, replies_privately, usable_everywhere
from bot.edge.connection.posts import clip_name
from bot.edge.context import Interaction
from bot.edge.http_errors import Next, classify
from bot.edge.layouts.actions import Action
from bot.edge.layouts.buttons import job_buttons, menu_alone
from bot.queue.job import SETTLED, CancelOutcome, Job, JobState, wall_clock_ms
from bot.queue.spool import ClipGone
from bot.texts.descriptions import alone_text, alt_text
from bot.texts.failures import explain_failure
from bot.texts.jobs.cancelling import can_put_back_text, cancelled_text, nothing_to_cancel_text
from bot.texts.jobs.faces import choice_label
from bot.texts.jobs.queue_list import QueueView, describe_queue
from bot.texts.limits import MOST_CHOICES
from bot.texts.replies import no_clip_text, no_job_text, not_yours_text, still_coming_text
from bot.texts.safety.filter import held_result_text
from bot.work.uplink.clip_sizes import ClipSizes, noted
from bot.work.uplink.fitting import fit_clip
from generator.errors import GeneratorError

log = logging.getLogger(__name__)


@app_commands.command(name="queue", description="Where your pictures stand in the queue, and whose turn comes when")
@usable_everywhere
async def queue(interaction: Interaction) -> None:
    """Show the queue."""
    if await acknowledge(interaction, private=replies_privately(interaction)) is None:
        return
    services, person = interaction.client.services, interaction.user.id
    active = await services.store.jobs.active()
    own = [job for job in active if job.user_id == person]
    found = {job.id: await services.store.jobs.position(job.id) for job in own}
    view = QueueView(
        user_id=person,
        active=active,
        positions={job_id: position for job_id, position in found.items() if position is not None},
        names=services.store.names.of_all(own),
        begun=services.crew.progress,
        guild_id=interaction.guild_id,
        now_ms=wall_clock_ms(),
        hold=services.switches.gate.hold,
    )
    await fill_in(interaction, describe_queue(view), allowed_mentions=discord.AllowedMentions.none())


@app_commands.command(name="cancel", description="Give up one of your pictures in the queue")
@usable_everywhere
@app_commands.describe(job="Which one; leave it out for your newest")
async def cancel(interaction: Interaction, job: int | None = None) -> None:
    """Cancel a job: one's own, without a number the newest, or as a moderator any of that server."""
    if await acknowledge(interaction, private=True) is None:
        return
    if job is None:
        jobs = await interaction.client.services.store.jobs.active()
        own = [item for item in jobs if item.user_id == interaction.user.id and not item.cancel_requested]
        if not own:
            await fill_in(interaction, nothing_to_cancel_text())
            return
        job = max(item.id for item in own)
    await cancel_job(interaction, job)


async def cancel_job(interaction: Interaction, job_id: int) -> None:
    """Cancel a job if the person may, and tell them which one it was; the interaction is acknowledged privately."""
    services = interaction.client.services
    job = await services.store.jobs.get(job_id)
    if job is None:
        await fill_in(interaction, no_job_text(job_id))
        return
    if not may_end(interaction, job):
        await fill_in(interaction, not_yours_text())
        return
    is_own = interaction.user.id == job.user_id
    outcome = await services.requests.cancel(job_id, by_moderator=not is_own)
    services.cards.changed(job_id)
    text = cancelled_text(outcome, job, services.store.names.of(job) if is_own else None)
    if outcome is CancelOutcome.QUEUED_CANCELLED and may_put_back(interaction, job):
        await fill_in(interaction, f"{text} {can_put_back_text()}", view=job_buttons(job, Action.PUT_BACK))
    elif outcome is CancelOutcome.RUNNING_REQUESTED and is_own:
        await fill_in(interaction, text, view=job_buttons(job, Action.AGAIN))
    else:
        await fill_in(interaction, text)


@cancel.autocomplete("job")
async def _cancellable(interaction: Interaction, current: str) -> list[app_commands.Choice[int]]:
    jobs = await interaction.client.services.store.jobs.of_user(interaction.user.id, limit=MOST_CHOICES)
    return _job_choices(interaction, [job for job in jobs if job.state not in SETTLED], current)


@app_commands.command(name="result", description="Hand me a finished clip again, also one that could not be posted")
@usable_everywhere
@app_commands.describe(job="Which one; leave it out for your newest")
async def result(interaction: Interaction, job: int | None = None) -> None:
    """Send a person their own clip, privately: a new interaction can always be answered."""
    if await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    jobs = await services.store.jobs.of_user(interaction.user.id, limit=MOST_CHOICES)
    if job is None:
        found = next((item for item in jobs if item.state is JobState.RENDERED and item.clip), None)
    else:
        found = await services.store.jobs.get(job)
    if found is None or (found.user_id != interaction.user.id):
        await fill_in(interaction, no_clip_text())
    elif found.state is JobState.FAILED:
        await fill_in(interaction, str(explain_failure(found.failure or {})))
    elif found.state not in SETTLED:
        await fill_in(interaction, still_coming_text())
    else:
        await hand_over(interaction, found)


async def hand_over(interaction: Interaction, job: Job) -> None:
    """Fill in a private answer with a job's clip, as far as the filter lets it out."""
    services = interaction.client.services
    try:
        shown = await to_hand_over(interaction.client, job)
        if shown is None:
            await fill_in(interaction, held_result_text())
            return
        job = shown
        limit = min(interaction.filesize_limit, LARGEST_POST)
        fitting = await fit_clip(services.spool, job, limit, services.shrink)
        sizes = ClipSizes(services.spool, services.shrink)
        async for path in sizes.each(noted(job, fitting)):
            try:
                await repeat_lost(partial(_fill_in_clip, interaction, job, path))
                return
            except discord.HTTPException as error:
                if classify(error).next is not Next.SHRINK:
                    raise
    except (ClipGone, GeneratorError) as error:
        log.info("job=%d cannot be handed over: %s", job.id, error)
    await fill_in(interaction, no_clip_text())


async def _fill_in_clip(interaction: Interaction, job: Job, path: Path) -> None:
    # a new File for every try: discord.py uploads a used one as 0 bytes
    name = clip_name(str(job.id), job.settings.format)
    file = discord.File(path, filename=name, spoiler=job.route.spoiler, description=alt_text(job))
    content = alone_text(noted(job, path))
    await interaction.edit_original_response(content=content, attachments=[file], view=menu_alone(job))


@result.autocomplete("job")
async def _fetchable(interaction: Interaction, current: str) -> list[app_commands.Choice[int]]:
    jobs = await interaction.client.services.store.jobs.of_user(interaction.user.id, limit=MOST_CHOICES)
    return _job_choices(interaction, [job for job in jobs if job.state is JobState.RENDERED and job.clip], current)


def _job_choices(interaction: Interaction, jobs: list[Job], current: str) -> list[app_commands.Choice[int]]:
    names, now_ms = interaction.client.services.store.names, wall_clock_ms()
    labels = ((job.id, choice_label(job, names.of(job), now_ms)) for job in jobs)
    wanted = current.casefold()
    return [app_commands.Choice(name=label, value=number) for number, label in labels if wanted in label.casefold()]
