"""/help, /privacy and /forget-me."""

from __future__ import annotations

from discord import app_commands

from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.commands.submission.permissions import replies_privately, usable_everywhere
from bot.edge.context import Interaction
from bot.edge.layouts.buttons import forget_buttons, opt_out_button
from bot.texts.replies import help_text, privacy_text
from bot.texts.safety.forgetting import forget_text
from bot.texts.safety.trust import opt_out_state_text


@app_commands.command(name="help", description="What I can do, and how to get the best clips")
@usable_everywhere
async def help_command(interaction: Interaction) -> None:
    """Explain the bot."""
    if await acknowledge(interaction, private=replies_privately(interaction)) is not None:
        await fill_in(interaction, help_text(interaction.client.services.switches.variant))


@app_commands.command(name="privacy", description="What I keep about you, for how long, and how to delete it")
@usable_everywhere
async def privacy(interaction: Interaction) -> None:
    """Say what is kept, privately."""
    config = interaction.client.services.config
    text = privacy_text(config.retention.clip_hours, config.retention.row_days, config.privacy_url)
    pictures = interaction.client.services.store.trust.pictures
    is_out = pictures.has_opted_out(pictures.who(interaction.user.id))
    told = f"{text}\n\n{opt_out_state_text(is_out=is_out)}"
    await answer(interaction, told, view=opt_out_button(interaction.user.id, is_out=is_out))


@app_commands.command(name="forget-me", description="Delete everything I keep about you")
@usable_everywhere
async def forget_me(interaction: Interaction) -> None:
    """Ask first, privately."""
    await answer(interaction, forget_text(), view=forget_buttons(interaction.user.id))
