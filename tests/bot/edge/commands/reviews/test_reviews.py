"""The picture filter in a server: what it does to pictures and clips, who is told what, and how moderators decide.

Its model here is one that says how red a picture is, so that nobody needs a picture that is unsafe to show.
"""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import discord
import pytest
from PIL import Image

from bot.policy.blocking import Block, Subject
from bot.policy.server import FilterAction
from bot.queue.servers.reviews import ReviewState
from bot.sandbox.rules.layout.components import walk
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import ADA, BEN, GENERAL, MIA, OLGA, PICTURES, TABLEAUX
from generator.picture.filter.model import INSTALL, OPEN_NSFW, missing
from generator.picture.intake import PictureChild
from tests.bot.edge.commands.submission.test_entrances import ENTRANCES, scene_in
from tests.support.edge import Edge, Start, buttons, clip_of, until, words
from tests.support.fakes import Act, FakeBackend
from tests.support.onnx_file import redness

needs_extra = pytest.mark.skipif(bool(missing(OPEN_NSFW)), reason=f"without the extra: {INSTALL}")
RED, BLUE = (255, 0, 0), (0, 0, 200)


def painted(colour: tuple[int, int, int]) -> Upload:
    data = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(data, "PNG")
    return Upload("photo.png", "image/png", data.getvalue())


def red_filter(folder: Path) -> dict[str, Any]:
    """Return the operator's settings of a filter that finds red pictures."""
    folder.mkdir(exist_ok=True)
    model = redness(folder / "red.onnx")
    plain = {"mean": (0, 0, 0), "scale": (255, 255, 255), "resize": 32, "logits": False, "unsafe": 0}
    return {"filter": {"model": str(model), "threshold": 0.9, **plain}}


@asynccontextmanager
async def with_filter(
    start: Start, folder: Path, action: FilterAction, *, log_channel: int | None = int(GENERAL), **parts: Any
) -> AsyncIterator[Edge]:
    async with start(config=red_filter(folder / "model"), **parts) as edge:
        changes = {"filter_action": action, "log_channel": log_channel}
        await edge.store.servers.change(int(TABLEAUX), int(MIA), changes)
        yield edge


async def told(edge: Edge, interaction: Any) -> str:
    """Return what the person was told privately."""
    return await edge.answer(interaction)


def card_for_moderators(edge: Edge) -> dict[str, Any] | None:
    cards = [item for item in edge.seen(actor=MIA, channel=GENERAL) if "Allow" in buttons(item["components"])]
    return cards[-1] if cards else None


async def press(edge: Edge, actor: str, channel: str, message: dict[str, Any], label: str) -> Any:
    pressed = await edge.world.press(actor, channel, message["id"], buttons(message["components"])[label])
    return await pressed.acknowledged()


async def private_message(edge: Edge, label: str) -> dict[str, Any]:
    """Wait for a private message with that button."""

    def found() -> dict[str, Any] | None:
        return next((item for item in edge.seen() if label in buttons(item["components"])), None)

    message: dict[str, Any] = await until(found, label)
    return message


@needs_extra
@pytest.mark.parametrize(
    ("action", "colour", "expected"),
    [
        (FilterAction.OFF, RED, "posted"),
        (FilterAction.REFUSE, BLUE, "posted"),
        (FilterAction.REFUSE, RED, "does not take this picture"),
        (FilterAction.SPOILER, RED, "covered"),
        (FilterAction.RESTRICTED_ONLY, RED, "age-restricted channels alone"),
        (FilterAction.MODERATORS, RED, "moderators of this server look at this picture first"),
    ],
)
async def test_each_action_does_what_it_says_and_the_guess_is_told(
    start: Start, tmp_path: Path, action: FilterAction, colour: tuple[int, int, int], expected: str
) -> None:
    async with with_filter(start, tmp_path, action) as edge:
        asked = await edge.animate(file=painted(colour))
        if expected in ("posted", "covered"):
            clip = clip_of(await edge.clip())
            assert clip is not None and clip["filename"].startswith("SPOILER_") is (expected == "covered")
            return
        text = await told(edge, asked)
        assert expected in text and "100%" in text and "90%" in text and "a guess" in text
        assert not await edge.store.jobs.of_user(int(ADA))


