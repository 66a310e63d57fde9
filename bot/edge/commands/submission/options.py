"""The options of a request, and the clip settings that they resolve to. Pure; no Discord."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from bot.config.generator import GeneratorConfig
from bot.policy.motion import MOTION_BUCKETS, WILD_NOISE, Motion
from bot.policy.server import ServerSettings
from bot.policy.told import Told
from bot.texts.limits import DESCRIPTION_LETTERS, one_line
from generator.clip import (
    BOUNDS,
    DEFAULT_STEPS,
    ClipSettings,
    Format,
    Framing,
    Loop,
    Quality,
    Shape,
    check_extent,
)
from generator.errors import SettingsError
from generator.protocol import Note
from generator.variants import Variant

T = TypeVar("T")


MOTION_STEP = 50
"""how far "More motion" and "Less motion" go"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one /animate; None leaves the choice to the bot."""

    motion: Motion | None = None
    format: Format | None = None
    quality: Quality | None = None
    shape: Shape = Shape.AUTO
    framing: Framing | None = None
    loop: Loop | None = None
    smooth: bool = False
    drafts: bool = False
    """four drafts of the clip first"""
    seed: int | None = None
    motion_bucket: int | None = None
    noise_augmentation: float | None = None
    conditioning_fps: int | None = None
    playback_fps: int | None = None
    steps: int | None = None
    frames: int | None = None
    decode_chunk: int | None = None
    guidance: float | None = None
    description: str | None = None
    """what the picture shows; no setting of the clip"""
    recipe: Told | None = None
    """what was said with the request whose recipe the options are; None: they are this person's own choice"""


def told_of(options: Options, alt_text: str | None) -> Told:
    """Return what a person said with a request; the picture's own alt text stands in for a description."""
    no_settings = ("description", "recipe")
    own = tuple(
        field.name
        for field in fields(options)
        if field.name not in no_settings and getattr(options, field.name) != field.default
    )
    chosen = own if options.recipe is None else options.recipe.chosen
    return Told(chosen=chosen, description=one_line(options.description or alt_text or "", DESCRIPTION_LETTERS))


