"""Clips that somebody reported, until the server and the operators have been told. Who reported is not kept.

Tested in tests/bot/queue/servers/trust/test_reports.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.queue.database import Database, Statements, fetch

KEPT_DAYS = 30
"""how long it is remembered that a message was reported, so that it is told once"""
_COLUMNS = "id, message_id, channel_id, guild_id, job_id, untold"


class Told(StrEnum):
    """Who is told of a report."""

    SERVER = "server"
    OPERATORS = "operators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A message with a clip that was reported."""

    id: int
    message_id: int
    channel_id: int
    guild_id: int | None
    job_id: int | None
    """None: it is not kept any more"""
    untold: tuple[Told, ...]


class Reports:
    """All reports. `new` is set when there may be somebody to be told."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self.new = asyncio.Event()
        self.new.set()

    async def add(self, message_id: int, channel_id: int, guild_id: int | None, job_id: int | None) -> bool:
        """Keep a report until it is told; return False when that message was reported before."""
        told = [Told.OPERATORS] if guild_id is None else [Told.SERVER, Told.OPERATORS]
        sql = """
            insert into report (message_id, channel_id, guild_id, job_id, made_ms, untold) values (?, ?, ?, ?, ?, ?)
            on conflict (message_id) do nothing returning id
        """
        values = (message_id, channel_id, guild_id, job_id, self._now_ms(), json.dumps(told))
        is_new = bool(await self._database.write(fetch, sql, values))
        self.new.set()
        return is_new

    async def get(self, report_id: int) -> Report | None:
        """Read one report; None when it is not kept any more."""
        rows = await self._database.read(fetch, f"select {_COLUMNS} from report where id = ?", (report_id,))
        return _report(rows[0]) if rows else None

    async def untold(self) -> list[Report]:
        """Read the reports of which somebody is still to be told, the oldest first."""
        rows = await self._database.read(fetch, f"select {_COLUMNS} from report where untold <> '[]' order by id")
        return [_report(row) for row in rows]

    async def told(self, report: Report, whom: Told) -> None:
        """Note that one of them has been told, or cannot be."""
        await self._database.write(_told, report.id, whom)


def _told(db: Statements, report_id: int, whom: Told) -> None:
    for (untold,) in db.execute("select untold from report where id = ?", (report_id,)).fetchall():
        left = json.dumps([item for item in json.loads(untold) if item != whom])
        db.execute("update report set untold = ? where id = ?", (left, report_id))


def _report(row: Any) -> Report:
    return Report(
        id=row[0],
        message_id=row[1],
        channel_id=row[2],
        guild_id=row[3],
        job_id=row[4],
        untold=tuple(Told(item) for item in json.loads(row[5])),
    )


def delete_old_reports(db: Statements, now_ms: int) -> None:
    """Delete the reports that are too old."""
    db.execute("delete from report where made_ms < ?", (now_ms - KEPT_DAYS * 24 * 3_600_000,))
