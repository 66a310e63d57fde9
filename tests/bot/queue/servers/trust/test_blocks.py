"""Who is kept out, on disk and in memory."""

from __future__ import annotations

from pathlib import Path

from bot.policy.blocking import Block, Subject
from tests.support.jobs import opened

OPERATOR, PERSON = 9, 5


async def test_a_block_is_known_after_a_restart_replaced_and_taken_back(tmp_path: Path) -> None:
    first = Block(subject=Subject.PERSON, number=PERSON, reason="spam.")
    async with opened(tmp_path) as store:
        await store.trust.blocks.block(first, OPERATOR)
    async with opened(tmp_path) as store:
        blocks = store.trust.blocks
        assert blocks.of(Subject.PERSON, PERSON) == first
        assert blocks.of(Subject.SERVER, PERSON) is None, "the negative control: a server with the same number"
        assert blocks.of(Subject.SERVER, None) is None
        second = Block(subject=Subject.PERSON, number=PERSON, reason="more spam.", until_ms=2**50)
        await blocks.block(second, OPERATOR)
        assert blocks.all() == [second]
        assert await blocks.unblock(Subject.PERSON, PERSON, OPERATOR)
        assert not await blocks.unblock(Subject.PERSON, PERSON, OPERATOR)
    async with opened(tmp_path) as store:
        assert store.trust.blocks.all() == []
        actions = [entry.action for entry in await store.servers.audit(None)]
        assert actions == ["unblock", "unblock", "block", "block"]


async def test_a_block_ends_at_its_time(tmp_path: Path) -> None:
    now = 1_000_000
    async with opened(tmp_path, now_ms=lambda: now) as store:
        block = Block(subject=Subject.SERVER, number=PERSON, reason="raids.", until_ms=now + 10)
        await store.trust.blocks.block(block, OPERATOR)
        now += 9
        assert store.trust.blocks.of(Subject.SERVER, PERSON) == block
        now += 1
        assert store.trust.blocks.of(Subject.SERVER, PERSON) is None
        assert store.trust.blocks.all() == []
