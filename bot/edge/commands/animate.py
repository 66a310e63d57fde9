"""/animate, and "Animate this image" on any message."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import discord
from discord import app_commands

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.admitting import setting_of
from bot.edge.commands.submission.answers import answer
from bot.edge.commands.submission.choosing.suggestions import SUGGESTED, range_of, suggest
from bot.edge.commands.submission.choosing.typed import submit_typed
from bot.edge.commands.submission.options import Options
from bot.edge.commands.submission.permissions import usable_everywhere
from bot.edge.commands.submission.picture_choice import offer_pictures
from bot.edge.commands.submission.sources import facts_of, pictures_of
from bot.edge.commands.submission.submit import submit
from bot.edge.context import Interaction
from bot.policy.facts import Entrance
from bot.texts.asking.choosing import choice_text
from bot.texts.limits import CHOICE_LETTERS, MOST_CHOICES, shorten
from bot.texts.replies import no_picture_text
from generator.clip import Framing, Loop, Shape


def _choices(words: type[StrEnum]) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=choice_text(word), value=str(word)) for word in words]


def _suggesting(option: str) -> Any:
    """Return what answers while somebody types an option."""

    async def complete(interaction: Interaction, current: Any) -> list[app_commands.Choice[Any]]:
        is_empty = current is None or (isinstance(current, float) and math.isnan(current))  # nan: discord.py's nothing
        typed = "" if is_empty else f"{current:g}" if isinstance(current, float) else str(current)
        found = suggest(option, typed, dict(iter(interaction.namespace)), setting_of(interaction))
        return [
            app_commands.Choice(name=shorten(text, CHOICE_LETTERS), value=value) for text, value in found[:MOST_CHOICES]
        ]

    return complete


@usable_everywhere
@app_commands.describe(
    image="The picture: JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC",
    motion="How much shall move: gentle, medium, strong, wild, or a number from 0 to 255",
    shape="The clip's shape; follows the picture, if you leave it out",
    loop="How the end meets the beginning (no loop, or what suits the model, if you leave it out)",
    drafts="First four small, quick drafts to choose from; they cost less than a clip",
    format="MP4 is sharpest; GIF and WebP loop by themselves (MP4, or what this server prefers)",
    quality="fast for a try, balanced, or quality for keeping",
    framing="What to do with a picture of another shape",
    smooth="Fill in frames for smoother motion; a clip has at most 360",
    description="What the picture shows, for who cannot see it: the clip's alt text",
    seed="The same seed with the same settings gives the same clip",
    noise_augmentation="Higher departs further from the picture",
    conditioning_fps="Frame rate the model is told; lower moves more",
    playback_fps="Frame rate the clip plays at; a clip plays at most a minute",
    steps="Denoising steps: more is slower and a little better",
    frames="How many frames (as the model was trained)",
    decode_chunk="Frames decoded together: fewer saves memory, all is smoothest",
    guidance="How closely the last frame holds on to the picture",
)
@app_commands.choices(shape=_choices(Shape), framing=_choices(Framing), loop=_choices(Loop))
@app_commands.autocomplete(**{option: _suggesting(option) for option in SUGGESTED})
async def _animate(
    interaction: Interaction,
    image: discord.Attachment,
    motion: str | None = None,
    shape: str | None = None,
    loop: str | None = None,
    format: str | None = None,
    quality: str | None = None,
    framing: str | None = None,
    smooth: bool | None = None,
    drafts: bool | None = None,
    description: str | None = None,
    seed: int | None = None,
    noise_augmentation: float | None = None,
    conditioning_fps: int | None = None,
    playback_fps: int | None = None,
    steps: int | None = None,
    frames: int | None = None,
    decode_chunk: int | None = None,
    guidance: float | None = None,
) -> None:
    """Take a picture and its options."""
    typed = {name: value for name, value in interaction.namespace if name != "image"}
    await submit_typed(interaction, image, typed, Entrance.COMMAND)


def animate_command(config: GeneratorConfig) -> app_commands.Command[Any, ..., None]:
    """Return /animate with the ranges of this operator."""
    command: app_commands.Command[Any, ..., None] = app_commands.command(
        name="animate", description="Bring a picture to life as a short clip"
    )(_animate)
    for parameter in command._params.values():  # discord.py reads a range from the annotation, before there is a config
        if parameter.type in (discord.AppCommandOptionType.integer, discord.AppCommandOptionType.number):
            parameter.min_value, parameter.max_value = range_of(parameter.name, config)
    return command


@app_commands.context_menu(name="Animate this image")
@usable_everywhere
async def animate_message(interaction: Interaction, message: discord.Message) -> None:
    """Take a message's picture with the usual settings; of several, ask which one."""
    pictures = pictures_of(message)
    if len(pictures) > 1:
        await offer_pictures(interaction, pictures, facts_of(message))
    elif pictures:
        await submit(interaction, pictures[0], Options(), Entrance.MESSAGE, facts_of(message))
    else:
        await answer(interaction, no_picture_text())
