"""The menu below a clip: other formats, loops and speeds, in place or privately, each at most once."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bot.edge.commands.trust.takedown import TakeDown, take_down
from bot.edge.posting import Posting
from bot.sandbox.faults import LoseReply
from bot.sandbox.rules.layout.components import walk
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, OLGA, PICTURES, TABLEAUX
from bot.work.uplink.remaking import MakingAlready
from generator.clip import Format, Loop
from generator.errors import EncodingFailed
from generator.video.recipe import read_settings
from tests.support.edge import Edge, Start, buttons, clip_of, until, words
from tests.support.inspect_clip import Inspected, inspect_clip


def menu(message: Json) -> str:
    """Return the custom id of a clip's menu."""
    [found] = [item["custom_id"] for item in walk(message["components"]) if item["type"] == 3]
    return str(found)


def file_id(message: Json) -> str:
    """Return the id of a message's clip: its address is signed anew each time."""
    return str((clip_of(message) or {})["id"])


async def choose(edge: Edge, message: Json, change: str, *, actor: str = ADA, channel: str = PICTURES) -> Interaction:
    return await edge.world.press(actor, channel, message["id"], menu(message), [change])


def again(edge: Edge, message: Json, *, actor: str = ADA, channel: str = PICTURES) -> Json:
    """Return the message as it is now."""
    [found] = [item for item in edge.seen(actor=actor, channel=channel) if item["id"] == message["id"]]
    return found


async def changed(edge: Edge, message: Json, name: str, **where: Any) -> Json:
    """Wait until the message has another clip whose name ends so."""
    before = file_id(message)

    def found() -> Json | None:
        now = again(edge, message, **where)
        file = clip_of(now)
        return now if file and file["id"] != before and file["filename"].endswith(name) else None

    seen: Json = await until(found, f"a clip {name}")
    return seen


def downloaded(edge: Edge, message: Json, folder: Path) -> Path:
    """Return the file of a message's clip."""
    file = clip_of(message)
    assert file is not None
    path = folder / str(file["filename"]).removeprefix("SPOILER_")
    upload = edge.world.attachments.read(file["id"])
    assert upload is not None
    path.write_bytes(upload.data)
    return path


def inspected(edge: Edge, message: Json, folder: Path) -> Inspected:
    return inspect_clip(downloaded(edge, message, folder))


async def test_ones_own_clip_changes_in_its_place_and_changes_add_up(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, seed=5)
        clip = await edge.clip()
        await edge.delivered()
        await until(lambda: len(edge.seen()) == 1, "no card beside the clip")
        await choose(edge, clip, "gif")
        gif = await changed(edge, clip, ".gif")
        assert inspected(edge, gif, tmp_path).frames == 5
        assert words(gif).startswith(f"<@{ADA}> here is your clip.") and "GIF" in words(gif)
        await choose(edge, gif, "boomerang")
        both = await changed(edge, gif, ".gif")
        path = downloaded(edge, both, tmp_path)
        assert inspect_clip(path).frames == 8
        settings = read_settings(path)
        assert settings is not None and (settings.format, settings.loop) == (Format.GIF, Loop.BOOMERANG)
        assert "Boomerang" in words(both)
        assert "Undo changes" not in buttons(clip["components"]), "there is nothing to undo yet"
        await edge.world.press(ADA, PICTURES, both["id"], buttons(both["components"])["Undo changes"])
        first = await changed(edge, both, ".mp4")
        assert inspected(edge, first, tmp_path).frames == 5
        assert len(edge.seen()) == 1, "no message more"
        assert set(buttons(first["components"])) == set(buttons(clip["components"]))
        assert len(edge.backend.requests) == 1, "the GPU had nothing to do"