@needs_extra
async def test_in_an_age_restricted_channel_the_picture_passes(start: Start, tmp_path: Path) -> None:
    async with with_filter(start, tmp_path, FilterAction.RESTRICTED_ONLY) as edge:
        edge.world.channels.get(PICTURES)["nsfw"] = True
        channel = edge.client.get_channel(int(PICTURES))
        assert isinstance(channel, discord.TextChannel)
        channel.nsfw = True
        await edge.animate(file=painted(RED))
        assert await edge.clip()


@needs_extra
async def test_an_appeal_goes_to_the_moderators_who_allow_it(start: Start, tmp_path: Path) -> None:
    async with with_filter(start, tmp_path, FilterAction.REFUSE) as edge:
        await edge.animate(file=painted(RED))
        refusal = await private_message(edge, "Ask the moderators")
        assert card_for_moderators(edge) is None
        await press(edge, ADA, PICTURES, refusal, "Ask the moderators")
        card = await until(lambda: card_for_moderators(edge), "the moderators' card")
        assert card["attachments"][0]["filename"].startswith("SPOILER_") and f"<@{ADA}>" in words(card)
        await press(edge, BEN, GENERAL, card, "Allow")
        assert not await edge.store.jobs.of_user(int(ADA))  # Ben is no moderator
        await press(edge, MIA, GENERAL, card, "Allow")
        message = await edge.clip()
        assert f"<@{ADA}>" in words(message)
        shown = await until(lambda: decided(edge, card["id"]), "the decision on the card")
        assert f"Allowed by <@{MIA}>" in words(shown) and not shown["attachments"]
        again = await press(edge, MIA, GENERAL, card, "Refuse") if buttons(shown["components"]) else None
        assert again is None and len(await edge.store.jobs.of_user(int(ADA))) == 1


def decided(edge: Edge, message_id: str) -> dict[str, Any] | None:
    [card] = [item for item in edge.seen(actor=MIA, channel=GENERAL) if item["id"] == message_id]
    return None if buttons(card["components"]) else card


@needs_extra
async def test_moderators_refuse_and_the_picture_is_deleted(start: Start, tmp_path: Path) -> None:
    async with with_filter(start, tmp_path, FilterAction.MODERATORS) as edge:
        asked = await edge.animate(file=painted(RED))
        card = await until(lambda: card_for_moderators(edge), "the moderators' card")
        assert list(edge.spool.folder.glob("picture-*"))
        await press(edge, MIA, GENERAL, card, "Refuse")
        await until(lambda: decided(edge, card["id"]), "the decision on the card")
        assert not list(edge.spool.folder.glob("picture-*"))
        review = await edge.store.reviews.get(asked.id)
        assert review is not None and (review.state, review.picture, review.request) == (ReviewState.REFUSED, "", None)
        assert not await edge.store.jobs.of_user(int(ADA))


@needs_extra
@pytest.mark.parametrize("is_blocked", [False, True])
async def test_moderators_cannot_allow_what_was_blocked_meanwhile(
    start: Start, tmp_path: Path, is_blocked: bool
) -> None:
    async with with_filter(start, tmp_path, FilterAction.MODERATORS) as edge:
        await edge.animate(file=painted(RED))
        card = await until(lambda: card_for_moderators(edge), "the moderators' card")
        if is_blocked:
            await edge.store.trust.blocks.block(
                Block(subject=Subject.PERSON, number=int(ADA), reason="spam"), int(OLGA)
            )
        pressed = await press(edge, MIA, GENERAL, card, "Allow")
        if is_blocked:
            assert "spam" in await edge.answer(pressed, actor=MIA, channel=GENERAL)
            assert not await edge.store.jobs.of_user(int(ADA))
        else:
            assert await edge.clip(), "the negative control"


