"""What a channel allows: where a clip may be posted, and how large."""

from __future__ import annotations

import pytest

from bot.sandbox.rules.permissions import Permission
from bot.sandbox.world.standard import (
    ADA,
    BEN,
    DIRECT_ADA,
    GENERAL,
    NO_FILES,
    OLGA,
    PICTURES,
    READ_ONLY,
    TABLEAUX,
    THREAD,
)
from generator.memory import MIB
from tests.support.edge import Edge, Start, buttons, until, words


@pytest.mark.parametrize("channel", [GENERAL, THREAD, DIRECT_ADA], ids=["channel", "thread", "direct message"])
async def test_it_works_in_channels_threads_and_direct_messages(start: Start, channel: str) -> None:
    async with start() as edge:
        await edge.animate(channel=channel)
        message = await edge.clip(channel=channel)
        assert "Again" in buttons(message["components"])


@pytest.mark.parametrize(("stated", "used"), [(5 * MIB, 5 * MIB), (500 * MIB, 10 * MIB)], ids=["small", "Nitro"])
async def test_a_clip_is_made_for_what_the_bot_itself_may_post_there(start: Start, stated: int, used: int) -> None:
    async with start() as edge:
        edge.world.channels.set_upload_limit(TABLEAUX, stated)
        await edge.animate()
        await edge.clip()
        assert edge.backend.requests[0].max_bytes == used


@pytest.mark.parametrize(("channel", "lack"), [(NO_FILES, "Attach Files"), (READ_ONLY, "Send Messages")])
async def test_a_channel_where_the_clip_could_not_be_posted_is_refused_first(
    start: Start, channel: str, lack: str
) -> None:
    async with start() as edge:
        refused = await edge.animate(channel=channel)
        assert lack in await edge.answer(refused, channel=channel)
        assert edge.seen(actor=BEN, channel=channel) == []


async def test_a_thread_in_a_channel_that_the_bot_cannot_see_is_refused_first(start: Start) -> None:
    async with start() as edge:
        edge.world.channels.set_bot_permission(PICTURES, Permission.VIEW_CHANNEL, allowed=False)
        refused = await edge.animate(channel=THREAD)
        assert "View Channel" in await edge.answer(refused, channel=THREAD)


async def _advice_after(edge: Edge, actor: str, channel: str = PICTURES) -> list[str]:
    """Let a person ask for a clip, and return the private messages that they then see."""
    count = len(edge.clips(actor=actor, channel=channel)) + 1
    await edge.animate(actor=actor, channel=channel)
    await until(lambda: len(edge.clips(actor=actor, channel=channel)) == count, "the clip")
    return [words(item) for item in edge.seen(actor=actor, channel=channel) if item["flags"] & 64]


async def test_who_can_change_it_is_told_once_and_privately_what_is_weaker_without_the_history(start: Start) -> None:
    async with start() as edge:
        edge.world.channels.set_bot_permission(PICTURES, Permission.READ_MESSAGE_HISTORY, allowed=False)
        assert await _advice_after(edge, ADA) == []
        [told] = await _advice_after(edge, OLGA)
        assert "Read Message History" in told
        assert await _advice_after(edge, OLGA) == [told]
        assert await _advice_after(edge, ADA) == []


@pytest.mark.parametrize("channel", [PICTURES, DIRECT_ADA], ids=["channel", "direct message"])
async def test_nobody_is_told_where_nothing_is_weaker(start: Start, channel: str) -> None:
    async with start() as edge:
        assert await _advice_after(edge, OLGA if channel == PICTURES else ADA, channel) == []
