"""Reports on disk: told to each of those concerned, forgotten after a month."""

from __future__ import annotations

from pathlib import Path

from bot.queue.servers.trust.reports import KEPT_DAYS, Told
from tests.support.jobs import opened

MESSAGE, CHANNEL, GUILD = 11, 12, 13


async def test_each_of_those_concerned_is_told_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        reports = store.trust.reports
        assert await reports.add(MESSAGE, CHANNEL, GUILD, 1)
        assert not await reports.add(MESSAGE, CHANNEL, GUILD, 1), "the same message"
        [report] = await reports.untold()
        assert report.untold == (Told.SERVER, Told.OPERATORS)
        await reports.told(report, Told.SERVER)
    async with opened(tmp_path) as store:
        [report] = await store.trust.reports.untold()
        assert report.untold == (Told.OPERATORS,), "after a restart"
        await store.trust.reports.told(report, Told.OPERATORS)
        assert await store.trust.reports.untold() == []


async def test_what_was_told_of_an_older_copy_of_a_report_is_not_told_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.trust.reports.add(MESSAGE, CHANNEL, GUILD, 1)
        [report] = await store.trust.reports.untold()
        for whom in report.untold:
            await store.trust.reports.told(report, whom)
        assert await store.trust.reports.untold() == []


async def test_outside_of_servers_the_operators_alone_are_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.trust.reports.add(MESSAGE, CHANNEL, None, 1)
        [report] = await store.trust.reports.untold()
        assert report.untold == (Told.OPERATORS,)


async def test_a_report_is_forgotten_after_a_month(tmp_path: Path) -> None:
    now = 1_000_000_000_000
    async with opened(tmp_path, now_ms=lambda: now) as store:
        await store.trust.reports.add(MESSAGE, CHANNEL, GUILD, 1)
        await store.retention.sweep()
        assert await store.trust.reports.get(1), "the negative control"
        now += KEPT_DAYS * 24 * 3_600_000 + 1
        await store.retention.sweep()
        assert await store.trust.reports.get(1) is None


async def test_a_forgotten_server_leaves_no_report(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.trust.reports.add(MESSAGE, CHANNEL, GUILD, 1)
        await store.trust.reports.add(MESSAGE + 1, CHANNEL, GUILD + 1, 2)
        await store.retention.forget_guild(GUILD)
        assert [report.guild_id for report in await store.trust.reports.untold()] == [GUILD + 1]
