"""Going on with a finished clip: a request of its own, whose clip is the longer one; each part can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.queue.rows import notes_text
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.standard import ADA, PICTURES
from generator.clip import Format, Loop
from generator.protocol import Note
from generator.video.ffmpeg import read_frames
from tests.bot.edge.commands.finished.test_file_menu import changed, choose, downloaded
from tests.support.edge import Edge, Start, buttons, until, words


async def extended(edge: Edge, message: Json, count: int) -> Json:
    """Go on with a clip and wait for the longer one."""
    await choose(edge, message, "extend")
    return await edge.clip(count=count)


def length(edge: Edge, message: Json, folder: Path) -> int:
    return len(read_frames(downloaded(edge, message, folder))[0])


async def test_a_clip_goes_on_from_its_last_frame_and_each_part_can_be_undone(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, seed=5, frames=5, motion="80")
        first = await edge.clip()
        second = await extended(edge, first, 2)
        assert length(edge, second, tmp_path) == 9
        third = await extended(edge, second, 3)
        assert length(edge, third, tmp_path) == 13
        job = await edge.job(3)
        assert (job.settings.seams, job.settings.frames, job.settings.motion_bucket) == ((5, 9), 5, 80)
        asked = edge.backend.requests[-1].settings
        assert (asked.seams, asked.frames, asked.loop, asked.format) == ((), 5, Loop.NONE, Format.MP4)
        undo = buttons(third["components"])["Undo the last part"]
        await edge.world.press(ADA, PICTURES, third["id"], undo)
        shorter = await changed(edge, third, ".mp4")
        assert length(edge, shorter, tmp_path) == 9
        await choose(edge, shorter, "boomerang")
        loop = await changed(edge, shorter, ".mp4")
        assert length(edge, loop, tmp_path) == 16, "loops work on the whole"
        await choose(edge, loop, "shorten")
        alone = await changed(edge, loop, ".mp4")
        assert length(edge, alone, tmp_path) == 8
        assert "Undo the last part" not in buttons(alone["components"])


async def test_it_goes_on_from_where_it_was_shortened_to(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        second = await extended(edge, await edge.clip(), 2)
        await choose(edge, second, "shorten")
        shorter = await changed(edge, second, ".mp4")
        other = await extended(edge, shorter, 3)
        assert length(edge, other, tmp_path) == 9
        assert (await edge.job(3)).settings.seams == (5,)


async def test_what_got_worse_goes_on_no_further_unless_it_is_shortened(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        second = await extended(edge, await edge.clip(), 2)
        await edge.delivered(2)
        await edge.store.database.write(
            lambda db: db.execute("update job set notes = ? where id = 2", (notes_text([Note("drift", {})]),))
        )
        assert (await edge.job(2)).notes == (Note("drift", {}),)
        asked = await choose(edge, second, "extend")
        assert "Nothing was queued" in await edge.answer(asked)
        await choose(edge, second, "shorten")
        assert await extended(edge, await changed(edge, second, ".mp4"), 3), "the negative control"


async def test_its_files_go_with_it(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        await extended(edge, await edge.clip(), 2)
        await edge.delivered(2)
        edge.spool.sweep(await edge.store.retention.known_files(), 0)
        left = {path.name for path in edge.spool.folder.iterdir()}
        picture = (await edge.job(2)).picture.removesuffix(".png")
        assert {"2-1.mp4", "2-1-frames.mp4", f"{picture}.png", f"{picture}-before.mp4"} <= left
        await edge.services.requests.forget_user(int(ADA))
        await until(lambda: not list(edge.spool.folder.iterdir()), "nothing is left")


@pytest.mark.parametrize("gone", ["frames", "clip"])
async def test_a_clip_whose_frames_are_gone_does_not_go_on(start: Start, gone: str) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.CROSSFADE if gone == "frames" else Loop.NONE)
        clip = await edge.clip()
        if gone == "clip":
            edge.spool.delete(["1-1.mp4"])
        asked = await choose(edge, clip, "extend")
        assert "no longer have the frames" in await edge.answer(asked)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1
        assert not list(edge.spool.folder.glob("*before*"))
        assert "here is your clip" in words(edge.clips(channel=PICTURES)[0])