def told_again(told: Told, before: ClipSettings, now: ClipSettings) -> Told:
    """Return what was said about an earlier clip, for another one of its picture.

    A new motion was chosen by its button; a new seed was not chosen by anybody.
    """
    dropped = {"seed"} if now.seed != before.seed else set()
    if now.motion_bucket == before.motion_bucket:
        return replace(told, chosen=tuple(name for name in told.chosen if name not in dropped))
    dropped |= {"motion", "motion_bucket"}
    return replace(told, chosen=("motion_bucket", *(name for name in told.chosen if name not in dropped)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a clip is asked for: what the model, the operator and the server take and prefer."""

    variant: Variant
    config: GeneratorConfig
    server: ServerSettings

    def resolve(self, options: Options) -> ClipSettings:
        """Return the settings that options become here, seed included; the shape may still be AUTO.

        Raises SettingsError, also on more steps than the operator allows.
        """
        most = self.config.max_steps
        if options.steps is not None and options.steps > most:
            raise SettingsError("", setting="steps", low=1, high=most)
        return resolve(with_server(options, self.server, self.variant, self.config), self.variant, self.config)


def resolve(options: Options, variant: Variant, config: GeneratorConfig) -> ClipSettings:
    """Return the frozen settings of the options, seed included.

    Raises SettingsError on a value out of bounds, and when the options together make too much.
    """
    quality = options.quality or variant.quality or config.quality
    wild = WILD_NOISE if options.motion is Motion.WILD else None
    noise = _first(options.noise_augmentation, wild)
    plain = ClipSettings()
    steps = _first(options.steps, min(variant.usual_steps(quality), config.max_steps))
    variant.check_steps(steps)
    settings = ClipSettings(
        variant=variant.name,
        frames=_first(options.frames, variant.frames),
        motion_bucket=_first(options.motion_bucket, _bucket(options.motion, variant)),
        noise_augmentation=_first(noise, plain.noise_augmentation),
        conditioning_fps=_first(options.conditioning_fps, plain.conditioning_fps),
        playback_fps=_first(options.playback_fps, plain.playback_fps),
        quality=quality,
        steps=steps,
        max_guidance=_first(options.guidance, _first(variant.max_guidance, plain.max_guidance)),
        decode_chunk=options.decode_chunk,
        seed=_first(options.seed, new_seed()),
        format=options.format or plain.format,
        shape=options.shape,
        framing=options.framing or config.framing,
        loop=_first(options.loop, _first(variant.loop, plain.loop)),
        smooth=options.smooth,
        drafts=options.drafts,
    )
    return _checked(settings, options, variant)


def _checked(settings: ClipSettings, options: Options, variant: Variant) -> ClipSettings:
    """Check the settings; a loop that only the variant wants gives way to what the person asked for."""
    try:
        check_request(settings, variant)
    except SettingsError:
        if options.loop is not None or settings.loop is Loop.NONE:
            raise
        settings = replace(settings, loop=Loop.NONE)
        check_request(settings, variant)
    return settings


def with_server(options: Options, server: ServerSettings, variant: Variant, config: GeneratorConfig) -> Options:
    """Return the options with what was left out chosen as the server wants it; what was asked for stays as it is."""
    quality = variant.quality or config.quality
    return replace(
        options,
        motion=_server_motion(options, server, variant),
        format=options.format or server.default_format or _server_format(server),
        quality=options.quality or server.default_quality or _server_quality(server, quality),
        frames=_first(options.frames, _server_frames(options, server, variant)),
    )


def _server_motion(options: Options, server: ServerSettings, variant: Variant) -> Motion | None:
    if options.motion is not None or options.motion_bucket is not None:
        return options.motion
    most = server.most_motion
    wanted = MOTION_BUCKETS[server.default_motion] if server.default_motion else _bucket(None, variant)
    return most if most is not None and wanted > MOTION_BUCKETS[most] else server.default_motion


def _server_format(server: ServerSettings) -> Format | None:
    return next((format for format in Format if format in server.formats), None)


def _server_quality(server: ServerSettings, usual: Quality) -> Quality | None:
    """Return the best quality that is allowed and costs no more than the usual one, else the cheapest allowed."""
    allowed = sorted(server.qualities, key=lambda quality: DEFAULT_STEPS[quality])
    within = [quality for quality in allowed if DEFAULT_STEPS[quality] <= DEFAULT_STEPS[usual]]
    return within[-1] if within else next(iter(allowed), None)


def _server_frames(options: Options, server: ServerSettings, variant: Variant) -> int | None:
    """Return as many frames as play within the server's longest clip; None when the variant's own do."""
    if server.longest_clip is None:
        return None
    plain = ClipSettings()
    fits = int(server.longest_clip * _first(options.playback_fps, plain.playback_fps))
    if _first(options.loop, _first(variant.loop, plain.loop)) is Loop.BOOMERANG:
        fits = (fits + 2) // 2
    return max(int(BOUNDS["frames"][0]), fits) if fits < variant.frames else None


def _bucket(motion: Motion | None, variant: Variant) -> int:
    return MOTION_BUCKETS[motion] if motion else _first(variant.motion_bucket, MOTION_BUCKETS[Motion.MEDIUM])


def check_request(settings: ClipSettings, variant: Variant) -> None:
    """Raise SettingsError when one request would make more than any may; AUTO counts as the largest shape."""
    shapes = [shape for shape in Shape if shape is not Shape.AUTO]
    sizes = map(variant.size, shapes if settings.shape is Shape.AUTO else [settings.shape])
    check_extent(settings, max(sizes, key=lambda size: size[0] * size[1]))


def notes_on_steps(settings: ClipSettings, variant: Variant) -> tuple[Note, ...]:
    """Return what to tell somebody whose chosen quality is the variant's only one, whatever its name."""
    told = settings.quality is not variant.quality and variant.most_steps < DEFAULT_STEPS[settings.quality]
    return (Note("one-quality", {"steps": settings.steps}),) if told else ()


def vary(settings: ClipSettings, *, motion: int = 0) -> ClipSettings:
    """Return the settings of a variation: a new seed, or the same seed with more or less motion."""
    if motion == 0:
        return replace(settings, seed=new_seed())
    low, high = BOUNDS["motion_bucket"]
    return replace(settings, motion_bucket=int(max(low, min(high, settings.motion_bucket + motion))))


def draft(settings: ClipSettings) -> ClipSettings:
    """Return the settings of four drafts of a clip, with new seeds."""
    return replace(settings, drafts=True, seed=new_seed())


def new_seed() -> int:
    """Choose a seed."""
    return secrets.randbelow(int(BOUNDS["seed"][1]) + 1)


def _first(wanted: T | None, otherwise: T) -> T:
    return otherwise if wanted is None else wanted
