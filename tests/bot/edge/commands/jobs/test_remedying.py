"""Under each failure the one button that helps, and what it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from bot.edge.layouts.buttons import failure_buttons
from bot.edge.layouts.cards import status_card
from bot.queue.job import JobState
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, OLGA, PICTURES
from bot.texts.jobs.status import CardView
from generator.errors import BadFrames, EncodingFailed, OutOfMemory, RenderError
from tests.support.edge import Edge, Start, buttons, form_id, png, until, words
from tests.support.fakes import Act, FakeBackend
from tests.support.texts import make_job, render_errors


@pytest.mark.parametrize("error", render_errors(), ids=lambda error: f"{error.code}-{error.data}")
async def test_every_failure_carries_one_button_wherever_it_is_told(error: RenderError) -> None:
    job = make_job(JobState.FAILED, failure=error.to_wire())
    below, on_card = (buttons(view.to_components()) for view in (failure_buttons(job), status_card(CardView(job=job))))
    assert below == on_card and len(below) == 1


async def failed(edge: Edge, **options: Any) -> dict[str, Any]:
    """Let Ada's first request fail, and return the message that says so."""
    await edge.animate(**options)
    await edge.delivered()

    def told() -> dict[str, Any] | None:
        return next((item for item in edge.seen() if f"<@{ADA}>" in words(item) and not item["flags"] & 64), None)

    message: dict[str, Any] = await until(told, "the failure")
    return message


def breaks(error: RenderError) -> FakeBackend:
    return FakeBackend(script=[Act(error=error)], usual=Act(steps=1))


@pytest.mark.parametrize(
    ("error", "label", "changed"),
    [
        (OutOfMemory(""), "Try smaller", {"frames": 10, "decode_chunk": 2}),
        (BadFrames("", kind="frozen"), "Make it move", {"motion_bucket": 190, "noise_augmentation": 0.1}),
        (BadFrames("", kind="strobing"), "Try less motion", {"motion_bucket": 50}),
        (EncodingFailed("", why="budget"), "Try as MP4", {"format": "mp4"}),
    ],
)
async def test_a_press_asks_for_what_the_button_says(
    start: Start, error: RenderError, label: str, changed: dict[str, Any]
) -> None:
    async with start(backend=breaks(error)) as edge:
        message = await failed(edge, frames=20, motion="100", seed=5, format="gif")
        assert set(buttons(message["components"])) == {label}
        await edge.world.press(ADA, PICTURES, message["id"], buttons(message["components"])[label])
        await edge.clip()
        before, after = await edge.job(1), await edge.job(2)
        wire = after.settings.to_json()
        assert {name: wire[name] for name in changed} == changed
        assert {key: value for key, value in wire.items() if key not in changed} == {
            key: value for key, value in before.settings.to_json().items() if key not in changed
        }


async def test_another_picture_is_asked_for_in_a_form(start: Start) -> None:
    async with start(backend=breaks(BadFrames("", kind="black"))) as edge:
        message = await failed(edge, seed=5)
        custom_id = buttons(message["components"])["Another picture"]
        opened = await (await edge.world.press(ADA, PICTURES, message["id"], custom_id)).acknowledged()
        await edge.world.submit_modal(ADA, opened.id, form_id(opened), {"picture": [png("other.png")]})
        await edge.clip()
        assert (await edge.job(2)).settings.seed == 5


async def test_the_owners_are_told_once_and_only_by_the_job_s_own_person(start: Start) -> None:
    async with start(backend=breaks(EncodingFailed("", why="ffmpeg-missing")), config={"owners": [int(OLGA)]}) as edge:
        message = await failed(edge)
        custom_id = buttons(message["components"])["Tell the operator"]
        direct = edge.world.direct_channel(OLGA)["id"]

        async def press(actor: str) -> str:
            pressed = await edge.world.press(actor, PICTURES, message["id"], custom_id)
            return await edge.answer(await pressed.acknowledged(), actor=actor)

        def letters() -> list[str]:
            return [words(item) for item in edge.seen(actor=OLGA, channel=direct)]

        assert "Only the person who asked" in await press(BEN)
        assert letters() == []
        assert "know now" in await press(ADA)
        [letter] = letters()
        assert "Job 1 failed" in letter and "nothing to write videos with" in letter and ADA not in letter
        assert "know already" in await press(ADA)
        assert len(letters()) == 1
        assert direct != DIRECT_ADA


async def test_an_owner_who_cannot_be_written_to_is_not_said_to_know(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(backend=breaks(EncodingFailed("", why="ffmpeg-missing")), config={"owners": [999]}) as edge:
        message = await failed(edge)
        monkeypatch.setattr("bot.edge.commands.jobs.remedying.owner_ids", lambda client, configured: {999})
        pressed = await edge.world.press(
            ADA, PICTURES, message["id"], buttons(message["components"])["Tell the operator"]
        )
        assert "could not write" in await edge.answer(await pressed.acknowledged())
