"""/admin: drain, cancel, block and unblock, the list of hashes, the log, announcements."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.edge.commands.trust.operators import read_hashes
from bot.policy.blocking import Subject
from bot.queue.job import JobState
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, DIRECT_OLGA, GENERAL, MIA, OLGA, TABLEAUX
from bot.texts.replies import not_admin_text, resumed_text
from bot.texts.safety.operators import (
    announced_text,
    announcement_text,
    drained_text,
    imported_text,
    no_id_text,
    now_draining_text,
    unblocked_text,
)
from generator.protocol import Rendered, RenderRequest
from tests.bot.edge.commands.trust.test_takedown import photo, refused
from tests.support.edge import Edge, Start, hanging, running_edge, until, words
from tests.support.fakes import Act, FakeBackend, ProgressCallback


async def admin(edge: Edge, command: str, options: dict[str, Any] | None = None, **more: Any) -> str:
    return await edge.answer(await edge.invoke(f"admin {command}", options, actor=OLGA, **more), actor=OLGA)


def to_owner(edge: Edge, text: str) -> bool:
    return text in words(edge.seen(actor=OLGA, channel=DIRECT_OLGA))


@dataclass
class Held(FakeBackend):
    """Finishes no clip before it may, so that no render is quicker than a busy machine's commands."""

    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, act: Act, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        await self.may.wait()
        return await super().play(act, request, on_progress)


# -- drain -----------------------------------------------------------------------------------------------------------


async def test_a_drain_finishes_what_waits_takes_nothing_new_and_says_when_it_is_done(start: Start) -> None:
    backend = Held()
    async with start(backend=backend) as edge:
        for seed in (1, 2):
            await edge.queued(seed=seed)
        assert await admin(edge, "drain", {"reason": "moving house"}) == now_draining_text(2)
        assert "take nothing new now: moving house." in await edge.answer(await edge.animate())
        assert not to_owner(edge, drained_text("moving house.")), "the negative control: not yet"
        backend.may.set()
        await until(lambda: to_owner(edge, drained_text("moving house.")), "it says that it is done")
        assert len(edge.clips()) == 2, "what was waiting was made and posted"
        assert await admin(edge, "resume") == resumed_text()
        await edge.animate()
        await edge.clip(count=3)


