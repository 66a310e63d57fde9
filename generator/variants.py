"""The model variants: where their weights come from and what they expect. Knows no torch; loads no weights."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.clip import BOUNDS, DEFAULT_STEPS, ClipSettings, Loop, Quality, Shape
from generator.errors import SettingsError

Size = tuple[int, int]
"""width, height in pixels"""

Colours = tuple[tuple[float, float, float], ...]
"""red, green and blue, -1 to 1, for a latent's 1 in each channel; the last row is added to all"""

_SD_COLOURS: Colours = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
    (0.0, 0.0, 0.0),
)
"""of Stable Diffusion's autoencoder, whose encoder SVD has too. As keturn found them in 2022 by comparing latents with
decoded pictures: https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204"""

_DEMO_COLOURS: Colours = (
    (-0.042, -0.101, -0.011),
    (-0.080, -0.093, -0.029),
    (0.011, 0.081, 0.148),
    (-0.122, 0.014, -0.005),
    (0.002, 0.028, 0.108),
    (-0.023, -0.013, -0.067),
    (-0.046, -0.105, -0.042),
    (-0.009, 0.079, -0.022),
    (0.037, 0.023, 0.017),
    (0.075, 0.057, 0.018),
    (-0.086, -0.004, -0.063),
    (-0.090, 0.001, 0.003),
    (-0.050, 0.022, 0.018),
    (-0.060, -0.027, -0.028),
    (0.031, 0.027, 0.073),
    (-0.010, -0.038, -0.072),
    (0.027, -0.020, -0.072),
)
"""fitted with `scripts/fit_preview_colours.py` over the photographs that the model was trained on"""

_OWN_DEFAULTS = (
    "description",
    "frames",
    "landscape",
    "loop",
    "max_guidance",
    "max_steps",
    "motion_bucket",
    "portrait",
    "quality",
    "square",
    "steps",
)

DEMO_MODEL_FOLDER = Path(__file__).parent / "model" / "demo_model" / "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A model checkpoint: `source` is a Hugging Face repository or a local folder, safetensors only."""

    name: str
    source: str
    revision: str | None = None
    """commit of the Hugging Face repository; None for a folder"""
    frames: int
    landscape: Size = (1024, 576)
    portrait: Size = (576, 1024)
    square: Size = (768, 768)
    turbo: bool = False
    """a distilled UNet: few calls, no guidance"""
    turbo_unet: str | None = None
    """the distilled UNet's own repository or folder; the other parts come from `source`"""
    licence: str = ""
    licence_url: str = ""
    description: str = ""
    is_demo: bool = False
    quality: Quality | None = None
    """the schedule when the person chooses none; None: the operator's choice"""
    max_guidance: float | None = None
    """likewise the guidance; 1.0 asks the UNet once per step instead of twice"""
    loop: Loop | None = None
    """likewise the loop of an /animate"""
    motion_bucket: int | None = None
    """likewise its motion"""
    steps: int | None = None
    """denoising steps where the schedule is the variant's own; None: as many as the schedule usually has"""
    max_steps: int | None = None
    """the most denoising steps of a clip, for a UNet that more would mislead; None: no limit of its own"""

    colours: Colours | None = None
    """what the latents look like, for previews; None: not known, so there are none"""

    def size(self, shape: Shape) -> Size:
        """Return width and height in pixels for a shape; AUTO must be resolved from the picture first."""
        sizes = {Shape.LANDSCAPE: self.landscape, Shape.PORTRAIT: self.portrait, Shape.SQUARE: self.square}
        return sizes[shape]

    def usual_steps(self, quality: Quality) -> int:
        """Return the denoising steps of a clip of this quality for which nobody named a number."""
        own = self.steps if self.steps and quality is self.quality else DEFAULT_STEPS[quality]
        return min(own, self.most_steps)

    @property
    def most_steps(self) -> int:
        """Return the most denoising steps that a clip may have."""
        return self.max_steps or int(BOUNDS["steps"][1])

    def check_steps(self, steps: int) -> None:
        """Raise SettingsError for more denoising steps than a clip of this variant may have."""
        most = self.most_steps
        if steps > most:
            text = f"a clip of {self.name} has at most {most} denoising step{'s' if most > 1 else ''}, not {steps}"
            raise SettingsError(text, setting="steps", value=steps, low=1, high=most)

    def limited(self, settings: ClipSettings) -> ClipSettings:
        """Return settings of an earlier request with as many steps as a clip may have now."""
        return dataclasses.replace(settings, steps=min(settings.steps, self.most_steps))

    @property
    def is_local(self) -> bool:
        """Tell whether the source is a folder on this machine."""
        return os.path.isdir(self.source)  # noqa: PTH112 - a Path raises where it may not look

    @classmethod
    def from_json(cls, wire: dict[str, Any]) -> Variant:
        """Rebuild a variant from its JSON object; unknown keys (of a newer version) are ignored."""
        known = {field.name for field in dataclasses.fields(cls)}
        values = {key: value for key, value in wire.items() if key in known}
        for name in ("landscape", "portrait", "square"):
            if name in values:
                width, height = values[name]
                values[name] = (int(width), int(height))
        if values.get("colours"):
            values["colours"] = tuple((red, green, blue) for red, green, blue in values["colours"])
        for name, kind in (("quality", Quality), ("loop", Loop)):
            if values.get(name):
                values[name] = kind(values[name])
        return cls(**values)


