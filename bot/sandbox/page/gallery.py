"""Clips that people made with the big models, shown beside the demo's: each with its maker and the command for it.

They lie in gallery_clips/ with a list, clips.json: `[{"file": "name.mp4", "by": "...", "licence": "..."}]`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from bot.sandbox.rules.payloads import Json
from generator.clip import ClipSettings
from generator.variants import BUILT_IN
from generator.video.recipe import read_settings

FOLDER = Path(__file__).with_name("gallery_clips")
_OPTIONS = (
    "motion_bucket",
    "noise_augmentation",
    "conditioning_fps",
    "playback_fps",
    "quality",
    "steps",
    "decode_chunk",
    "frames",
    "shape",
    "framing",
    "loop",
)
"""settings that have an option of the same name on the command line; the seed and the variant are always named"""


class GalleryError(Exception):
    """A clip may not be shown; the text says why."""


def made_with_svd(folder: Path = FOLDER) -> list[Json]:
    """Return the listed clips with their makers and commands. Raises GalleryError for one that is not SVD-XT's."""
    return [_entry(folder, item) for item in json.loads((folder / "clips.json").read_text())]


def clip_file(name: str, folder: Path = FOLDER) -> Path | None:
    """Return the file of a listed clip, or None."""
    listed = {item["file"] for item in json.loads((folder / "clips.json").read_text())}
    return folder / name if name in listed else None


def _entry(folder: Path, item: Json) -> Json:
    settings = read_settings(folder / item["file"])
    if settings is None:
        raise GalleryError(f"{item['file']} carries no recipe, so nobody can make it again.")
    variant = BUILT_IN.get(settings.variant)
    if variant is None or variant.is_demo:
        raise GalleryError(f"{item['file']} was made with {settings.variant}: only clips of SVD stand here.")
    facts = {"by": item["by"], "licence": item["licence"], "command": command(settings), "model": settings.variant}
    return {"name": item["file"], "url": f"/gallery/{item['file']}", **facts}


def command(settings: ClipSettings) -> str:
    """Return the command line that makes such a clip of another picture."""
    usual = ClipSettings()
    words = [".venv/bin/python", "-m", "generator", "picture.jpg", "-o", f"clip.{settings.format}"]
    words += ["--variant", settings.variant, "--seed", str(settings.seed)]
    for name in _OPTIONS:
        value: Any = getattr(settings, name)
        if value is not None and value != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, *(["--smooth"] if settings.smooth else [])])
