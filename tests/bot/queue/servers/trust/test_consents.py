"""Requests that wait for somebody's word, on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.queue.servers.trust.consents import Consent
from tests.support.jobs import opened

ASKS, AUTHOR, GUILD = 5, 6, 7
MOST = 10


def consent(key: str = "k", until_ms: int = 1000, **more: int) -> Consent:
    ids = {"user_id": ASKS, "author_id": AUTHOR, "guild_id": GUILD, "channel_id": 8, "message_id": 9} | more
    return Consent(key=key, until_ms=until_ms, request={"settings": {"seed": 1}}, **ids)


async def test_one_alone_takes_it_also_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.trust.consents.ask(consent(), MOST)
        assert not await store.trust.consents.ask(consent("more"), most=1), "one waits already"
        assert await store.trust.consents.count_of(ASKS) == 1
    async with opened(tmp_path) as store:
        taken = await asyncio.gather(*(store.trust.consents.take("k") for _ in range(5)))
        assert [found for found in taken if found] == [consent()]
        assert await store.trust.consents.get("k") is None


async def test_only_those_are_over_whose_time_has_come(tmp_path: Path) -> None:
    async with opened(tmp_path, now_ms=lambda: 1000) as store:
        for key, until_ms in (("over", 1000), ("waits", 1001), ("long over", 1)):
            await store.trust.consents.ask(consent(key, until_ms), MOST)
        assert [found.key for found in await store.trust.consents.over()] == ["long over", "over"]


async def test_forgetting_a_server_or_either_person_deletes_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        asked = (consent("a"), consent("b", user_id=50), consent("c", author_id=60), consent("d", guild_id=70))
        for item in asked:
            await store.trust.consents.ask(item, MOST)

        async def left() -> set[str]:
            return {item.key for item in asked if await store.trust.consents.get(item.key)}

        await store.retention.forget_guild(70)
        assert await left() == {"a", "b", "c"}
        await store.retention.forget_user(50)
        assert await left() == {"a", "c"}
        await store.retention.forget_user(60)
        assert await left() == {"a"}