def own_defaults(folder: Path) -> dict[str, Any]:
    """Return what `variant.json` beside a checkpoint's modules says: the sizes and settings that it was trained for.

    Empty without such a file. Raises ValueError for a file that is no JSON object.
    """
    try:
        values = json.loads((folder / "variant.json").read_text("utf-8-sig"))
    except OSError:
        return {}
    except RecursionError as error:
        raise ValueError("variant.json is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("variant.json is no JSON object")
    return {key: value for key, value in values.items() if key in _OWN_DEFAULTS}


def variant_of_folder(folder: Path) -> Variant:
    """Describe a checkpoint folder by its own configuration. Raises SettingsError when it holds no checkpoint."""
    try:
        unet = json.loads((folder / "unet" / "config.json").read_text("utf-8-sig"))
    except PermissionError:
        text = f"{folder} may not be read by this user; allow it: chown or chmod the folder"
        raise SettingsError(text, setting="model", value=str(folder)) from None
    except (OSError, ValueError):
        what = "is a file, not a folder with a" if folder.is_file() else "holds no"
        text = f"{folder} {what} Stable Video Diffusion checkpoint in diffusers' layout (unet, vae, image_encoder, ...)"
        raise SettingsError(text, setting="model", value=str(folder)) from None
    facts = {"name": folder.name, "source": str(folder.absolute()), "frames": int(unet.get("num_frames", 25))}
    try:
        return Variant.from_json(facts | own_defaults(folder))
    except (TypeError, ValueError) as error:
        text = f"{folder / 'variant.json'} cannot be used: {error}"
        raise SettingsError(text, setting="model", value=str(folder)) from None


_STABILITY_LICENCE = "Stability AI Community License"
_STABILITY_URL = "https://stability.ai/community-license-agreement"

BUILT_IN: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(
            name="svd-xt",
            source="stabilityai/stable-video-diffusion-img2vid-xt",
            revision="9e43909513c6714f1bc78bcb44d96e733cd242aa",
            frames=25,
            description="Stable Video Diffusion XT: 25 frames",
            licence=_STABILITY_LICENCE,
            licence_url=_STABILITY_URL,
            colours=_SD_COLOURS,
        ),
        Variant(
            name="svd",
            source="stabilityai/stable-video-diffusion-img2vid",
            revision="9cf024d5bfa8f56622af86c884f26a52f6676f2e",
            frames=14,
            description="Stable Video Diffusion: 14 frames, about half the time",
            licence=_STABILITY_LICENCE,
            licence_url=_STABILITY_URL,
            colours=_SD_COLOURS,
        ),
        dataclasses.replace(
            variant_of_folder(DEMO_MODEL_FOLDER), name="demo", licence="MIT", is_demo=True, colours=_DEMO_COLOURS
        ),
    )
}


def is_demo(name: str) -> bool:
    """Tell whether a variant is the demo model, whose clips carry a label. An operator's own variants never are."""
    return name in BUILT_IN and BUILT_IN[name].is_demo
