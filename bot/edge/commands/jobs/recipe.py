"""/recipe: a clip's settings and what its Content Credentials say, from the clip itself or from its job."""

from __future__ import annotations

import asyncio

import aiohttp
import discord
from discord import app_commands

from bot.edge.commands.jobs.own_picture import OwnPictureView
from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.commands.submission.channel import LARGEST_POST
from bot.edge.commands.submission.download import download
from bot.edge.commands.submission.permissions import replies_privately, usable_everywhere
from bot.edge.context import Interaction
from bot.edge.layouts.actions import Action
from bot.edge.layouts.buttons import job_buttons
from bot.texts.descriptions import describe_recipe
from bot.texts.replies import no_job_text, no_recipe_text, not_fetched_text, which_recipe_text
from bot.texts.safety.labels import describe_credentials
from generator.clip import ClipSettings
from generator.errors import GeneratorError
from generator.video.credentials.manifest import CredentialState


@app_commands.command(name="recipe", description="How a clip was made: every setting and its seed")
@usable_everywhere
@app_commands.describe(clip="A clip that I made", job="Or its number")
async def recipe(interaction: Interaction, clip: discord.Attachment | None = None, job: int | None = None) -> None:
    """Show a recipe."""
    if clip is None and job is None:
        await answer(interaction, which_recipe_text())
        return
    if await acknowledge(interaction, private=replies_privately(interaction)) is None:
        return
    if clip is not None:
        text, settings = await _read_clip(interaction, clip)
        await (fill_in(interaction, text, view=OwnPictureView(settings)) if settings else fill_in(interaction, text))
    else:
        await _show_own_job(interaction, job or 0)


async def _show_own_job(interaction: Interaction, job_id: int) -> None:
    """Show the settings of one of the person's own jobs; anybody else's looks as if it did not exist."""
    job = await interaction.client.services.store.jobs.get(job_id)
    if job is None or job.user_id != interaction.user.id:
        await fill_in(interaction, no_job_text(job_id))
    else:
        await fill_in(
            interaction, await describe_job_recipe(interaction, job_id), view=job_buttons(job, Action.OWN_PICTURE)
        )


async def describe_job_recipe(interaction: Interaction, job_id: int) -> str:
    """Return a job's settings, for who sees its clip: there they are for all to read anyway."""
    job = await interaction.client.services.store.jobs.get(job_id)
    if job is None:
        return no_job_text(job_id)
    fast_math = any(note.kind == "fast-math" for note in job.notes)
    return describe_recipe(job.settings, job_id=job.id, fast_math=fast_math)


async def _read_clip(interaction: Interaction, clip: discord.Attachment) -> tuple[str, ClipSettings | None]:
    """Return what a file says of itself, and the settings in it, if it is a clip of ours."""
    services, person = interaction.client.services, interaction.user.id
    if clip.size > LARGEST_POST:
        return no_recipe_text(), None  # no clip of ours is as large
    path = services.spool.incoming_path(f"{interaction.id}-recipe")
    try:
        async with services.intake.picture(person):
            await download(interaction.client.downloads, clip.url, path, LARGEST_POST, proxy=services.config.proxy)
            async with services.intake.decoding(person):
                settings, fast_math = await services.pictures.read_recipe(path)
                credentials = await services.pictures.check_credentials(path, services.certificates)
    except (aiohttp.ClientError, TimeoutError):
        return not_fetched_text(), None
    except (GeneratorError, OSError):
        return no_recipe_text(), None  # too large to be one of ours, or it ended the child
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    text = describe_recipe(settings, fast_math=fast_math) if settings else no_recipe_text()
    says_nothing = settings is None and credentials.state in (CredentialState.NONE, CredentialState.UNCHECKED)
    return (text if says_nothing else f"{text}\n{describe_credentials(credentials)}"), settings
