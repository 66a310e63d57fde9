"""/help, /privacy and /forget-me."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from discord import app_commands, ui

from bot.edge.commands.answers import answer
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts import Action, CardView, JobButton, status_card
from bot.edge.status_cards import edit_card, wall_clock_ms
from bot.queue.job import Job, JobState
from bot.texts.replies import forget_text, help_text, privacy_text

if TYPE_CHECKING:
    from bot.edge.client import VivantClient

    Interaction = discord.Interaction[VivantClient]

log = logging.getLogger(__name__)


@app_commands.command(name="help", description="What I can do, and how to get the best clips")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def help_command(interaction: discord.Interaction[VivantClient]) -> None:
    """Explain the bot, privately."""
    variant = interaction.client.services.switches.variant
    await answer(interaction, help_text(variant))


@app_commands.command(name="privacy", description="What I keep about you, for how long, and how to delete it")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def privacy(interaction: discord.Interaction[VivantClient]) -> None:
    """Say what is kept, privately."""
    config = interaction.client.services.config
    text = privacy_text(config.retention.clip_hours, config.retention.row_days, config.privacy_url)
    await answer(interaction, text)


@app_commands.command(name="forget-me", description="Delete everything I keep about you")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def forget_me(interaction: discord.Interaction[VivantClient]) -> None:
    """Ask first, privately."""
    view = ui.View(timeout=None)
    view.add_item(JobButton(Action.FORGET, interaction.user.id))
    await answer(interaction, forget_text(), view=view)


async def forget(interaction: Interaction) -> int:
    """Delete the person's jobs, waiting ones included, and their files; give the number of files."""
    services = interaction.client.services
    untold = await services.store.untold_jobs(interaction.user.id)
    for job in untold:
        await services.store.cancel(job.id)
        for worker in services.workers:
            worker.cancel(job.id)
    names = await services.store.forget_user(interaction.user.id)
    await asyncio.to_thread(services.spool.delete, names)
    log.info("forgot one person: %d files", len(names))
    for job in untold:
        await _close_card(interaction, job)
    return len(names)


async def _close_card(interaction: Interaction, job: Job) -> None:
    """Take the picture off a card that nobody will write any more."""
    await interaction.client.services.cards.finish(job.id)
    view = status_card(CardView(job=replace(job, state=JobState.CANCELLED)))
    try:
        await edit_card(interaction.client, job, view, now_ms=wall_clock_ms(), bare=True)
    except NETWORK_ERRORS as error:
        log.info("job=%d card not closed: %s", job.id, type(error).__name__)
