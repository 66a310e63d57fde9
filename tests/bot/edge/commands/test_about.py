"""/help, /privacy and /forget-me."""

from __future__ import annotations

from bot.sandbox.faults import Reset
from bot.sandbox.world.standard import ADA, BEN, PICTURES
from tests.support.edge import POSTS, Start, buttons, until, words
from tests.support.fakes import Act, FakeBackend


async def test_help_and_privacy_answer_privately(start: Start) -> None:
    async with start(config={"privacy_url": "https://example.org/p"}) as edge:
        assert "/animate" in await edge.answer(await edge.invoke("help"))
        text = await edge.answer(await edge.invoke("privacy"))
        assert "https://example.org/p" in text
        assert "24 hours" in text
        assert edge.seen(actor=BEN) == []


async def test_forget_me_asks_first_then_deletes_rows_and_files(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act()], usual=Act(hangs=True))) as edge:
        await edge.queued()
        await edge.clip()
        await edge.delivered()
        await edge.queued()
        await edge.queued(actor=BEN)
        edge.spool.path("1-1-8388608.mp4").write_bytes(b"a smaller copy")
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        question = next(item for item in edge.seen() if item["id"] == asked.message_id)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 2
        pressed = await edge.world.press(ADA, PICTURES, question["id"], f"vivant:forget:{ADA}:")
        assert "know nothing about you" in await edge.answer(pressed)
        assert await edge.store.jobs.of_user(int(ADA)) == []
        card = next(item for item in edge.seen() if "Cancelled" in words(item))
        assert not buttons(card["components"])
        assert card["attachments"] == [], "the picture is gone from the card"
        left = await edge.store.retention.known_files()
        await until(lambda: {path.name for path in edge.spool.folder.iterdir()} <= left, "the files are gone")
        assert len(await edge.store.jobs.of_user(int(BEN))) == 1


async def test_forget_me_closes_the_card_of_a_clip_that_could_not_be_posted_yet(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Reset(), *POSTS, times=None)
        await edge.queued()
        await until(lambda: edge.rests, "a failed post")
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        pressed = await edge.world.press(ADA, PICTURES, str(asked.message_id), f"vivant:forget:{ADA}:")
        await edge.answer(pressed)
        card = edge.seen()[0]
        assert "Cancelled" in words(card)
        assert (card["attachments"], buttons(card["components"])) == ([], {})
