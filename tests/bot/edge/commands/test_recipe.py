"""/recipe and the Recipe button."""

from __future__ import annotations

from pathlib import Path

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import BEN, DIRECT_ADA, MIA, OLGA, PICTURES
from generator.clip import ClipSettings, Format
from generator.variants import BUILT_IN
from generator.video.recipe import make_recipe, write_recipe
from tests.support.edge import Start, buttons
from tests.support.fakes import tiny_clip


async def test_the_recipe_button_and_command_give_every_setting(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(seed=77)
        clip = await edge.clip()
        pressed = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Recipe"])
        assert "77" in await edge.answer(pressed, actor=BEN)
        path = tmp_path / "made.mp4"
        path.write_bytes(tiny_clip())
        write_recipe(path, Format.MP4, make_recipe(ClipSettings(seed=4711), BUILT_IN["demo"]))
        file = Upload("made.mp4", "video/mp4", path.read_bytes())
        read = await edge.invoke("recipe", files={"clip": file})
        assert "4711" in await edge.answer(read)
        foreign = await edge.invoke("recipe", files={"clip": Upload("a.mp4", "video/mp4", tiny_clip())})
        assert "no recipe" in await edge.answer(foreign)
        assert "Which clip?" in await edge.answer(await edge.invoke("recipe"))
        assert "77" in await edge.answer(await edge.invoke("recipe", {"job": 1}))
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
