"""Going on with a finished clip: a request of its own, whose clip is the longer one; each part can be undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.edge.commands.submission.answers import Form
from bot.queue.job import Job
from bot.queue.rows import notes_text
from bot.sandbox.rules.layout.components import walk
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, BEN, PICTURES
from bot.texts.asking.animate_form import form_gone_text
from bot.texts.descriptions import describe_settings
from bot.texts.replies import no_room_text
from bot.work.uplink.remaking import Remaking
from generator.clip import ClipSettings, Format, Loop
from generator.errors import DiskFull
from generator.protocol import Note
from generator.video.anew.joining import change
from generator.video.clip_file import EncodedClip
from tests.bot.edge.commands.finished.test_file_menu import again, changed, choose, downloaded, file_id
from tests.support.edge import Edge, Start, buttons, clip_of, picture, running_edge, until, words
from tests.support.fakes import Act, FakeBackend
from tests.support.inspect_clip import read_frames


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
        opened = await open_form(edge, second)
        assert opened.modal is not None, "from earlier it may go on"
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


async def open_form(edge: Edge, message: Json, *, actor: str = ADA) -> Interaction:
    """Choose to go on from an earlier moment; return what opened the form."""
    opened = await (await choose(edge, message, "from", actor=actor)).acknowledged()
    assert opened.modal is not None
    return opened


async def send(edge: Edge, opened: Interaction, frames: int, *, actor: str = ADA) -> Interaction:
    assert opened.modal is not None
    sent = await edge.world.submit_modal(actor, opened.id, opened.modal["custom_id"], {"from": str(frames)})
    return await sent.acknowledged()


async def test_a_clip_goes_on_from_an_earlier_moment_and_keeps_what_comes_before(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        boat = Upload("boat.png", "image/png", picture(), description="a small boat")
        await edge.animate(file=boat, loop=Loop.NONE, frames=5)
        first = await edge.clip()
        before = read_frames(downloaded(edge, first, tmp_path))[0]
        opened = await open_form(edge, first)
        [field] = [item for item in walk(opened.modal["components"] if opened.modal else []) if "options" in item]
        assert [option["value"] for option in field["options"]] == ["4", "2"]
        assert field["options"][1]["label"] == "From frame 2 of 5 (40 %)"
        await send(edge, opened, 2)
        second = await edge.clip(count=2)
        assert file_id(again(edge, first)) == file_id(first), "the clip above stays as it is"
        frames = read_frames(downloaded(edge, second, tmp_path))[0]
        assert len(frames) == 2 + 5 - 1
        assert max(change(*pair) for pair in zip(before[:2], frames[:2], strict=True)) < 3, "what comes before"
        job = await edge.job(2)
        assert (job.settings.seams, job.settings.frames) == ((2,), 5)
        assert "goes on after frame 2" in describe_settings(job.settings)
        assert "goes on after frame 2" in str((clip_of(second) or {})["description"])
        await edge.world.press(ADA, PICTURES, second["id"], buttons(second["components"])["Undo the last part"])
        assert length(edge, await changed(edge, second, ".mp4"), tmp_path) == 2


async def test_a_longer_clip_goes_on_from_within_an_earlier_part(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        second = await extended(edge, await edge.clip(), 2)
        await send(edge, await open_form(edge, second), 4)
        third = await edge.clip(count=3)
        assert length(edge, third, tmp_path) == 8
        assert (await edge.job(3)).settings.seams == (4,)
        await send(edge, await open_form(edge, third), 6)
        fourth = await edge.clip(count=4)
        assert length(edge, fourth, tmp_path) == 10
        assert (await edge.job(4)).settings.seams == (4, 6)


async def seams_of(edge: Edge, actor: str) -> tuple[int, ...]:
    """Wait until somebody has asked for a longer clip, and return its seams."""

    async def found() -> tuple[int, ...]:
        return next((job.settings.seams for job in await edge.store.jobs.of_user(int(actor)) if job.settings.seams), ())

    return tuple(await until(found, "a request for a longer clip"))


async def test_two_people_choose_at_once_each_their_own_moment(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        clip = await edge.clip()
        opened = {actor: await open_form(edge, clip, actor=actor) for actor in (ADA, BEN)}
        await send(edge, opened[ADA], 4)
        await send(edge, opened[BEN], 2, actor=BEN)
        assert (await seams_of(edge, ADA), await seams_of(edge, BEN)) == ((4,), (2,))


@dataclass(frozen=True)
class Interrupted:
    """What makes files anew, and something that happens meanwhile."""

    remaking: Remaking
    happens: Callable[[Job], Awaitable[object]]
    first: bool
    """before the frames are copied, instead of afterwards"""

    async def continue_from(self, job: Job, frames: int, key: str) -> tuple[str, int]:
        if self.first:
            await self.happens(job)
        made = await self.remaking.continue_from(job, frames, key)
        await self.happens(job)
        return made


@pytest.mark.parametrize(
    ("what", "first"), [("deleted", True), ("deleted", False), ("its person forgotten", False), ("nothing", False)]
)
async def test_a_clip_that_is_deleted_while_it_is_to_go_on_does_not_go_on(
    start: Start, what: str, *, first: bool
) -> None:
    async with start() as edge:
        await edge.animate(actor=BEN, loop=Loop.NONE, frames=5)
        clip = await edge.clip()
        await edge.delivered()

        async def happens(job: Job) -> None:
            if what == "deleted":
                await edge.services.requests.delete_clip(job)
            elif what != "nothing":
                await edge.store.retention.forget_user(job.user_id)
                edge.spool.delete(["1-1.mp4", job.picture])

        interrupted: Any = Interrupted(edge.services.remaking, happens, first)
        edge.client.services = replace(edge.services, remaking=interrupted)
        asked = await choose(edge, clip, "extend")
        if what == "nothing":  # the negative control
            assert await seams_of(edge, ADA) == (5,)
            return
        assert "no longer" in await edge.answer(asked)
        assert await edge.store.jobs.of_user(int(ADA)) == []
        assert not list(edge.spool.folder.iterdir())


@dataclass(frozen=True)
class FullDisk:
    """What makes files anew, on a disk without room."""

    remaking: Remaking

    async def continue_from(self, job: Job, frames: int, key: str) -> tuple[str, int]:
        await self.remaking.continue_from(job, frames, key)
        raise DiskFull("no room for the picture")

    async def make(self, job: Job, settings: ClipSettings, max_bytes: int, person: int) -> EncodedClip:
        raise DiskFull("no room for the file")


@pytest.mark.parametrize("change", ["extend", "gif"])
async def test_a_full_disk_is_said_and_nothing_is_left_on_it(start: Start, change: str) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        clip = await edge.clip()
        before = set(edge.spool.folder.iterdir())
        full: Any = FullDisk(edge.services.remaking)
        edge.client.services = replace(edge.services, remaking=full)
        assert await edge.answer(await choose(edge, clip, change)) == no_room_text()
        assert set(edge.spool.folder.iterdir()) == before
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


async def test_the_card_names_the_clip_that_goes_on(start: Start) -> None:
    async with start(backend=FakeBackend([Act(), Act(hangs=True)])) as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        clip = await edge.clip()
        await edge.delivered()
        await choose(edge, clip, "extend")
        await until(lambda: [item for item in edge.seen() if f"/{clip['id']}" in words(item)], "a card that names it")
        assert (await edge.job(2)).of_job == 1


async def test_a_form_from_before_a_restart_is_answered(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.animate(loop=Loop.NONE, frames=5)
        opened = await open_form(edge, await edge.clip())
    async with running_edge(tmp_path, sandbox) as edge:
        Form.known.clear()  # the other process's
        sent = await send(edge, opened, 4)
        assert await edge.answer(sent) == form_gone_text(remembers=False)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


async def test_a_very_short_clip_offers_no_choice(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=3)
        clip = await edge.clip()
        [menu] = [item for item in walk(clip["components"]) if item["type"] == 3]
        offered = {option["value"] for option in menu["options"]}
        assert "extend" in offered and "from" not in offered


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
