"""/admin: pause, resume, the variant, the status."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import discord
import pytest

from bot.queue.job import JobState
from bot.sandbox.world.standard import ADA, BEN, MIA, OLGA, PICTURES, TABLEAUX
from bot.texts.jobs.running import describe_status, unknown_time_text
from bot.texts.replies import resumed_text
from bot.work.gate import Hold, HoldCause
from tests.support.bench import lost
from tests.support.edge import Edge, Start, hanging, until, words
from tests.support.fakes import Act, FakeBackend


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


async def test_many_variants_with_long_names_fit_every_answer_and_suggestion(start: Start) -> None:
    names = [f"{number:02d}-{'a-rather-long-name' * 4}" for number in range(40)] + ["x" * 101, "xx"]
    long: dict[str, str] = {"source": "s" * 500, "description": "d" * 3000, "licence": "l" * 3000}
    config = {"variants": dict.fromkeys(names, long), "privacy_url": f"https://example.org/{'p' * 3000}"}
    async with start(config=config) as edge:
        shown = await edge.answer(await edge.invoke("admin variant", actor=OLGA), actor=OLGA)
        assert shown.startswith("▸ **demo**")
        assert "more" in shown.splitlines()[-1]
        wrong = await edge.invoke("admin variant", {"name": "none" * 100}, actor=OLGA)
        assert "more." in await edge.answer(wrong, actor=OLGA)
        offered = await edge.world.autocomplete(OLGA, PICTURES, "admin variant", {"name": ""}, "name")
        assert [choice["value"] for choice in offered] == sorted(names)[:25]
        assert await edge.world.autocomplete(OLGA, PICTURES, "admin variant", {"name": "xx"}, "name") == [
            {"name": "xx", "value": "xx"}
        ]
        for name in ("00-" + "a-rather-long-name" * 4, "x" * 101):
            switched = await edge.invoke("admin variant", {"name": name}, actor=OLGA)
            assert "New pictures are made with" in await edge.answer(switched, actor=OLGA)
            assert "bring pictures to life" in await edge.answer(await edge.invoke("help"))
            assert "What I keep" in await edge.answer(await edge.invoke("privacy"))
        await edge.queued()
        await edge.clip()
        assert "xxx" in await edge.answer(await edge.invoke("result"))
        offered = await edge.world.autocomplete(ADA, PICTURES, "result", {"job": ""}, "job")
        assert [choice["value"] for choice in offered] == [1]
        recipe = await edge.invoke("recipe", {"job": 1})
        assert "Recipe of job 1" in await edge.answer(recipe)


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


async def test_the_status_says_how_the_bot_is_doing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued(actor=BEN)
        await edge.answer(await edge.invoke("admin pause", {"reason": "lunch"}, actor=OLGA), actor=OLGA)
        monkeypatch.setattr(edge.spool, "free_bytes", lambda: 5 << 30)
        counts = dict.fromkeys(JobState, 0) | {JobState.RUNNING: 1, JobState.QUEUED: 1}
        assert await edge.answer(await edge.invoke("admin status", actor=OLGA), actor=OLGA) == describe_status(
            counts=counts,
            backends=[edge.backend.describe()],
            free_bytes=5 << 30,
            variant="demo",
            hold=edge.switches.gate.hold,
            time=unknown_time_text("demo"),
        )


@pytest.mark.parametrize(
    ("said", "told"), [("later", "later."), ("later!", "later!"), ("later…", "later…"), ("?", "?")]
)
async def test_a_reason_ends_as_a_sentence_does(start: Start, said: str, told: str) -> None:
    async with start() as edge:
        await edge.answer(await edge.invoke("admin pause", {"reason": said}, actor=OLGA), actor=OLGA)
        assert edge.switches.gate.paused == told


async def test_after_a_crash_storm_resume_starts_the_workers_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.work.worker.SAME_CRASH_SECONDS", 0.0)
    backend = FakeBackend(usual=Act(error=lost()))
    async with start(backend=backend, config={"queue": {"max_attempts": 10}}) as edge:
        await edge.queued()
        await until(lambda: edge.switches.gate.hold, "a storm")
        assert edge.switches.gate.hold == Hold(HoldCause.CRASH_STORM, "the executor is gone")
        backend.usual = Act()
        assert resumed_text() == await edge.answer(await edge.invoke("admin resume", actor=OLGA), actor=OLGA)
        await edge.clip()


def _show_the_command_to_everybody(edge: Edge) -> None:
    """Let Discord show it; the bot itself must still ask who it is."""
    for role in edge.world.directory.guilds[TABLEAUX]["roles"]:
        role["permissions"] = str(int(role["permissions"]) | discord.Permissions(manage_guild=True).value)


async def test_another_variant_is_loaded_before_it_is_needed(start: Start) -> None:
    loaded: list[str] = []
    async with start(config={"admins": [int(BEN)]}) as edge:
        edge.client.services = replace(edge.services, preload=loaded.append)
        _show_the_command_to_everybody(edge)
        for actor, name in ((BEN, "svd"), (OLGA, "none"), (OLGA, "svd")):
            await edge.answer(await edge.invoke("admin variant", {"name": name}, actor=actor), actor=actor)
        assert loaded == ["svd"]


async def test_variants_are_suggested_to_admins_alone(start: Start) -> None:
    async with start(config={"admins": [int(BEN)]}) as edge:
        _show_the_command_to_everybody(edge)
        for actor, names in ((ADA, []), (BEN, ["svd-xt"])):
            offered = await edge.world.autocomplete(actor, PICTURES, "admin variant", {"name": "xt"}, "name")
            assert [choice["value"] for choice in offered] == names


@pytest.mark.parametrize(
    ("command", "options"),
    [("pause", {"reason": "lunch"}), ("resume", {}), ("status", {}), ("variant", {"name": "svd"})],
)
async def test_an_admins_command_that_came_too_late_changes_nothing(
    start: Start, command: str, options: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as edge:
        if command == "resume":
            edge.switches.gate.close(HoldCause.PAUSED, "lunch")
        edge.world.timing.acknowledge = 0.0
        late = await edge.invoke(f"admin {command}", options, actor=OLGA)
        await until(lambda: f"interaction={late.id} was acknowledged too late" in caplog.text, "its end")
        edge.world.timing.acknowledge = 3.0
        await edge.answer(await edge.invoke("help", actor=OLGA), actor=OLGA)
        assert edge.switches.variant.name == "demo"
        assert edge.switches.gate.paused == ("lunch" if command == "resume" else None)
        assert f"interaction={late.id} admin {command} failed" not in caplog.text


async def test_the_status_says_how_long_a_clip_takes_and_whether_anybody_measured_it(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1, step_seconds=0.02))) as edge:
        before = await edge.answer(await edge.invoke("admin status", actor=OLGA), actor=OLGA)
        assert "not known" in before
        await edge.queued()
        await edge.clip()
        after = await edge.answer(await edge.invoke("admin status", actor=OLGA), actor=OLGA)
        assert "measured here" in after
        await edge.answer(await edge.invoke("admin variant", {"name": "svd-xt"}, actor=OLGA), actor=OLGA)
        edge.backend.describe = lambda: {"name": "NVIDIA H200"}  # type: ignore[method-assign]
        other = await edge.answer(await edge.invoke("admin status", actor=OLGA), actor=OLGA)
        assert "an estimated 8 to 27 s on NVIDIA H200" in other
        edge.backend.describe = lambda: {"name": "Voodoo 2", "tflops": 72.0}  # type: ignore[method-assign]
        other = await edge.answer(await edge.invoke("admin status", actor=OLGA), actor=OLGA)
        assert "an estimated 81 to 269 s on Voodoo 2" in other
