"""/help, /privacy and /forget-me."""

from __future__ import annotations

import logging
from dataclasses import replace

from discord import app_commands

from bot.edge.commands.submission.answers import answer
from bot.edge.commands.submission.permissions import usable_everywhere
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts import forget_buttons, status_card
from bot.edge.status_cards import edit_card
from bot.queue.job import Job, JobState, wall_clock_ms
from bot.texts.replies import forget_text, help_text, privacy_text
from bot.texts.status import CardView

log = logging.getLogger(__name__)


@app_commands.command(name="help", description="What I can do, and how to get the best clips")
@usable_everywhere
async def help_command(interaction: Interaction) -> None:
    """Explain the bot, privately."""
    variant = interaction.client.services.switches.variant
    await answer(interaction, help_text(variant))


@app_commands.command(name="privacy", description="What I keep about you, for how long, and how to delete it")
@usable_everywhere
async def privacy(interaction: Interaction) -> None:
    """Say what is kept, privately."""
    config = interaction.client.services.config
    text = privacy_text(config.retention.clip_hours, config.retention.row_days, config.privacy_url)
    await answer(interaction, text)


@app_commands.command(name="forget-me", description="Delete everything I keep about you")
@usable_everywhere
async def forget_me(interaction: Interaction) -> None:
    """Ask first, privately."""
    await answer(interaction, forget_text(), view=forget_buttons(interaction.user.id))


async def forget(interaction: Interaction) -> int:
    """Delete all that is kept about the person, close their open cards, and return the number of files deleted."""
    unanswered, files = await interaction.client.services.requests.forget_user(interaction.user.id)
    for job in unanswered:
        await _close_card(interaction, job)
    return files


async def _close_card(interaction: Interaction, job: Job) -> None:
    """Remove the picture from a card that nothing else will edit any more."""
    await interaction.client.services.cards.finish(job.id)
    view = status_card(CardView(job=replace(job, state=JobState.CANCELLED)))
    try:
        await edit_card(interaction.client, job, view, now_ms=wall_clock_ms(), bare=True)
    except NETWORK_ERRORS as error:
        log.info("job=%d card not closed: %s", job.id, type(error).__name__)
