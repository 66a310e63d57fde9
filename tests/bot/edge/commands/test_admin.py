"""/admin: pause, resume, the variant, the status."""

from __future__ import annotations

from pathlib import Path

from bot.queue.job import JobState
from bot.sandbox.world.standard import BEN, MIA, OLGA, PICTURES
from bot.work.gate import HoldCause
from tests.support.edge import Start, hanging, until, words


async def test_pause_refuses_new_pictures_keeps_the_line_and_tells_the_reason(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued(actor=BEN)
        paused = await edge.invoke("admin pause", {"reason": "new model coming."}, actor=OLGA)
        assert "Paused: new model coming." in await edge.answer(paused, actor=OLGA)
        refused = await edge.animate()
        assert "paused: new model coming." in await edge.answer(refused)
        await until(lambda: "new model coming." in words(edge.seen(actor=MIA)[1]), "the reason on the waiting card")
        await edge.invoke("cancel", {"job": 1})
        await edge.delivered(1)
        assert (await edge.job(2)).state is JobState.QUEUED
        await edge.answer(await edge.invoke("admin resume", actor=OLGA), actor=OLGA)
        await until(lambda: len(edge.backend.requests) == 2, "the queue goes on")


async def test_a_pause_and_the_variant_outlive_the_process(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.answer(await edge.invoke("admin pause", {"reason": "later"}, actor=OLGA), actor=OLGA)
        await edge.answer(await edge.invoke("admin variant", {"name": "svd"}, actor=OLGA), actor=OLGA)
    async with start() as edge:
        assert edge.switches.gate.paused == "later."
        assert edge.switches.variant.name == "svd"
        assert edge.switches.gate.hold and edge.switches.gate.hold.cause is HoldCause.PAUSED


async def test_the_variant_is_shown_offered_and_switched_by_owners_only(start: Start) -> None:
    async with start(config={"admins": [int(BEN)]}) as edge:
        shown = await edge.answer(await edge.invoke("admin variant", actor=OLGA), actor=OLGA)
        assert "▸ **demo**" in shown
        offered = await edge.world.autocomplete(OLGA, PICTURES, "admin variant", {"name": "svd"}, "name")
        assert [choice["value"] for choice in offered] == ["svd", "svd-xt"]
        wrong = await edge.invoke("admin variant", {"name": "sdxl"}, actor=OLGA)
        assert "no variant called sdxl" in await edge.answer(wrong, actor=OLGA)
        switched = await edge.answer(await edge.invoke("admin variant", {"name": "svd"}, actor=OLGA), actor=OLGA)
        assert "Stability AI Community License" in switched
        await edge.animate()
        await edge.clip()
        assert edge.backend.requests[0].settings.variant == "svd"
        assert "Demo model" not in words(edge.clips()[0])
