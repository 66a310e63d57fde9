"""Blocked pictures, opt-outs, and where a job's picture came from, on disk and in memory."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path

from bot.queue.job import NO_SOURCE, Source
from bot.queue.servers.trust.pictures import ALIKE_BITS, is_alike
from tests.support.jobs import new_job, opened

BY, GUILD = 9, 7
HASH = f"{secrets.randbits(256):064x}"


def changed(text: str, bits: int) -> str:
    return f"{int(text, 16) ^ ((1 << bits) - 1):064x}"


async def test_a_blocked_picture_is_known_with_few_bits_changed_also_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.trust.pictures.block([HASH, HASH.upper()], None, BY) == 1
        assert await store.trust.pictures.block([HASH], None, BY) == 0
    async with opened(tmp_path) as store:
        pictures = store.trust.pictures
        assert await pictures.is_blocked(changed(HASH, ALIKE_BITS), GUILD)
        assert await pictures.is_blocked(HASH, None)
        assert not await pictures.is_blocked(changed(HASH, ALIKE_BITS + 1), GUILD), "the negative control"
        assert not await pictures.is_blocked(None, GUILD)
        assert pictures.count_blocked() == 1


async def test_what_a_server_blocks_is_blocked_there_and_goes_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        pictures = store.trust.pictures
        await pictures.block([HASH], GUILD, BY)
        assert await pictures.is_blocked(HASH, GUILD)
        assert not await pictures.is_blocked(HASH, GUILD + 1)
        assert not await pictures.is_blocked(HASH, None)
        await store.retention.forget_guild(GUILD)
        pictures.drop_server(GUILD)
        assert not await pictures.is_blocked(HASH, GUILD)
    async with opened(tmp_path) as store:
        assert not await store.trust.pictures.is_blocked(HASH, GUILD)


async def test_who_opted_out_is_kept_without_their_id(tmp_path: Path) -> None:
    person = 1_234_567_890_123_456_789
    async with opened(tmp_path) as store:
        await store.trust.pictures.opt_out(person)
        await store.trust.pictures.opt_out(person)
    async with opened(tmp_path) as store:
        pictures = store.trust.pictures
        assert pictures.has_opted_out(pictures.who(person))
        assert not pictures.has_opted_out(pictures.who(person + 1))
        assert not pictures.has_opted_out(None)
        rows = await store.database.read(lambda db: db.execute("select who from opted_out").fetchall())
        assert str(person) not in str(rows)
        await store.retention.forget_user(person)
        assert pictures.has_opted_out(pictures.who(person)), "also after /forget-me"
        await pictures.opt_in(person)
    async with opened(tmp_path) as store:
        assert not store.trust.pictures.has_opted_out(store.trust.pictures.who(person))


async def test_a_jobs_source_goes_with_the_job(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        job = await store.jobs.enqueue(replace(new_job(), source=Source(hash=HASH, who="somebody"), key="a"))
        other = await store.jobs.enqueue(replace(new_job(), source=Source(hash=HASH), key="b"))
        plain = await store.jobs.enqueue(new_job())
        pictures = store.trust.pictures
        assert await pictures.source(job.id) == Source(hash=HASH, who="somebody")
        assert await pictures.source(plain.id) == NO_SOURCE
        assert await pictures.jobs_alike(job.id, None) == [job.id, other.id]
        assert await pictures.jobs_alike(plain.id, None) == [plain.id]
        assert await pictures.jobs_alike(job.id, GUILD * 1000) == [], "none in that server"
        await store.retention.forget_user(job.user_id)
        rows = await store.database.read(lambda db: db.execute("select * from source").fetchall())
        assert job.id not in {row[0] for row in rows}


def test_a_long_list_is_compared_in_a_moment() -> None:
    """120,000 hashes, what one import takes at most; a picture waits for seconds anyway."""
    listed = {secrets.randbits(256) for _ in range(120_000)}
    began = time.process_time()
    assert not is_alike(secrets.randbits(256), listed)
    assert time.process_time() - began < 1.0
    assert is_alike(next(iter(listed)) ^ 1, listed), "the negative control"