async def test_a_drain_outlives_the_process_and_is_told_once(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        await edge.queued()
        await admin(edge, "drain", {"reason": "moving house"})
    async with running_edge(tmp_path, sandbox) as edge:
        assert edge.switches.draining == "moving house."
        await until(lambda: to_owner(edge, drained_text("moving house.")), "it says that it is done")
        await until(lambda: edge.store.settings.get("drained"), "it notes that it has said so")
    async with running_edge(tmp_path, sandbox) as edge:
        assert "take nothing new" in await edge.answer(await edge.animate())
        assert words(edge.seen(actor=OLGA, channel=DIRECT_OLGA)).count("Everything is finished") == 1


# -- cancel, block, unblock ------------------------------------------------------------------------------------------


async def test_any_request_can_be_cancelled(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        assert "Cancelled" in await admin(edge, "cancel", {"job": 1})

        async def over() -> bool:
            return (await edge.job()).state is JobState.CANCELLED

        await until(over, "its end")
        assert "no job 9" in await admin(edge, "cancel", {"job": 9})


async def test_a_blocked_person_is_told_why_and_until_when_and_what_they_wait_for_is_cancelled(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        await edge.queued()
        await edge.queued(actor=BEN)
        told = await admin(edge, "block", {"person": ADA, "reason": "spam", "days": 2})
        assert f"<@{ADA}> is blocked until <t:" in told
        assert "Clips of theirs that were cancelled: 1." in told
        assert (await edge.job(2)).state in (JobState.QUEUED, JobState.RUNNING), "the negative control: not Ben's"
    async with running_edge(tmp_path, sandbox) as edge:
        refusal = await edge.answer(await edge.animate())
        assert "take no requests from you: spam." in refusal, "after a restart"
        assert "This ends on <t:" in refusal
        await edge.services.requests.forget_user(int(ADA))
        assert "spam." in await edge.answer(await edge.animate()), "/forget-me is no way around it"
        assert "spam." in await admin(edge, "blocks")
        assert await admin(edge, "unblock", {"person": ADA}) == unblocked_text(was_blocked=True)
        assert await admin(edge, "unblock", {"person": ADA}) == unblocked_text(was_blocked=False)
        await edge.animate()
        await edge.clip()


async def test_a_block_ends_by_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await admin(edge, "block", {"person": ADA, "reason": "spam", "days": 1})
        assert "spam." in await edge.answer(await edge.animate())
        edge.clock.ahead_ms = 24 * 3_600_000 + 1000
        assert edge.store.trust.blocks.of(Subject.PERSON, int(ADA)) is None
        await edge.store.retention.sweep()
        rows = await edge.store.database.read(lambda db: db.execute("select * from blocked").fetchall())
        assert rows == []


async def test_a_server_can_be_blocked_by_its_id(start: Start) -> None:
    async with start() as edge:
        assert "is blocked until /admin unblock" in await admin(edge, "block", {"server": TABLEAUX, "reason": "raids"})
        assert "from this server: raids." in await edge.answer(await edge.animate())
        assert await admin(edge, "unblock", {"server": TABLEAUX}) == unblocked_text(was_blocked=True)
        for wrong in ({}, {"server": "Tableaux"}, {"server": "9" * 30}, {"person": ADA, "server": TABLEAUX}):
            assert await admin(edge, "block", {"reason": "x", **wrong}) == no_id_text()
            assert await admin(edge, "unblock", wrong) == no_id_text()


# -- limits ----------------------------------------------------------------------------------------------------------


async def test_limits_are_set_shown_kept_and_reset(sandbox: Sandbox, tmp_path: Path) -> None:
    config = {"quota": {"person": {"clips_at_once": 9}}}
    async with running_edge(tmp_path, sandbox, config=config) as edge:
        assert "Each person: At most 9 clips at once." in await admin(edge, "limits", {"whose": "person"})
        told = await admin(edge, "limits", {"whose": "person", "clips_per_day": 1})
        assert "Each person: At most 1 clip in 24 hours, 9 clips at once." in told
        assert "Each server, all its people together: no limit." in told
        await edge.animate()
        await edge.clip()
    async with running_edge(tmp_path, sandbox, config=config) as edge:
        refusal = await edge.answer(await edge.animate())
        assert "You may have 1 clip in 24 hours." in refusal, "after a restart"
        told = await admin(edge, "limits", {"whose": "person", "reset": True})
        assert "Each person: At most 9 clips at once." in told
        await edge.animate()
        await edge.clip(count=2)


# -- the list of hashes ----------------------------------------------------------------------------------------------


async def test_a_list_of_hashes_is_imported_and_holds(start: Start) -> None:
    async with start() as edge:
        await edge.animate(file=photo())
        await edge.clip()
        known = (await edge.store.trust.pictures.source(1)).hash
        assert known
        text = f"# from a friend\n{known.upper()}, 100\nno hash\n\n{'0' * 64}\n"
        file = Upload("hashes.txt", "text/plain", text.encode())
        assert await admin(edge, "block-pictures", files={"hashes": file}) == imported_text(2, 2, 1)
        assert await admin(edge, "block-pictures", files={"hashes": file}) == imported_text(0, 2, 1)
        assert await refused(edge, photo(side=500))
        assert not await refused(edge, photo("coffee")), "the negative control"


def test_only_whole_hashes_are_read() -> None:
    assert read_hashes(["a" * 64, "A" * 64 + " 3", "b" * 63, "x" * 64, "", "# note", ","]) == (["a" * 64, "a" * 64], 3)


# -- the log, announcements ------------------------------------------------------------------------------------------


async def test_what_is_done_is_in_the_log(start: Start) -> None:
    async with start() as edge:
        await admin(edge, "block", {"person": BEN, "reason": "spam"})
        await admin(edge, "pause", {"reason": "lunch"})
        await admin(edge, "resume")
        await admin(edge, "variant", {"name": "svd"})
        rows = (await admin(edge, "audit")).splitlines()
        actions = [row.split(": ")[1].split(" ")[0] for row in rows]
        assert actions == ["variant", "resume", "pause", "block"]
        assert all(f"<@{OLGA}>" in row for row in rows)


async def test_an_announcement_reaches_the_log_channels(start: Start) -> None:
    async with start() as edge:
        assert await admin(edge, "announce", {"text": "New model tonight."}) == announced_text(0, 0, 1)
        await edge.store.servers.change(int(TABLEAUX), int(MIA), {"log_channel": int(GENERAL)})
        assert await admin(edge, "announce", {"text": "New model tonight."}) == announced_text(1, 0, 0)
        posted = [words(item) for item in edge.seen(actor=ADA, channel=GENERAL)]
        assert posted == [announcement_text("New model tonight.")]


# -- who may, and which variant --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["drain", "block", "announce", "take-down", "blocks", "audit"])
async def test_nobody_else_can_use_them(start: Start, command: str) -> None:
    known: dict[str, dict[str, Any]] = {
        "drain": {"reason": "x"},
        "block": {"reason": "x", "person": BEN},
        "announce": {"text": "x"},
        "take-down": {"job": 1},
    }
    async with start() as edge:
        for role in edge.world.directory.guilds[TABLEAUX]["roles"]:
            role["permissions"] = str(int(role["permissions"]) | 0x20)  # Manage Server: Discord shows the command
        asked = await edge.invoke(f"admin {command}", known.get(command, {}), actor=ADA)
        assert await edge.answer(asked) == not_admin_text()
        assert edge.switches.draining is None
        assert edge.store.trust.blocks.all() == []


async def test_a_variant_that_cannot_run_is_refused_with_what_to_do(start: Start) -> None:
    async def no_card(_config: object, name: str) -> str | None:
        return None if name == "demo" else "GPU: torch sees none. Install its driver."

    async with start(check_variant=no_card) as edge:
        told = await admin(edge, "variant", {"name": "svd-xt"})
        assert "cannot run here, so nothing was switched. GPU: torch sees none. Install its driver." in told
        assert edge.switches.variant.name == "demo"
        assert "New pictures are made with demo" in await admin(edge, "variant", {"name": "demo"})


async def test_the_list_of_variants_says_what_a_clip_costs(start: Start) -> None:
    async with start() as edge:
        edge.backend.describe = lambda: {"name": "NVIDIA H200"}  # type: ignore[method-assign]
        shown = await admin(edge, "variant")
        assert "an estimated 8 to 27 s on NVIDIA H200" in shown.partition("**svd-xt**")[2]