async def test_somebody_else_gets_the_changed_file_privately_and_goes_on_there(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE)
        clip = await edge.clip()
        asked = await choose(edge, clip, "webp", actor=BEN)
        told = await edge.answer(asked, actor=BEN)
        assert "WEBP" in told and "<@" not in told
        [own] = [item for item in edge.seen(actor=BEN) if clip_of(item) and item["flags"] & 64]
        assert inspected(edge, own, tmp_path).codec
        assert file_id(again(edge, clip)) == file_id(clip), "the clip itself is as it was"
        assert not [item for item in edge.seen() if item["flags"] & 64], "nobody else sees it"
        await choose(edge, own, "faster", actor=BEN)
        faster = await changed(edge, own, ".webp", actor=BEN)
        assert "<@" not in words(faster) and "14" in words(faster)
        await edge.world.press(BEN, PICTURES, faster["id"], buttons(faster["components"])["Undo changes"])
        first = await changed(edge, faster, ".mp4", actor=BEN)
        assert "Undo changes" not in buttons(first["components"]), "there is nothing to undo any more"


async def test_a_changed_file_says_what_it_shows_in_the_language_of_those_who_see_it(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.world.set_locale(ADA, "de")
        edge.sandbox.world.set_locale(BEN, "de")
        await edge.store.servers.change(int(TABLEAUX), int(ADA), {"language": "fr"})
        await edge.animate(description="Un chat")
        clip = await edge.clip()
        await choose(edge, clip, "gif")
        shown = clip_of(await changed(edge, clip, ".gif")) or {}
        assert shown["description"] == "Un chat (un court clip généré par IA)", "all in the channel see it"
        asked = await choose(edge, again(edge, clip), "webp", actor=BEN)
        await edge.answer(asked, actor=BEN)
        [own] = [clip_of(item) or {} for item in edge.seen(actor=BEN) if clip_of(item) and item["flags"] & 64]
        assert own["description"] == "Un chat (ein kurzer KI-generierter Clip)", "Ben alone sees it"


async def test_a_clip_in_an_answer_changes_too(start: Start) -> None:
    async with start() as edge:
        await edge.animate(channel=DIRECT_ADA)
        clip = await edge.clip(channel=DIRECT_ADA)
        await choose(edge, clip, "gif", channel=DIRECT_ADA)
        seen = await changed(edge, clip, ".gif", channel=DIRECT_ADA)
        assert set(buttons(seen["components"])) >= {"Again", "Delete", "Undo changes"}


async def test_a_result_that_was_fetched_has_the_menu(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE)
        await edge.delivered()
        fetched = await edge.invoke("result")
        await edge.answer(fetched)
        [own] = [item for item in edge.clips() if item["flags"] & 64]
        await choose(edge, own, "gif")
        assert await changed(edge, own, ".gif")


async def test_a_lost_reply_makes_no_second_message_and_no_second_file(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE)
        clip = await edge.clip()
        await until(lambda: len(edge.seen()) == 1, "no card beside the clip")
        edge.sandbox.faults.add(LoseReply(), "PATCH", "/webhooks/**", times=2)
        await choose(edge, clip, "gif")
        seen = await changed(edge, clip, ".gif")
        assert (len(seen["attachments"]), len(edge.seen())) == (1, 1)


@pytest.mark.parametrize("gone", [True, False])
async def test_what_is_no_longer_kept_is_said(start: Start, gone: bool) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.CROSSFADE)
        clip = await edge.clip()
        await edge.delivered()
        frames = edge.spool.folder / "1-1-frames.mp4"
        if not gone:
            frames.write_bytes((edge.spool.folder / "1-1.mp4").read_bytes())
        asked = await choose(edge, clip, "boomerang")
        if gone:
            assert "24 hours" in await edge.answer(asked)
            assert file_id(again(edge, clip)) == file_id(clip)
        else:
            assert await changed(edge, clip, ".mp4")


async def test_the_frames_go_with_the_clip(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.CROSSFADE)
        clip = await edge.clip()
        await edge.delivered()
        (edge.spool.folder / "1-1-frames.mp4").write_bytes((edge.spool.folder / "1-1.mp4").read_bytes())
        await choose(edge, clip, "gif")
        seen = await changed(edge, clip, ".gif")
        edge.spool.sweep(await edge.store.retention.known_files(), 0)
        left = {path.name for path in edge.spool.folder.iterdir()}
        assert {"1-1.mp4", "1-1-frames.mp4"} <= left, "a sweep leaves what the clip needs"
        await edge.world.press(ADA, PICTURES, seen["id"], buttons(seen["components"])["Delete"])
        await until(lambda: not list(edge.spool.folder.iterdir()), "nothing is left")
        assert not edge.clips()


