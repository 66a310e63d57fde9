"""A card that was left when its clip had been posted is ended by the next start."""

from __future__ import annotations

from pathlib import Path

from bot.sandbox.faults import Reset
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import PICTURES
from tests.support.edge import Edge, buttons, running_edge, until

DELETES = ("DELETE", "/channels/{channel_id}/messages/{message_id}")


async def leave_a_card(edge: Edge) -> None:
    """Post a clip, and let nothing that ends its card arrive."""
    ends = edge.sandbox.faults.add(Reset(), "DELETE", "/channels/**", times=None)
    await edge.queued()
    await edge.delivered()
    await until(lambda: len(edge.rests) >= 3, "the last attempt to delete it")
    edge.sandbox.faults.remove(ends)
    assert "Cancel" in buttons(edge.seen()[0]["components"])


async def test_the_next_start_takes_it_away(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await leave_a_card(edge)
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.only_clips()
    before = len(sandbox.record.asked(*DELETES))
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.animate()
        await edge.only_clips(2)
    assert len(sandbox.record.asked(*DELETES)) == before + 1, "a card that is gone is only looked for"


async def test_a_card_whose_clip_was_deleted_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    """The negative control: without a look at the post a card could go that is all that is left."""
    async with running_edge(tmp_path, sandbox) as edge:
        await leave_a_card(edge)
    clip = edge.clips()[0]["id"]
    sandbox.world.delete_message(edge.world.actor("Mia"), PICTURES, clip)
    async with running_edge(tmp_path, sandbox) as edge:
        asked = ("GET", "/channels/{channel_id}/messages/{message_id}")
        await until(lambda: any(item.path.endswith(clip) for item in sandbox.record.asked(*asked)), "a look for it")
        await edge.animate()
        await edge.clip()
        assert "Cancel" in buttons(edge.seen()[0]["components"])
