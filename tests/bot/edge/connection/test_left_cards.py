"""A card that was left when its clip had been posted is ended by the next start."""

from __future__ import annotations

from pathlib import Path

from bot.queue.job import Job
from bot.sandbox.faults import Do, Reset
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES, THREAD, VIVANT
from tests.support.edge import POSTS, Edge, buttons, running_edge, until, words

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


async def close_while_it_is_made(edge: Edge, thread: str) -> Job:
    """Ask for a clip in a thread that is archived and locked before the clip is there; wait until that is answered."""
    edge.sandbox.faults.add(Do(lambda: edge.world.channels.archive_thread(thread)), *POSTS)
    job = await edge.queued(channel=thread)
    await until(lambda: edge.world.channels.get(thread)["thread_metadata"]["archived"], "a closed thread")
    return job


async def in_vain(edge: Edge, job: Job, tries: int) -> None:
    """Wait until the bot has tried so often to end a card, by its own token and the interaction's, and could not."""

    def refused() -> int:
        card, seen = str(job.card_message_id), edge.sandbox.record.exchanges
        return sum(item.method == "PATCH" and item.status >= 400 and item.path.endswith(card) for item in seen)

    await until(lambda: refused() >= tries, "edits that were refused")
    assert "Cancel" in buttons(edge.card(job)["components"])


async def test_in_a_thread_that_was_closed_the_card_leads_to_the_clip_once_it_is_open_again(edge: Edge) -> None:
    job = await close_while_it_is_made(edge, THREAD)
    await in_vain(edge, job, 2)
    edge.world.channels.open_again(THREAD)
    clip = await edge.clip()
    await until(lambda: clip["id"] in str(edge.card(job)["components"]), "a card that leads to the clip")
    assert "Cancel" not in buttons(edge.card(job)["components"])


async def test_in_a_private_thread_that_was_closed_the_card_says_how_to_get_the_clip(edge: Edge) -> None:
    thread = edge.world.channels.open_thread(PICTURES, "only us", [ADA, VIVANT], private=True)
    job = await close_while_it_is_made(edge, thread)
    await edge.delivered(state="dead")
    await in_vain(edge, job, 2)
    edge.world.channels.open_again(thread)
    await until(lambda: "/result" in words(edge.card(job)), "a card that says how to get it")


async def test_a_thread_that_was_locked_after_the_tokens_end_is_tidied_too(edge: Edge) -> None:
    edge.sandbox.faults.add(Do(lambda: edge.world.channels.lock_thread(THREAD)), *POSTS)
    edge.clock.ahead_ms = 16 * 60_000
    job = await edge.queued(channel=THREAD)
    await edge.delivered()
    await until(lambda: edge.world.channels.get(THREAD)["thread_metadata"]["locked"], "a locked thread")
    await in_vain(edge, job, 1)
    edge.world.channels.open_again(THREAD)
    await until(lambda: "Cancel" not in buttons(edge.card(job)["components"]), "a card that leads to the clip")
