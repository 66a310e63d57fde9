"""Pick of four: drafts, and the clip of the chosen one. One sheet is one job."""

from __future__ import annotations

from bot.sandbox.world.standard import ADA, BEN, PICTURES
from tests.support.edge import Start, buttons, hanging, until, words


async def test_a_tapped_draft_is_made_in_full_with_its_seed_for_who_taps(start: Start) -> None:
    async with start() as edge:
        await edge.animate(drafts=True, seed=100, motion="80")
        sheet = await edge.clip()
        assert "here are four drafts" in words(sheet) and "look different" in words(sheet)
        found = buttons(sheet["components"])
        await edge.world.press(BEN, PICTURES, sheet["id"], found["3"])
        await edge.clip(count=2)
        drafts, full = (request.settings for request in edge.backend.requests)
        assert (drafts.drafts, drafts.seed) == (True, 100)
        assert (full.drafts, full.seed, full.motion_bucket, full.steps) == (False, 102, 80, drafts.steps)
        assert [(await edge.job(number)).user_id for number in (1, 2)] == [int(ADA), int(BEN)]
        told = words(edge.clips()[-1])
        assert "here is your clip" in told and "Motion: 80" in told and "Drafts" not in told


async def test_drafts_of_a_clip_are_asked_for_with_its_button(start: Start) -> None:
    async with start() as edge:
        await edge.animate(seed=5, motion="80")
        clip = await edge.clip()
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Drafts"])
        sheet = await edge.clip(count=2)
        _, drafts = (request.settings for request in edge.backend.requests)
        assert (drafts.drafts, drafts.motion_bucket, drafts.seed != 5) == (True, 80, True)
        assert set(buttons(sheet["components"])) > {"1", "2", "3", "4", "Again", "Delete"}


async def test_four_others_come_with_again_and_they_are_drafts_too(start: Start) -> None:
    async with start() as edge:
        await edge.animate(drafts=True, seed=100)
        sheet = await edge.clip()
        await edge.world.press(ADA, PICTURES, sheet["id"], buttons(sheet["components"])["Again"])
        await edge.clip(count=2)
        first, second = (request.settings for request in edge.backend.requests)
        assert (second.drafts, second.seed != first.seed) == (True, True)


async def test_a_draft_tapped_twice_is_made_once(start: Start) -> None:
    async with start() as edge:
        await edge.animate(drafts=True, seed=100)
        sheet = await edge.clip()
        edge.backend.usual = hanging().usual
        found = buttons(sheet["components"])
        await edge.world.press(ADA, PICTURES, sheet["id"], found["2"])
        await until(lambda: len(edge.backend.requests) == 2, "the second draft is being made")
        twice = await edge.world.press(ADA, PICTURES, sheet["id"], found["2"])
        assert "in the queue already" in await edge.answer(twice)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 2


async def test_drafts_whose_picture_is_gone_say_so(start: Start) -> None:
    async with start() as edge:
        await edge.animate(drafts=True)
        sheet = await edge.clip()
        edge.spool.delete([(await edge.job()).picture])
        refused = await edge.world.press(BEN, PICTURES, sheet["id"], buttons(sheet["components"])["1"])
        assert "no longer kept" in await edge.answer(refused, actor=BEN)
