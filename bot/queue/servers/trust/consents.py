"""Requests that wait for the word of the picture's author, with the time until which they wait.

A row has what the request needs to go on, a link to the picture too; the picture itself is fetched after a yes.

Tested in tests/bot/queue/servers/trust/test_consents.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.queue.database import Database, Statements, fetch

_COLUMNS = "key, user_id, author_id, guild_id, channel_id, message_id, until_ms, request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A request that waits for somebody's word."""

    key: str
    user_id: int
    """who asks"""
    author_id: int
    """who is asked"""
    guild_id: int
    channel_id: int
    message_id: int
    """the question"""
    until_ms: int
    request: Mapping[str, Any]
    """what was asked for"""


class Consents:
    """All requests that wait for somebody's word."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self.now_ms = now_ms
        self.look = asyncio.Event()
        """set when somebody should look now whether a time is over"""

    async def ask(self, consent: Consent, most: int) -> bool:
        """Keep a request until it is answered; return False when the person has `most` that wait already."""
        values = (
            *(consent.key, consent.user_id, consent.author_id, consent.guild_id, consent.channel_id),
            *(consent.message_id, consent.until_ms, json.dumps(consent.request)),
        )
        sql = """
            insert into consent select ?, ?, ?, ?, ?, ?, ?, ?
            where (select count(*) from consent where user_id = ?) < ? returning key
        """
        return bool(await self._database.write(fetch, sql, (*values, consent.user_id, most)))

    async def get(self, key: str) -> Consent | None:
        """Read a request that still waits."""
        sql = f"select {_COLUMNS} from consent where key = ?"
        return next(iter(_consents(await self._database.read(fetch, sql, (key,)))), None)

    async def take(self, key: str) -> Consent | None:
        """End the waiting of one request, and return it. One caller alone gets it; the others get None."""
        sql = f"delete from consent where key = ? returning {_COLUMNS}"
        return next(iter(_consents(await self._database.write(fetch, sql, (key,)))), None)

    async def over(self) -> list[Consent]:
        """Read the requests whose time is over."""
        sql = f"select {_COLUMNS} from consent where until_ms <= ? order by until_ms"
        return _consents(await self._database.read(fetch, sql, (self.now_ms(),)))

    async def of_author(self, author_id: int) -> list[Consent]:
        """Read what somebody is asked for."""
        return _consents(
            await self._database.read(fetch, f"select {_COLUMNS} from consent where author_id = ?", (author_id,))
        )

    async def count_of(self, user_id: int) -> int:
        """Count the requests of a person that wait for somebody's word."""
        [(count,)] = await self._database.read(fetch, "select count(*) from consent where user_id = ?", (user_id,))
        return int(count)


def _consents(rows: Sequence[Any]) -> list[Consent]:
    return [
        Consent(
            key=row[0],
            user_id=row[1],
            author_id=row[2],
            guild_id=row[3],
            channel_id=row[4],
            message_id=row[5],
            until_ms=row[6],
            request=json.loads(row[7]),
        )
        for row in rows
    ]


def forget_consents(db: Statements, whose: str, value: int) -> None:
    """Delete the requests of a person or a server, and those that ask for the word of that person."""
    db.execute(f"delete from consent where {whose} = ?", (value,))
    if whose == "user_id":
        db.execute("delete from consent where author_id = ?", (value,))
