"""Reporting a clip: who is told, once, also after a restart, and what they do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.rules.payloads import Json
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, BEN, DIRECT_OLGA, GENERAL, MIA, OLGA, PICTURES, TABLEAUX
from bot.texts.safety.trust import (
    ask_report_text,
    dismissed_text,
    not_moderator_text,
    reported_already_text,
    reported_text,
)
from tests.support.edge import Edge, Start, buttons, running_edge, until, words

REPORTED = "A clip was reported"


async def press(edge: Edge, message: Json, label: str, actor: str, channel: str = PICTURES) -> Interaction:
    pressed = await edge.world.press(actor, channel, message["id"], buttons(message["components"])[label])
    return await pressed.acknowledged()


async def report(edge: Edge, clip: Json, actor: str = BEN) -> str:
    """Report a clip, confirm it, and return what is told."""
    pressed = await press(edge, clip, "Report", actor)
    assert await edge.answer(pressed, actor=actor) == ask_report_text()
    [asked] = [item for item in edge.seen(actor=actor) if item["id"] == pressed.message_id]
    return await edge.answer(await press(edge, asked, "Report this clip", actor), actor=actor)


def told(edge: Edge, channel: str, actor: str) -> list[Json]:
    return [item for item in edge.seen(actor=actor, channel=channel) if REPORTED in words(item)]


async def in_log_channel(edge: Edge) -> Json:
    return dict((await until(lambda: told(edge, GENERAL, MIA), "a report in the log channel"))[-1])


async def log_into_general(edge: Edge) -> None:
    await edge.store.servers.change(int(TABLEAUX), int(MIA), {"log_channel": int(GENERAL)})


async def test_a_report_reaches_moderators_and_operators_with_what_they_need_and_no_more(start: Start) -> None:
    async with start() as edge:
        await log_into_general(edge)
        await edge.animate()
        clip = await edge.clip()
        assert await report(edge, clip) == reported_text()
        card = await in_log_channel(edge)
        private = (await until(lambda: told(edge, DIRECT_OLGA, OLGA), "the owner's message"))[-1]
        for message in (card, private):
            assert f"{TABLEAUX}/{PICTURES}/{clip['id']}" in words(message)
            assert "job 1" in words(message)
            assert f"<@{ADA}>" in words(message)
            assert BEN not in str(message), "nobody learns who reported it"
        assert card["mentions"] == [], "nobody is notified"
        rows = await edge.store.database.read(lambda db: db.execute("select * from report").fetchall())
        assert int(BEN) not in rows[0], "the negative control: it is not kept either"


async def test_a_second_report_of_the_same_clip_is_told_to_nobody(start: Start) -> None:
    async with start() as edge:
        await log_into_general(edge)
        await edge.animate()
        clip = await edge.clip()
        await report(edge, clip)
        await in_log_channel(edge)
        assert await report(edge, clip, actor=MIA) == reported_already_text()
        await edge.animate(seed=5)
        other = await edge.clip(count=2)
        await report(edge, other)
        await until(lambda: len(told(edge, GENERAL, MIA)) == 2, "the report of another clip")
        assert len(told(edge, GENERAL, MIA)) == 2


async def test_a_report_that_nobody_was_told_of_is_told_after_a_restart_and_once(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await log_into_general(edge)
        await edge.animate()
        clip = await edge.clip()
        with monkeypatch.context() as stopped:
            stopped.setattr(edge.store.trust.reports.new, "set", lambda: None)  # killed before the loop woke
            await report(edge, clip)
        assert told(edge, GENERAL, MIA) == []
    async with running_edge(tmp_path, sandbox) as edge:
        await in_log_channel(edge)
        await until(lambda: told(edge, DIRECT_OLGA, OLGA), "the owner's message")
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.answer(await edge.invoke("help"))
        assert len(told(edge, GENERAL, MIA)) == 1


async def test_without_a_log_channel_the_operators_are_told(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        await report(edge, await edge.clip())
        await until(lambda: told(edge, DIRECT_OLGA, OLGA), "the owner's message")
        assert told(edge, GENERAL, MIA) == []


async def test_a_moderator_takes_the_clip_down_and_others_cannot(start: Start) -> None:
    async with start() as edge:
        await log_into_general(edge)
        await edge.animate()
        await report(edge, await edge.clip())
        card = await in_log_channel(edge)
        for label in ("Take down", "Dismiss"):
            refused = await press(edge, card, label, ADA, GENERAL)
            assert await edge.answer(refused, channel=GENERAL) == not_moderator_text()
        assert len(edge.clips()) == 1, "the negative control"
        await press(edge, card, "Take down", MIA, GENERAL)
        await until(lambda: not edge.clips(), "the clip is gone")
        await until(lambda: list(edge.spool.folder.iterdir()) == [], "its files are gone")
        [ended] = await until(
            lambda: [item for item in edge.seen(actor=MIA, channel=GENERAL) if "Taken down" in words(item)], "the end"
        )
        assert buttons(ended["components"]) == {}


async def test_a_report_can_be_dismissed(start: Start) -> None:
    async with start() as edge:
        await log_into_general(edge)
        await edge.animate()
        clip = await edge.clip()
        await report(edge, clip)
        card = await in_log_channel(edge)
        await press(edge, card, "Dismiss", MIA, GENERAL)
        link = f"https://discord.com/channels/{TABLEAUX}/{PICTURES}/{clip['id']}"
        expected = dismissed_text(link, int(MIA))
        await until(lambda: expected in words(edge.seen(actor=MIA, channel=GENERAL)), "the end")
        assert len(edge.clips()) == 1


async def test_a_clip_whose_request_is_not_kept_any_more_can_be_reported_and_taken_down(start: Start) -> None:
    async with start() as edge:
        await log_into_general(edge)
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
        await edge.services.requests.forget_user(int(ADA))
        assert await report(edge, clip) == reported_text()
        card = await in_log_channel(edge)
        assert "not kept any more" in words(card)
        await press(edge, card, "Take down", MIA, GENERAL)
        await until(lambda: not edge.clips(), "the clip is gone")


async def test_the_buttons_of_a_report_work_after_a_restart(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await log_into_general(edge)
        await edge.animate()
        await report(edge, await edge.clip())
        card = await in_log_channel(edge)
    async with running_edge(tmp_path, sandbox) as edge:
        await press(edge, card, "Take down", OLGA, GENERAL)
        await until(lambda: not edge.clips(), "the clip is gone")
