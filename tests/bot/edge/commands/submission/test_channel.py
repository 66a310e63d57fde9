"""What a channel allows: where a clip may be posted, and how large."""

from __future__ import annotations

import pytest

from bot.sandbox.world.standard import BEN, DIRECT_ADA, GENERAL, NO_FILES, READ_ONLY, TABLEAUX, THREAD
from generator.memory import MIB
from tests.support.edge import Start, buttons


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
