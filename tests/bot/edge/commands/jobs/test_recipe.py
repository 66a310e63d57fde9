"""/recipe and the Recipe button."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from bot.sandbox.faults import Refuse
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import BEN, DIRECT_ADA, MIA, OLGA, PICTURES
from bot.texts.replies import no_recipe_text, not_fetched_text
from bot.texts.safety.labels import describe_credentials
from generator.clip import ClipSettings, Format
from generator.errors import PictureError, PictureReason
from generator.variants import BUILT_IN
from generator.video.credentials.manifest import Credentials, CredentialState, is_installed
from generator.video.recipe import make_recipe, write_recipe
from tests.support.edge import Edge, Start, buttons, until
from tests.support.fakes import tiny_clip


async def test_the_recipe_button_and_command_give_every_setting(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(seed=77)
        clip = await edge.clip()
        pressed = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Recipe"])
        assert "77" in await edge.answer(pressed, actor=BEN)
        path = tmp_path / "made.mp4"
        path.write_bytes(tiny_clip())
        write_recipe(path, Format.MP4, make_recipe(ClipSettings(seed=4711), BUILT_IN["demo"], fast_math=True))
        file = Upload("made.mp4", "video/mp4", path.read_bytes())
        read = await edge.invoke("recipe", files={"clip": file})
        shown = await edge.answer(read)
        assert "4711" in shown
        assert "approximate" in shown
        foreign = await edge.invoke("recipe", files={"clip": Upload("a.mp4", "video/mp4", tiny_clip())})
        assert "no recipe" in await edge.answer(foreign)
        assert "Which clip?" in await edge.answer(await edge.invoke("recipe"))
        own = await edge.answer(await edge.invoke("recipe", {"job": 1}))
        assert "77" in own
        assert "approximate" not in own
        assert "no job 99" in await edge.answer(await edge.invoke("recipe", {"job": 99}))


async def test_a_number_gives_only_the_recipe_of_one_s_own_job(start: Start) -> None:
    async with start(config={"owners": [int(OLGA)]}) as edge:
        await edge.animate(seed=77)
        clip = await edge.clip()
        for stranger in (BEN, MIA, OLGA):  # a member, a moderator, the owner
            asked = await edge.invoke("recipe", {"job": 1}, actor=stranger)
            told = await edge.answer(asked, actor=stranger)
            assert ("77" in told, "no job 1" in told) == (False, True)
        elsewhere = await edge.invoke("recipe", {"job": 1}, channel=DIRECT_ADA)
        assert "77" in await edge.answer(elsewhere, channel=DIRECT_ADA), "one's own, wherever one asks"
        pressed = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Recipe"])
        assert "77" in await edge.answer(pressed, actor=BEN), "who sees the clip may press its button"


async def answer_to(edge: Edge, folder: Path, settings: dict[str, Any]) -> str:
    """Ask for the recipe of a clip that somebody made by hand."""
    path = folder / "made.mp4"
    path.write_bytes(tiny_clip())
    write_recipe(path, Format.MP4, {"settings": settings})
    file = Upload("made.mp4", "video/mp4", path.read_bytes())
    return await edge.answer(await edge.invoke("recipe", files={"clip": file}))


@pytest.mark.parametrize(
    "variant",
    [
        "x```\n@everyone <@1> [free](https://evil.example)",
        "``` `` `",
        "a\u2028b\u202e",
        "x" * 5000,
        "@everyone",
        "<@&7>",
    ],
)
async def test_a_hostile_recipe_stays_in_its_code_block_and_speaks_to_nobody(
    edge: Edge, tmp_path: Path, variant: str
) -> None:
    text = await answer_to(edge, tmp_path, {"variant": variant, "seed": 4711})
    if "no recipe" not in text:
        unsigned = CredentialState.NONE if is_installed() else CredentialState.UNCHECKED
        before, block, after = text.removesuffix(describe_credentials(Credentials(state=unsigned))).split("```")
        assert (before, after.strip()) == (
            "Recipe of this clip\n",
            "The same seed gives the same clip on the same setup.",
        )
        assert "4711" in block and all(line.isprintable() for line in block.splitlines())
    assert len(text) <= 2000 and "evil" not in text
    assert edge.world.messages.notified == []
    assert "svd-xt" in await answer_to(edge, tmp_path, {"seed": 1}), "one that is not hostile is shown"


async def test_a_strangers_clip_is_read_in_the_picture_child(edge: Edge, tmp_path: Path) -> None:
    def picture_children() -> list[str]:
        commands = (" ".join(child.cmdline()) for child in psutil.Process().children())
        return [command for command in commands if "generator.picture.intake" in command]

    assert picture_children() == []
    assert "4711" in await answer_to(edge, tmp_path, {"seed": 4711})
    assert len(picture_children()) == 1


async def test_a_clip_that_is_larger_than_any_of_ours_is_not_fetched(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "4711" in await answer_to(edge, tmp_path, {"seed": 4711})
    fetched = len(edge.sandbox.record.exchanges)
    size = (tmp_path / "made.mp4").stat().st_size
    monkeypatch.setattr(sys.modules["bot.edge.commands.jobs.recipe"], "LARGEST_POST", size)
    assert "4711" in await answer_to(edge, tmp_path, {"seed": 4711}), "as large as may be"
    monkeypatch.setattr(sys.modules["bot.edge.commands.jobs.recipe"], "LARGEST_POST", size - 1)
    edge.sandbox.faults.add(Refuse(404), "GET", "/ephemeral-attachments/**", times=None)
    edge.sandbox.faults.add(Refuse(404), "GET", "/attachments/**", times=None)
    assert await answer_to(edge, tmp_path, {"seed": 4711}) == no_recipe_text()
    assert len(edge.sandbox.record.exchanges) > fetched
    monkeypatch.undo()
    assert await answer_to(edge, tmp_path, {"seed": 4711}) == not_fetched_text()
    assert list(edge.spool.folder.iterdir()) == [], "nothing of all that stays"


async def test_a_recipe_that_ends_the_picture_child_is_none(edge: Edge, tmp_path: Path) -> None:
    async def dies(path: Path) -> None:
        assert path.parent == edge.spool.folder
        raise PictureError(PictureReason.CORRUPT, "")

    edge.services.pictures.read_recipe = dies  # type: ignore[method-assign,assignment]
    assert await answer_to(edge, tmp_path, {"seed": 4711}) == no_recipe_text()
    assert list(edge.spool.folder.iterdir()) == []


async def test_a_recipe_that_discord_no_longer_waits_for_is_not_read(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    edge.world.timing.acknowledge = 0.0
    late = await edge.invoke("recipe", {"job": 1})
    await until(lambda: f"interaction={late.id} was acknowledged too late" in caplog.text, "its end")
    edge.world.timing.acknowledge = 3.0
    await edge.answer(await edge.invoke("help"))
    assert f"interaction={late.id} recipe failed" not in caplog.text
