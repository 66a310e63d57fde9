"""/settings and /quota."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.edge.commands.settings.items import may_manage, panel_of
from bot.edge.commands.settings.panel import Page
from bot.edge.commands.submission.admitting import allowance_of
from bot.edge.commands.submission.answers import acknowledge, answer_first, fill_in
from bot.edge.commands.submission.options import Options, resolve, with_server
from bot.edge.commands.submission.permissions import replies_privately, usable_everywhere
from bot.edge.context import Interaction
from bot.queue.servers.quotas import Ask
from bot.texts.settings.quotas import describe_quotas


@app_commands.command(name="settings", description="Choose how I work in this server: channels, clips, limits, safety")
@app_commands.default_permissions(manage_guild=True)
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
async def settings(interaction: Interaction) -> None:
    """Show the panel, privately, to who manages the server."""
    if await may_manage(interaction):
        view = await panel_of(interaction, Page.WHERE)
        await answer_first(interaction, lambda: interaction.response.send_message(view=view, ephemeral=True))


@app_commands.command(name="quota", description="How many clips and how much GPU time you may still have")
@usable_everywhere
async def quota(interaction: Interaction) -> None:
    """Show what may be had and what of it is used."""
    if await acknowledge(interaction, private=replies_privately(interaction)) is None:
        return
    services = interaction.client.services
    allowance = await allowance_of(interaction)
    ask = Ask(user_id=interaction.user.id, guild_id=interaction.guild_id, allowance=allowance)
    server = services.store.servers.settings(interaction.guild_id)
    variant, generator = services.switches.variant, services.config.generator
    usual = resolve(with_server(Options(), server, variant, generator), variant, generator)
    used = await services.store.jobs.quota_used(ask)
    text = describe_quotas(allowance.limited(), used, await services.store.jobs.expected_cost_ms(usual))
    await fill_in(interaction, text, allowed_mentions=discord.AllowedMentions.none())
