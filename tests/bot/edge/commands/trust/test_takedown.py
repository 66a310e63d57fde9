"""A take-down: what is deleted, and whose picture comes back where."""

from __future__ import annotations

import io
from pathlib import Path

import skimage.data
from PIL import Image

from bot.edge.commands.trust.takedown import TakeDown, take_down
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, MIA, OLGA, PICTURES, TABLEAUX
from bot.texts.refusals import picture_blocked_text
from bot.texts.safety.trust import taken_down_text
from tests.support.edge import Edge, Start, buttons, hanging, running_edge, until, words


def photo(name: str = "astronaut", *, side: int = 400, quality: int = 90) -> Upload:
    """Return a photograph as a person attaches it."""
    picture, kept = Image.fromarray(getattr(skimage.data, name)()), io.BytesIO()
    picture.resize((side, side)).save(kept, "JPEG", quality=quality)
    return Upload("photo.jpg", "image/jpeg", kept.getvalue())


async def refused(edge: Edge, file: Upload, *, actor: str = BEN, channel: str = PICTURES) -> bool:
    """Ask for a clip, and tell whether its picture is blocked."""
    before = len(edge.clips(actor=actor, channel=channel))
    asked = await edge.animate(actor=actor, channel=channel, file=file)

    def known() -> str | None:
        if len(edge.clips(actor=actor, channel=channel)) > before:
            return "made"
        mine = [item for item in edge.seen(actor=actor, channel=channel) if of_interaction(item) == asked.id]
        return "blocked" if picture_blocked_text() in words(mine) else None

    return bool(await until(known, "an answer") == "blocked")


def of_interaction(message: Json) -> str | None:
    return (message.get("interaction_metadata") or {}).get("id")


async def test_the_clip_its_variations_their_files_and_the_way_back_are_gone(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.animate(file=photo())
        clip = await edge.clip()
        again = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        await again.acknowledged()
        await edge.clip(count=2)
        await edge.delivered(2)
        taken = await edge.invoke("admin take-down", {"job": 1}, actor=OLGA)
        assert await edge.answer(taken, actor=OLGA) == taken_down_text(2, 0, is_blocked=True)
        assert edge.clips() == []
        assert list(edge.spool.folder.iterdir()) == []
    async with running_edge(tmp_path, sandbox) as edge:
        assert await refused(edge, photo(side=300, quality=40)), "a smaller copy of poor quality, after a restart"
        assert await refused(edge, photo(), actor=ADA, channel=DIRECT_ADA), "everywhere"
        assert not await refused(edge, photo("coffee")), "the negative control: another picture"


async def test_a_moderator_blocks_a_picture_in_their_server_alone(start: Start) -> None:
    async with start() as edge:
        await edge.animate(file=photo())
        await edge.clip()
        await edge.delivered()
        wanted = TakeDown(job_id=1, by=int(MIA), guild_id=int(TABLEAUX))
        assert await take_down(edge.client, wanted) == taken_down_text(1, 0, is_blocked=True)
        assert await refused(edge, photo())
        assert not await refused(edge, photo(), actor=ADA, channel=DIRECT_ADA)
        [entry] = await edge.store.servers.audit(int(TABLEAUX), 1)
        assert (entry.action, entry.user_id) == ("take-down", int(MIA))


async def test_what_waits_or_is_made_of_that_picture_is_stopped(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.animate(file=photo())
        await until(lambda: edge.backend.requests, "the job runs")
        await edge.answer(await edge.invoke("admin take-down", {"job": 1}, actor=OLGA), actor=OLGA)

        async def over() -> bool:
            return (await edge.job()).state == "cancelled"

        await until(over, "its end")
        assert edge.clips() == []
        await until(lambda: list(edge.spool.folder.iterdir()) == [], "its files are gone")


async def test_a_plain_picture_is_taken_down_and_said_not_to_be_blocked(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        await edge.clip()
        await edge.delivered()
        taken = await edge.invoke("admin take-down", {"job": 1}, actor=OLGA)
        assert await edge.answer(taken, actor=OLGA) == taken_down_text(1, 0, is_blocked=False)
        missing = await edge.invoke("admin take-down", {"job": 7}, actor=OLGA)
        assert "no job 7" in await edge.answer(missing, actor=OLGA)
