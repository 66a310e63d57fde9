"""A card that was left when its clip had been posted is ended by the next start."""

from __future__ import annotations

from pathlib import Path

from bot.sandbox.faults import Reset
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.edge import Edge, buttons, running_edge, until, words

EDITS = ("PATCH", "/channels/{channel_id}/messages/{message_id}")
DONE = "here is the clip"


async def leave_a_card(edge: Edge) -> None:
    """Post a clip, and let no edit of its card arrive."""
    edits = edge.sandbox.faults.add(Reset(), "PATCH", "/channels/**", times=None)
    await edge.queued()
    await edge.delivered()
    await until(lambda: len(edge.rests) >= 3, "the last attempt to edit it")
    edge.sandbox.faults.remove(edits)
    assert "Cancel" in buttons(edge.seen()[0]["components"])


async def test_the_next_start_says_on_it_where_the_clip_is(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await leave_a_card(edge)
    async with running_edge(tmp_path, sandbox) as edge:
        await until(lambda: DONE in words(edge.seen()[0]), "the last word")
        assert edge.clips()[0]["id"] in words(edge.seen()[0])
        assert len(edge.clips()) == 1
    before = len(sandbox.record.asked(*EDITS))
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.animate()
        await edge.clip(count=2)
        await until(lambda: DONE in words(edge.seen()[2]), "the other card's last word")
    first = edge.seen()[0]["id"]
    edited = [edit.path for edit in sandbox.record.asked(*EDITS)[before:]]
    assert edited and not [path for path in edited if path.endswith(first)], "a card that says so is only read"


async def test_a_card_whose_clip_was_deleted_leads_nowhere(sandbox: Sandbox, tmp_path: Path) -> None:
    """The negative control: nothing says where a clip is that is gone."""
    async with running_edge(tmp_path, sandbox) as edge:
        await leave_a_card(edge)
    clip = edge.clips()[0]["id"]
    sandbox.world.delete_message(edge.world.actor("Mia"), PICTURES, clip)
    async with running_edge(tmp_path, sandbox) as edge:
        asked = ("GET", "/channels/{channel_id}/messages/{message_id}")
        await until(lambda: any(item.path.endswith(clip) for item in sandbox.record.asked(*asked)), "a look for it")
        await edge.animate()
        await edge.clip()
        assert DONE not in words(edge.seen(actor=ADA)[0])
