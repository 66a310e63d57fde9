"""What the buttons under cards and clips do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.policy.motion import Motion
from bot.queue.job import Job
from bot.sandbox.faults import Do, LoseReply, Reset
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, MIA, PICTURES, TABLEAUX
from bot.texts.replies import not_here_text
from generator.errors import BadFrames
from tests.support.edge import POSTS, Start, buttons, running_edge, until, words
from tests.support.fakes import Act, FakeBackend


async def test_a_failed_render_is_told_with_what_to_do_and_can_be_tried_again(start: Start) -> None:
    script = [Act(error=BadFrames("NaN in latents", kind="nan"))]
    async with start(backend=FakeBackend(script=script)) as edge:
        await edge.animate()
        await edge.delivered()
        told = edge.seen()[-1]
        assert words(told).startswith(f"<@{ADA}> The model's numbers broke down")
        assert "latents" not in words(told)
        await edge.world.press(BEN, PICTURES, told["id"], buttons(told["components"])["Again"])
        await edge.clip()
        first, second = edge.backend.requests
        assert first.settings.seed != second.settings.seed
        assert (await edge.job(2)).user_id == int(BEN)


async def test_the_buttons_make_variations(start: Start) -> None:
    async with start() as edge:
        await edge.animate(seed=5, motion="240")
        clip = await edge.clip()
        found = buttons(clip["components"])
        for number, label in enumerate(("Again", "More motion", "Less motion"), 2):
            await edge.world.press(ADA, PICTURES, clip["id"], found[label])
            await edge.clip(count=number)
        _, again, more, less = (request.settings for request in edge.backend.requests)
        assert (again.motion_bucket, again.seed != 5) == (240, True)
        assert (more.motion_bucket, more.seed) == (255, 5)
        assert (less.motion_bucket, less.seed) == (190, 5)


async def test_a_variation_that_would_be_the_same_clip_is_refused_privately(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act()], usual=Act(hangs=True))) as edge:
        await edge.animate(motion="255", seed=5)
        clip = await edge.clip()
        found = buttons(clip["components"])
        refused = await edge.world.press(ADA, PICTURES, clip["id"], found["More motion"])
        assert "cannot go any further" in await edge.answer(refused)
        await edge.world.press(ADA, PICTURES, clip["id"], found["Less motion"])
        await until(lambda: len(edge.backend.requests) == 2, "less motion is being made")
        twice = await edge.world.press(ADA, PICTURES, clip["id"], found["Less motion"])
        assert "in the queue already" in await edge.answer(twice)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 2


async def test_a_variation_of_a_picture_that_is_gone_is_refused_privately(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        edge.spool.delete([(await edge.job()).picture])
        refused = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        assert "no longer kept" in await edge.answer(refused, actor=BEN)


async def test_a_variation_is_refused_when_its_picture_goes_while_it_is_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
        active = edge.store.jobs.active

        async def sweep_meanwhile() -> list[Job]:
            edge.clock.ahead_ms += 25 * 3_600_000
            monkeypatch.setattr(edge.store.jobs, "active", active)
            await edge.services.requests.delete_files(await edge.store.retention.sweep())
            return await active()

        monkeypatch.setattr(edge.store.jobs, "active", sweep_meanwhile)
        again = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        assert "no longer kept" in await edge.answer(again, actor=BEN)
        assert await edge.store.jobs.of_user(int(BEN)) == []


async def test_a_clip_deleted_before_its_arrival_was_known_of_is_not_posted_again(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), *POSTS, times=1)
        await edge.queued()
        clip = await edge.clip()
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Delete"])
        await edge.delivered()
        await until(lambda: edge.seen() == [], "neither the clip nor its card is left")


async def test_deleting_a_clip_that_is_gone_already_still_deletes_its_files(start: Start) -> None:
    async with start() as edge:
        await edge.queued()
        clip = await edge.clip()
        await edge.delivered()
        await edge.only_clips()
        gone = Do(lambda: edge.world.messages.delete(edge.world.channels.get(PICTURES), clip["id"]))
        edge.sandbox.faults.add(gone, "DELETE", "/webhooks/**")
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Delete"])
        await until(lambda: list(edge.spool.folder.iterdir()) == [], "its files are deleted")
        assert "wrong on my side" not in words(edge.seen())


async def test_a_clip_whose_job_is_no_longer_kept_is_deleted_by_its_person_and_moderators_alone(start: Start) -> None:
    async with start() as edge:
        for number, actor in enumerate((ADA, MIA), 1):
            await edge.queued()
            await edge.clip()
            await edge.delivered(number)
            await edge.store.retention.forget_user(int(ADA))
            [clip] = edge.clips()
            delete = buttons(clip["components"])["Delete"]
            refused = await edge.world.press(BEN, PICTURES, clip["id"], delete)
            assert "Only the person who asked" in await edge.answer(refused, actor=BEN)
            assert len(edge.clips()) == 1
            await edge.world.press(actor, PICTURES, clip["id"], delete)
            await until(lambda: not edge.clips(), "the clip is gone")


async def test_a_clip_that_a_moderator_removed_in_the_same_moment_leaves_no_waiting_card(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), *POSTS, times=1)
        await edge.queued()
        clip = await edge.clip()
        edge.world.messages.delete(edge.world.channels.get(PICTURES), clip["id"])
        await edge.delivered()
        await until(lambda: edge.seen() == [], "no card that waits")


async def test_a_card_that_could_not_be_taken_away_goes_with_its_deleted_clip(start: Start) -> None:
    async with start(pause_scale=2.0) as edge:
        edge.sandbox.faults.add(Reset(), "DELETE", "/channels/*/messages/*", times=None)
        await edge.queued()
        clip = await edge.clip()
        await until(lambda: edge.rests, "the card could not be deleted, which rests")
        assert len(edge.seen()) == 2
        edge.sandbox.faults.clear()
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Delete"])
        await until(lambda: edge.seen() == [], "neither the clip nor its card is left")
        await until(lambda: "deliver-1" not in {task.get_name() for task in asyncio.all_tasks()}, "the delivery's end")
        assert edge.seen() == []


async def test_a_button_from_an_earlier_database_does_not_reach_the_job_of_the_same_number(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path / "one", sandbox) as edge:
        await edge.queued()
        old = await edge.clip()
        await edge.delivered()
    async with running_edge(tmp_path / "two", sandbox) as edge:
        await edge.queued(channel=DIRECT_ADA)
        await edge.delivered()
        for label in ("Again", "Recipe"):
            pressed = await edge.world.press(BEN, PICTURES, old["id"], buttons(old["components"])[label])
            assert "before my records" in await edge.answer(pressed, actor=BEN)
        assert await edge.store.jobs.of_user(int(BEN)) == []
        await edge.world.press(ADA, PICTURES, old["id"], buttons(old["components"])["Delete"])
        await until(lambda: old["id"] not in {item["id"] for item in edge.seen()}, "the old clip is gone")
        assert (await edge.job()).clip, "the new job keeps its own"


async def test_a_button_still_works_after_a_restart(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True))) as edge:
            job = await edge.queued()
            await until(lambda: edge.backend.requests, "the job runs")
        async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True))) as edge:
            await until(lambda: edge.backend.requests, "the job runs again")
            await edge.world.press(ADA, PICTURES, str(job.card_message_id), f"vivant:cancel:1:{job.key}")
            await until(lambda: "Cancelled" in words(edge.seen()[0]), "the card says so")


async def test_where_the_bot_does_not_work_a_clip_can_still_be_deleted_and_nothing_else(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.queued()
        clip = await edge.clip()
        await edge.delivered()
    async with running_edge(tmp_path, sandbox, config={"allowed_guilds": [1]}) as edge:
        found = buttons(clip["components"])
        for label in ("Again", "More motion", "Less motion", "Recipe"):
            pressed = await edge.world.press(ADA, PICTURES, clip["id"], found[label])
            assert await edge.answer(pressed) == not_here_text()
        assert edge.backend.requests == []
        await edge.world.press(ADA, PICTURES, clip["id"], found["Delete"])
        await until(lambda: not edge.clips(), "the clip is gone")


@pytest.mark.parametrize("label", ["Recipe", "Again"])
async def test_a_press_that_discord_no_longer_waits_for_does_nothing(
    start: Start, label: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as edge:
        await edge.queued()
        clip = await edge.clip()
        edge.world.timing.acknowledge = 0.0
        late = await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])[label])
        await until(lambda: f"interaction={late.id} was acknowledged too late" in caplog.text, "its end")
        edge.world.timing.acknowledge = 3.0
        await edge.answer(await edge.invoke("help"))
        assert f"interaction={late.id} button failed" not in caplog.text
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


@pytest.mark.parametrize(("most", "bucket"), [(None, 190), (Motion.STRONG, 185), (Motion.MEDIUM, 127)])
async def test_a_clip_that_hardly_moves_says_so_and_one_tap_cures_it(
    start: Start, most: Motion | None, bucket: int
) -> None:
    backend = FakeBackend(script=[Act(motion=0.2)], usual=Act(motion=3.0))
    async with start(backend=backend) as edge:
        if most is not None:
            await edge.store.servers.change(int(TABLEAUX), int(BEN), {"most_motion": most})
        await edge.animate(motion="gentle", seed=5)
        still = await edge.clip()
        assert "Hardly anything moves" in words(still)
        await edge.world.press(ADA, PICTURES, still["id"], buttons(still["components"])["Make it move"])
        lively = await edge.clip(count=2)
        first, second = (request.settings for request in edge.backend.requests)
        assert second == replace(first, motion_bucket=bucket, noise_augmentation=0.1)
        assert "Hardly anything moves" not in words(lively)
        assert "Make it move" not in buttons(lively["components"])


async def test_of_a_clip_whose_motion_was_not_measured_nothing_is_said(start: Start) -> None:
    """An executor of an earlier version measures nothing."""
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        assert "Hardly" not in words(clip)
        assert "Make it move" not in buttons(clip["components"])
