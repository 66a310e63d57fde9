"""Whose pictures nobody else may animate, which pictures nobody may, and where a job's picture came from.

A picture is known by its hash alone (`generator/picture/fingerprint.py`), a person by a keyed hash of their id.

Tested in tests/bot/queue/servers/trust/test_pictures.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import chain

from bot.queue.database import Database, Statements, fetch
from bot.queue.job import NO_SOURCE, Source
from bot.queue.servers.quotas import keyed_hash
from bot.queue.servers.settings import AuditEntry, note_audit

ALIKE_BITS = 31
"""hashes of 256 bits that differ in no more belong to the same picture: what PDQ's authors recommend (2019)"""
EVERYWHERE = 0
"""instead of a server's id: the picture is blocked in all of them"""


class Pictures:
    """People who opted out, and pictures that are blocked. `load` it before the first look."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._key = ""
        self._opted_out: set[str] = set()
        self._hashes: dict[int, frozenset[int]] = {}  # never changed, only replaced: a thread may walk over them
        """server, or EVERYWHERE -> hashes"""

    async def load(self) -> None:
        """Read all of it into memory."""
        [(self._key,)] = await self._database.read(fetch, "select value from meta where key = 'debt_key'")
        self._opted_out = {row[0] for row in await self._database.read(fetch, "select who from opted_out")}
        found: dict[int, set[int]] = {}
        for text, guild_id in await self._database.read(fetch, "select hash, guild_id from blocked_picture"):
            found.setdefault(guild_id, set()).add(int(text, 16))
        self._hashes = {guild_id: frozenset(hashes) for guild_id, hashes in found.items()}

    # -- opting out ---------------------------------------------------------------------------------------------

    def who(self, user_id: int) -> str:
        """Return the keyed hash of a person's id."""
        return keyed_hash(self._key, user_id)

    def has_opted_out(self, who: str | None) -> bool:
        """Tell whether the person behind this keyed hash allows nobody else to animate their pictures."""
        return who in self._opted_out

    async def opt_out(self, user_id: int) -> None:
        """Let nobody else animate this person's pictures from now on."""
        who = self.who(user_id)
        await self._database.write(fetch, "insert or ignore into opted_out values (?)", (who,))
        self._opted_out.add(who)

    async def opt_in(self, user_id: int) -> None:
        """Take that back."""
        who = self.who(user_id)
        await self._database.write(fetch, "delete from opted_out where who = ?", (who,))
        self._opted_out.discard(who)

    # -- blocked pictures ---------------------------------------------------------------------------------------

    async def is_blocked(self, found: str | None, guild_id: int | None) -> bool:
        """Tell whether a picture with this hash is blocked in this server, or everywhere."""
        blocked = [self._hashes[where] for where in {EVERYWHERE, guild_id or EVERYWHERE} if where in self._hashes]
        if not found or not blocked:
            return False
        return await asyncio.to_thread(is_alike, int(found, 16), chain.from_iterable(blocked))

    async def block(self, hashes: Iterable[str], guild_id: int | None, by: int) -> int:
        """Block pictures in one server, or everywhere; return how many were not blocked there before."""
        where, wanted = guild_id or EVERYWHERE, {int(text, 16) for text in hashes}
        new = wanted - self._hashes.get(where, frozenset())
        entry = AuditEntry(
            guild_id=guild_id,
            user_id=by,
            made_ms=self._now_ms(),
            action="block-pictures",
            what={"count": len(new)},
        )
        await self._database.write(_block_hashes, [f"{item:064x}" for item in new], where, entry)
        self._hashes[where] = self._hashes.get(where, frozenset()) | new
        return len(new)

    def count_blocked(self, guild_id: int | None = None) -> int:
        """Count the pictures blocked in one server, or everywhere."""
        return len(self._hashes.get(guild_id or EVERYWHERE, ()))

    def drop_server(self, guild_id: int) -> None:
        """Drop what is in memory of a server that was forgotten."""
        self._hashes.pop(guild_id, None)

    # -- where a job's picture came from ------------------------------------------------------------------------

    async def source(self, job_id: int) -> Source:
        """Read where a job's picture came from."""
        rows = await self._database.read(fetch, "select hash, who from source where job_id = ?", (job_id,))
        return Source(hash=rows[0][0], who=rows[0][1]) if rows else NO_SOURCE

    async def jobs_alike(self, job_id: int, guild_id: int | None) -> list[int]:
        """Read a job and all others of the very same picture, in one server or, without one, everywhere."""
        return await self._database.read(_jobs_alike, job_id, guild_id)


def is_alike(found: int, blocked: Iterable[int]) -> bool:
    """Tell whether a hash is near enough to one of the others to be of the same picture."""
    return any((found ^ other).bit_count() <= ALIKE_BITS for other in blocked)


def keep_source(db: Statements, job_id: int, source: Source) -> None:
    """Keep where a job's picture came from, as a part of the transaction that accepts it."""
    if source != NO_SOURCE:
        db.execute("insert into source values (?, ?, ?)", (job_id, source.hash, source.who))


def _block_hashes(db: Statements, hashes: list[str], guild_id: int, entry: AuditEntry) -> None:
    for text in hashes:
        db.execute("insert or ignore into blocked_picture values (?, ?)", (text, guild_id))
    note_audit(db, entry)


def _jobs_alike(db: Statements, job_id: int, guild_id: int | None) -> list[int]:
    sql = """
        select job.id from job left join source on source.job_id = job.id
        where (:guild is null or job.guild_id = :guild) and (
          job.id = :id
          or source.hash in (select hash from source where job_id = :id)
          or job.picture in (select picture from job where id = :id and picture <> '')
        )
        order by job.id
    """
    return [row[0] for row in db.execute(sql, {"id": job_id, "guild": guild_id}).fetchall()]
