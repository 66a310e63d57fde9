"""The place for clips of SVD-XT: each with its maker and its command; never one of the demo model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox.page.gallery import FOLDER, GalleryError, clip_file, command, made_with_svd
from bot.sandbox.server import Sandbox
from generator.clip import ClipSettings, Format, Loop
from generator.variants import BUILT_IN
from generator.video.recipe import make_recipe, write_recipe
from tests.support.page_bot import clip


def put(folder: Path, variant: str | None, **settings: Any) -> Path:
    """Put a clip into a gallery, with a recipe as if a variant had made it."""
    file = folder / "clip.mp4"
    file.write_bytes(clip().read())
    if variant:
        made = ClipSettings(variant=variant, **settings)
        write_recipe(file, Format.MP4, make_recipe(made, BUILT_IN[variant]))
    (folder / "clips.json").write_text(json.dumps([{"file": "clip.mp4", "by": "Somebody", "licence": "CC0"}]))
    return folder


def test_a_clip_stands_there_with_its_maker_and_its_command(tmp_path: Path) -> None:
    [shown] = made_with_svd(put(tmp_path, "svd-xt", seed=7, motion_bucket=90, loop=Loop.BOOMERANG, smooth=True))
    assert (shown["by"], shown["licence"], shown["url"]) == ("Somebody", "CC0", "/gallery/clip.mp4")
    assert shown["command"] == (
        ".venv/bin/python -m generator picture.jpg -o clip.mp4 --variant svd-xt --seed 7"
        " --motion-bucket 90 --loop boomerang --smooth"
    )
    assert clip_file("clip.mp4", tmp_path) == tmp_path / "clip.mp4"
    assert clip_file("clips.json", tmp_path) is None


def test_the_demo_model_never_stands_there(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="made with demo"):
        made_with_svd(put(tmp_path, "demo"))
    with pytest.raises(GalleryError, match="no recipe"):
        made_with_svd(put(tmp_path, None))


def test_a_command_names_only_what_is_not_usual() -> None:
    assert command(ClipSettings(seed=1)).endswith("--variant svd-xt --seed 1")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_ships_may_be_shown_and_is_served(sandbox: Sandbox) -> None:
    shown = made_with_svd()
    assert {item["name"] for item in shown} == {path.name for path in FOLDER.iterdir()} - {"clips.json"}
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{sandbox.page_url}/api/session") as answer:
            assert (await answer.json())["gallery"] == shown
        async with session.get(f"{sandbox.page_url}/gallery/clips.json") as answer:
            assert answer.status == 404
