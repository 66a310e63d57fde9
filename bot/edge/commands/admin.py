"""/admin: the variant, pause and resume. Hidden from others by Discord, and refused to them here as well."""

from __future__ import annotations

import logging

import discord
from discord import app_commands

from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.commands.submission.permissions import is_admin, is_operator
from bot.edge.commands.trust.operators import COMMANDS, note
from bot.edge.context import Interaction, Services
from bot.texts.jobs.running import (
    describe_status,
    describe_variants,
    estimated_time_text,
    measured_time_text,
    unknown_time_text,
)
from bot.texts.limits import CHOICE_LETTERS, MOST_CHOICES, count_letters
from bot.texts.replies import (
    cannot_run_text,
    no_variant_text,
    not_admin_text,
    not_operator_text,
    now_paused_text,
    resumed_text,
    switched_text,
)
from generator.backend.speed import clip_tflop, estimate_clip, rate_from_product, rate_of
from generator.clip import ClipSettings
from generator.variants import Variant

log = logging.getLogger(__name__)


class AdminCommands(app_commands.Group, name="admin", description="For the people who run this bot"):
    """Commands for owners and admins. Discord's own permissions are not enough: a server's admins can change them."""

    def __init__(self) -> None:
        super().__init__(default_permissions=discord.Permissions(manage_guild=True))
        for command in COMMANDS:
            self.add_command(command)

    async def interaction_check(self, interaction: Interaction, /) -> bool:  # type: ignore[override]
        """Let only admins through."""
        if is_admin(interaction):
            return True
        await answer(interaction, not_admin_text())
        return False

    @app_commands.command(description="See the model variants, or switch to another")
    @app_commands.describe(name="The variant for new jobs; leave it out to see them all")
    async def variant(self, interaction: Interaction, name: str | None = None) -> None:
        """Show or switch the variant; jobs in the queue keep theirs."""
        services = interaction.client.services
        if name is None:
            costs = {known: await _time_text(services, item) for known, item in services.switches.variants.items()}
            text = describe_variants(services.switches.variants, services.switches.variant.name, costs)
            await answer(interaction, text)
            return
        if not is_operator(interaction):
            await answer(interaction, not_operator_text())
            return
        if name not in services.switches.variants:
            await answer(interaction, no_variant_text(name, services.switches.variants))
            return
        if await acknowledge(interaction, private=True) is None:
            return
        if problem := await services.check_variant(name):
            await fill_in(interaction, cannot_run_text(name, problem))
            return
        await services.switches.switch(name)
        services.preload(name)
        log.info("variant switched to %s by %d", name, interaction.user.id)
        await note(interaction, "variant", {"name": name})
        time = await _time_text(services, services.switches.variant)
        await fill_in(interaction, f"{switched_text(services.switches.variant)} {time}")

    @variant.autocomplete("name")
    async def _variant_names(self, interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
        names = interaction.client.services.switches.variants if is_admin(interaction) else {}
        # A longer name cannot be suggested, only typed: Discord takes the value as it is or not at all.
        found = [name for name in sorted(names) if current in name and count_letters(name) <= CHOICE_LETTERS]
        return [app_commands.Choice(name=name, value=name) for name in found[:MOST_CHOICES]]

    @app_commands.command(description="Accept and start nothing until /admin resume")
    @app_commands.describe(reason="What people are told")
    async def pause(self, interaction: Interaction, reason: app_commands.Range[str, 1, 200]) -> None:
        """Pause the bot; what runs goes on to its end."""
        if await acknowledge(interaction, private=True) is None:
            return
        services = interaction.client.services
        if reason[-1] not in ".!?…":
            reason += "."  # other sentences follow it
        await services.switches.pause(reason)
        services.cards.queue_changed()
        log.info("paused by %d", interaction.user.id)
        await note(interaction, "pause", {"reason": reason})
        await fill_in(interaction, now_paused_text(reason))

    @app_commands.command(description="Work again")
    async def resume(self, interaction: Interaction) -> None:
        """End a pause, or start again after a crash storm."""
        if await acknowledge(interaction, private=True) is None:
            return
        services = interaction.client.services
        await services.switches.resume()
        services.crew.resume()
        services.cards.queue_changed()
        log.info("resumed by %d", interaction.user.id)
        await note(interaction, "resume", {})
        await fill_in(interaction, resumed_text())

    @app_commands.command(description="The queue, the GPU processes, the disk")
    async def status(self, interaction: Interaction) -> None:
        """Show how the bot is doing."""
        if await acknowledge(interaction, private=True) is None:
            return
        services = interaction.client.services
        text = describe_status(
            counts=await services.store.jobs.counts(),
            backends=services.crew.describe(),
            free_bytes=services.spool.free_bytes(),
            variant=services.switches.variant.name,
            hold=services.switches.gate.hold,
            time=await _time_text(services, services.switches.variant),
        )
        await fill_in(interaction, text)


async def _time_text(services: Services, variant: Variant) -> str:
    """Say how long a clip of a variant takes: measured, else estimated from the first card that is known."""
    found = await services.store.jobs.measured(variant.name)
    if found is not None:
        return measured_time_text(found.kind, found.low_ms, found.high_ms)
    quality = variant.quality or services.config.generator.quality
    guidance = variant.max_guidance or ClipSettings().max_guidance
    settings = ClipSettings(
        variant=variant.name, frames=variant.frames, steps=variant.usual_steps(quality), max_guidance=guidance
    )
    for facts in services.crew.describe():
        card, measured = str(facts.get("name", "")), facts.get("tflops")
        rate = rate_of(card)
        if rate is None and isinstance(measured, float) and measured > 0:
            rate = rate_from_product(measured)
        if rate is not None and not variant.is_demo:
            time = estimate_clip(rate, clip_tflop(settings, variant.landscape))
            return estimated_time_text(variant.name, card, time.low_s, time.high_s)
    return unknown_time_text(variant.name)