@needs_extra
async def test_where_the_moderators_cannot_be_shown_the_picture_it_is_refused(start: Start, tmp_path: Path) -> None:
    async with with_filter(start, tmp_path, FilterAction.MODERATORS, log_channel=4711) as edge:
        asked = await edge.animate(file=painted(RED))
        text = await told(edge, asked)
        assert "does not take this picture" in text and "ask the moderators" not in text
        assert not list(edge.spool.folder.glob("picture-*"))


@needs_extra
async def test_a_held_picture_is_held_against_its_persons_quota_when_it_is_allowed(
    start: Start, tmp_path: Path
) -> None:
    config = red_filter(tmp_path / "model") | {"quota": {"person": {"clips_at_once": 1}}}
    backend = FakeBackend(usual=Act(hangs=True))
    async with start(config=config, backend=backend) as edge:
        changes = {"filter_action": FilterAction.MODERATORS, "log_channel": int(GENERAL)}
        await edge.store.servers.change(int(TABLEAUX), int(MIA), changes)
        await edge.animate(file=painted(RED))
        card = await until(lambda: card_for_moderators(edge), "the moderators' card")
        job = await edge.queued(file=painted(BLUE))
        await press(edge, MIA, GENERAL, card, "Allow")
        told = "There is room again as soon as one of them is done"
        await until(lambda: told in words(edge.seen(actor=MIA, channel=GENERAL)), "the moderator reads why not")
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1, "nothing was taken beyond the quota"
        assert card_for_moderators(edge), "the decision is still open"
        await edge.services.requests.cancel(job.id)
        await press(edge, MIA, GENERAL, card, "Allow")
        await until(lambda: edge.store.jobs.get(job.id + 1), "the negative control: within the quota it is taken")


@needs_extra
async def test_what_moderators_were_asked_survives_a_restart(start: Start, tmp_path: Path) -> None:
    async with with_filter(start, tmp_path, FilterAction.MODERATORS) as edge:
        await edge.animate(file=painted(RED))
        await until(lambda: card_for_moderators(edge), "the moderators' card")
        custom = buttons(card_for_moderators(edge)["components"])["Allow"]  # type: ignore[index]
        key = custom.rpartition(":")[2]

        async def noted() -> bool:
            return not await edge.store.reviews.without_card()

        await until(noted, "the card in the store: noted later, it would undo what follows")
        await edge.store.reviews.note_card(key, None)  # type: ignore[arg-type]  # as if it had died before the card
    async with start(config=red_filter(tmp_path / "model")) as edge:
        card = await until(lambda: card_for_moderators(edge), "the card after the restart")
        await press(edge, MIA, GENERAL, card, "Allow")
        assert f"<@{ADA}>" in words(await edge.clip())


class RedLater(PictureChild):
    """Finds nothing in pictures, and everything in clips."""

    async def judge(self, picture: Path, count: int = 1) -> float:
        return 0.97 if count > 1 else 0.0


@needs_extra
@pytest.mark.parametrize("action", [FilterAction.REFUSE, FilterAction.MODERATORS])
@pytest.mark.parametrize("allowed", [True, False])
async def test_a_clip_that_the_filter_finds_is_held_until_moderators_decide(
    start: Start, tmp_path: Path, action: FilterAction, allowed: bool
) -> None:
    async with with_filter(start, tmp_path, action, pictures=RedLater) as edge:
        job = await edge.queued()
        await edge.delivered(job.id, "dead")
        assert not edge.clips() and "97%" in words(await card_says(edge, job, "97%"))
        assert "held back" in await edge.answer(await edge.invoke("result", {"job": job.id}))
        if action is FilterAction.REFUSE:
            await press(edge, ADA, PICTURES, edge.card(job), "Ask the moderators")
        card = await until(lambda: card_for_moderators(edge), "the moderators' card")
        await press(edge, MIA, GENERAL, card, "Allow" if allowed else "Refuse")
        if allowed:
            assert await edge.clip()
        else:
            await until(lambda: decided(edge, card["id"]), "the decision")
            await until(lambda: not list(edge.spool.folder.glob("*.mp4")), "the deleted clip")
            assert not edge.clips()


