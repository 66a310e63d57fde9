"""/animate, and "Animate this image" on any message."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.edge.commands.submission.answers import answer
from bot.edge.commands.submission.options import Options
from bot.edge.commands.submission.permissions import usable_everywhere
from bot.edge.commands.submission.picture_choice import offer_pictures
from bot.edge.commands.submission.sources import facts_of, pictures_of
from bot.edge.commands.submission.submit import submit
from bot.edge.context import Interaction
from bot.policy.facts import Entrance
from bot.policy.motion import Motion
from bot.texts.replies import no_picture_text
from generator.clip import Format, Framing, Loop, Quality, Shape


def _choices(**labels: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=label, value=value) for value, label in labels.items()]


# The ranges repeat generator.clip.BOUNDS as literals, because discord.py reads them from annotations; a test compares.
@app_commands.command(name="animate", description="Bring a picture to life as a short clip")
@usable_everywhere
@app_commands.describe(
    image="The picture: JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC",
    motion="How much shall move (medium, or what suits the model, if you leave it out)",
    format="MP4 is sharpest; GIF and WebP loop by themselves (MP4, or what this server prefers)",
    quality="Fast for a try, quality for keeping",
    shape="The clip's shape; follows the picture, if you leave it out",
    framing="What to do with a picture of another shape",
    loop="How the end meets the beginning (no loop, or what suits the model, if you leave it out)",
    smooth="Fill in frames for smoother motion; a clip has at most 360",
    description="What the picture shows, for who cannot see it: the clip's alt text, 200 letters at most",
    seed="The same seed with the same settings gives the same clip",
    noise_augmentation="Higher departs further from the picture (0.02)",
    motion_bucket="The motion as the model's own number, instead of motion (127)",
    conditioning_fps="Frame rate the model is told; lower moves more (7)",
    playback_fps="Frame rate the clip plays at (7); a clip plays at most a minute",
    steps="Denoising steps: more is slower and a little better (25)",
    frames="How many frames (as the model was trained)",
    decode_chunk="Frames decoded together: fewer saves memory, all is smoothest",
    guidance="How closely the last frame holds on to the picture (3)",
)
@app_commands.choices(
    motion=_choices(gentle="Gentle", medium="Medium", strong="Strong", wild="Wild"),
    format=_choices(mp4="MP4 video", gif="GIF", webp="Animated WebP"),
    quality=_choices(fast="Fast", balanced="Balanced", quality="Quality"),
    shape=_choices(auto="As the picture", landscape="Landscape", portrait="Portrait", square="Square"),
    framing=_choices(
        crop="Keep the centre", smart="Keep the most interesting part", pad="Keep everything, blurred edges"
    ),
    loop=_choices(
        none="No loop", boomerang="Boomerang: forwards and back", crossfade="Cross-fade", seam="Best matching cut"
    ),
)
async def animate(
    interaction: Interaction,
    image: discord.Attachment,
    motion: str | None = None,
    format: str | None = None,
    quality: str | None = None,
    shape: str = Shape.AUTO,
    framing: str | None = None,
    loop: str | None = None,
    smooth: bool = False,
    description: str | None = None,
    seed: app_commands.Range[int, 0, 4294967295] | None = None,
    noise_augmentation: app_commands.Range[float, 0.0, 1.0] | None = None,
    motion_bucket: app_commands.Range[int, 0, 255] | None = None,
    conditioning_fps: app_commands.Range[int, 5, 30] | None = None,
    playback_fps: app_commands.Range[int, 1, 60] | None = None,
    steps: app_commands.Range[int, 1, 100] | None = None,
    frames: app_commands.Range[int, 2, 50] | None = None,
    decode_chunk: app_commands.Range[int, 1, 50] | None = None,
    guidance: app_commands.Range[float, 1.0, 10.0] | None = None,
) -> None:
    """Take a picture and its options."""
    options = Options(
        motion=Motion(motion) if motion else None,
        format=Format(format) if format else None,
        quality=Quality(quality) if quality else None,
        shape=Shape(shape),
        framing=Framing(framing) if framing else None,
        loop=Loop(loop) if loop else None,
        smooth=smooth,
        seed=seed,
        noise_augmentation=noise_augmentation,
        motion_bucket=motion_bucket,
        conditioning_fps=conditioning_fps,
        playback_fps=playback_fps,
        steps=steps,
        frames=frames,
        decode_chunk=decode_chunk,
        guidance=guidance,
        description=description,
    )
    await submit(interaction, image, options, Entrance.COMMAND)


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