@pytest.mark.parametrize(
    ("options", "change", "says"),
    [
        ({"loop": Loop.NONE, "format": Format.GIF}, "gif", "like that already"),
        ({"loop": Loop.BOOMERANG, "frames": 50, "playback_fps": 2}, "smooth", "360"),
    ],
)
async def test_a_change_that_cannot_be_is_said_privately(
    start: Start, options: dict[str, Any], change: str, says: str
) -> None:
    async with start() as edge:
        await edge.animate(**options)
        clip = await edge.clip()
        asked = await choose(edge, clip, change)
        assert says in await edge.answer(asked)
        assert file_id(again(edge, clip)) == file_id(clip)


@pytest.mark.parametrize(
    ("server", "change", "says"),
    [({"formats": [Format.MP4]}, "gif", "only these formats: mp4"), ({"longest_clip": 1.0}, "slower", "allows 1.")],
)
async def test_a_server_that_allows_no_such_clip_allows_no_such_file(
    start: Start, server: dict[str, Any], change: str, says: str
) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE, frames=6)
        clip = await edge.clip()
        await edge.store.servers.change(int(TABLEAUX), int(ADA), server)
        assert says in await edge.answer(await choose(edge, clip, change))
        assert file_id(again(edge, clip)) == file_id(clip)
        await choose(edge, clip, "smooth")
        assert await changed(edge, clip, ".mp4"), "the negative control"


async def test_my_data_has_the_kept_frames(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.CROSSFADE)
        await edge.clip()
        frames = edge.spool.folder / "1-1-frames.mp4"
        names = ["1-1.mp4"]
        assert edge.spool.with_frames(names) == [edge.spool.path("1-1.mp4")]
        frames.write_bytes(b"frames")
        assert edge.spool.with_frames(names) == [edge.spool.path("1-1.mp4"), frames]
        asked = await edge.invoke("my-data")
        await edge.answer(asked)
        [file] = [item["attachments"][0] for item in edge.seen() if item["id"] == asked.message_id]
        archive = zipfile.ZipFile(io.BytesIO(edge.world.attachment_bytes(file["id"])))
        assert archive.read("files/1-1-frames.mp4") == b"frames"


async def test_a_take_down_leaves_no_frames_and_no_file_made_anew(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.CROSSFADE)
        clip = await edge.clip()
        await edge.delivered()
        (edge.spool.folder / "1-1-frames.mp4").write_bytes((edge.spool.folder / "1-1.mp4").read_bytes())
        await choose(edge, clip, "gif")
        await changed(edge, clip, ".gif")
        await take_down(edge.client, TakeDown(job_id=1, by=int(OLGA), guild_id=None))
        assert not edge.clips(), "the message goes, whatever file is in it now"
        assert not list(edge.spool.folder.iterdir())


@pytest.mark.parametrize(
    ("error", "says"),
    [(EncodingFailed("no", why="ffmpeg-failed"), "could not make that file"), (MakingAlready(), "still at your last")],
)
async def test_a_file_that_cannot_be_made_leaves_the_clip(
    start: Start, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE)
        clip = await edge.clip()

        async def fail(*args: Any) -> Any:
            raise error

        monkeypatch.setattr(edge.services.remaking, "make", fail)
        asked = await choose(edge, clip, "gif")
        assert says in await edge.answer(asked)
        assert file_id(again(edge, clip)) == file_id(clip)


async def test_the_menu_of_another_database_says_so(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE)
        clip = await edge.clip()
        await edge.delivered()
        await edge.services.store.retention.forget_user(int(ADA))
        asked = await choose(edge, clip, "gif")
        assert "before my records" in await edge.answer(asked)


async def test_a_changed_clip_is_still_found_in_the_channel(start: Start) -> None:
    async with start() as edge:
        await edge.animate(loop=Loop.NONE)
        clip = await edge.clip()
        delivery = await edge.delivered()
        await choose(edge, clip, "gif")
        await changed(edge, clip, ".gif")
        channel = edge.client.get_partial_messageable(int(PICTURES))
        posting = Posting(edge.client, edge.spool, edge.services.shrink)
        found = await posting.find(channel, await edge.job(), delivery)
        assert found is not None and str(found.id) == clip["id"]