async def card_says(edge: Edge, job: Any, text: str) -> dict[str, Any]:
    await until(lambda: text in words(edge.card(job)), text)
    return edge.card(job)


@needs_extra
async def test_a_clip_is_covered_where_the_server_wants_that(start: Start, tmp_path: Path) -> None:
    async with with_filter(start, tmp_path, FilterAction.SPOILER, pictures=RedLater) as edge:
        await edge.animate()
        clip = clip_of(await edge.clip())
        assert clip is not None and clip["filename"].startswith("SPOILER_")
        again = await edge.invoke("result", {"job": 1})
        await edge.answer(again)
        [handed] = [item for item in edge.seen() if item["id"] == again.message_id]
        assert handed["attachments"][0]["filename"].startswith("SPOILER_")
        assert not list(edge.spool.folder.glob(".*frames*"))


@needs_extra
@pytest.mark.parametrize("action", [FilterAction.SPOILER, FilterAction.REFUSE])
async def test_a_file_made_anew_is_held_against_the_filter_too(
    start: Start, tmp_path: Path, action: FilterAction
) -> None:
    """The server wants the filter only after the clip was posted."""
    async with with_filter(start, tmp_path, FilterAction.OFF, pictures=RedLater) as edge:
        await edge.animate(loop="none")
        clip = await edge.clip()
        await edge.store.servers.change(int(TABLEAUX), int(MIA), {"filter_action": action})
        [menu] = [item["custom_id"] for item in walk(clip["components"]) if item["type"] == 3]
        asked = await edge.world.press(ADA, PICTURES, clip["id"], menu, ["gif"])
        if action is FilterAction.REFUSE:
            assert "held back" in await edge.answer(asked)
        name = ".mp4" if action is FilterAction.REFUSE else ".gif"
        made = await until(lambda: [item for item in edge.clips() if named(item).endswith(name)], name)
        assert named(made[0]).startswith("SPOILER_") is (action is FilterAction.SPOILER)


def named(message: dict[str, Any]) -> str:
    return str((clip_of(message) or {}).get("filename", ""))


async def test_without_the_extra_a_server_that_wants_the_filter_is_told_what_to_install(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    async with with_filter(start, tmp_path, FilterAction.REFUSE) as edge:
        assert INSTALL in await told(edge, await edge.animate())
        await edge.store.servers.change(int(TABLEAUX), int(MIA), {"filter_action": FilterAction.OFF})
        await edge.animate()
        assert await edge.clip()


@needs_extra
async def test_a_forgotten_person_s_picture_is_held_no_longer(start: Start, tmp_path: Path) -> None:
    async with with_filter(start, tmp_path, FilterAction.REFUSE) as edge:
        asked = await edge.animate(file=painted(RED))
        await private_message(edge, "Ask the moderators")
        assert list(edge.spool.folder.glob("picture-*"))
        await edge.services.requests.forget_user(int(ADA))
        assert await edge.store.reviews.get(asked.id) is None
        assert not list(edge.spool.folder.glob("picture-*"))


async def test_every_entrance_asks_the_filter(start: Start) -> None:
    async with scene_in(start, PICTURES) as scene:
        edge = scene.edge
        before = len(await edge.store.jobs.of_user(int(ADA)))
        await edge.store.servers.change(int(TABLEAUX), int(MIA), {"filter_action": FilterAction.REFUSE})
        edge.services.pictures.judge = finds_everything  # type: ignore[method-assign]
        for drive in (drive for ways in ENTRANCES.values() for drive in ways.values()):
            assert "does not take this picture" in await edge.answer(await drive(scene))
        assert len(await edge.store.jobs.of_user(int(ADA))) == before


async def finds_everything(picture: Path, count: int = 1) -> float:
    return 1.0
