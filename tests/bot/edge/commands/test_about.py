"""/help and /privacy."""

from __future__ import annotations

from bot.sandbox.world.standard import BEN
from tests.support.edge import Start


async def test_help_and_privacy_answer_privately(start: Start) -> None:
    async with start(config={"privacy_url": "https://example.org/p"}) as edge:
        assert "/animate" in await edge.answer(await edge.invoke("help"))
        text = await edge.answer(await edge.invoke("privacy"))
        assert "https://example.org/p" in text
        assert "24 hours" in text
        assert edge.seen(actor=BEN) == []
