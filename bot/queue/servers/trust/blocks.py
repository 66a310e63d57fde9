"""Who is kept out: people and servers, each with a reason and an end. Read from memory: this process alone writes them.

Tested in tests/bot/queue/servers/trust/test_blocks.py.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.policy.blocking import Block, Subject
from bot.queue.database import Database, Statements, fetch
from bot.queue.servers.settings import AuditEntry, note_audit


class Blocks:
    """Everybody who is kept out. `load` it before the first look."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._blocks: dict[tuple[Subject, int], Block] = {}

    async def load(self) -> None:
        """Read all blocks into memory."""
        rows = await self._database.read(fetch, "select subject, number, reason, until_ms from blocked")
        found = [Block(subject=Subject(row[0]), number=row[1], reason=row[2], until_ms=row[3]) for row in rows]
        self._blocks = {(block.subject, block.number): block for block in found}

    def of(self, subject: Subject, number: int | None) -> Block | None:
        """Return what keeps somebody out now; None when nothing does."""
        block = None if number is None else self._blocks.get((subject, number))
        over = block is not None and block.until_ms is not None and block.until_ms <= self._now_ms()
        return None if over else block

    def all(self) -> list[Block]:
        """Return everything that keeps somebody out now."""
        return [block for block in self._blocks.values() if self.of(block.subject, block.number)]

    async def block(self, block: Block, by: int) -> None:
        """Keep somebody out from now on; the log says who did it. An earlier block of theirs is replaced."""
        await self._database.write(_block, block, by, self._now_ms())
        self._blocks[block.subject, block.number] = block

    async def unblock(self, subject: Subject, number: int, by: int) -> bool:
        """Let somebody in again; return False when nothing kept them out."""
        known = self.of(subject, number) is not None
        await self._database.write(_unblock, subject, number, by, self._now_ms())
        self._blocks.pop((subject, number), None)
        return known


def _block(db: Statements, block: Block, by: int, now_ms: int) -> None:
    sql = """
        insert into blocked values (?, ?, ?, ?)
        on conflict (subject, number) do update set reason = excluded.reason, until_ms = excluded.until_ms
    """
    db.execute(sql, (block.subject, block.number, block.reason, block.until_ms))
    what = {"subject": block.subject, "number": block.number, "reason": block.reason, "until_ms": block.until_ms}
    note_audit(db, AuditEntry(guild_id=None, user_id=by, made_ms=now_ms, action="block", what=what))


def _unblock(db: Statements, subject: Subject, number: int, by: int, now_ms: int) -> None:
    db.execute("delete from blocked where subject = ? and number = ?", (subject, number))
    what = {"subject": subject, "number": number}
    note_audit(db, AuditEntry(guild_id=None, user_id=by, made_ms=now_ms, action="unblock", what=what))


def delete_ended_blocks(db: Statements, now_ms: int) -> None:
    """Delete the blocks whose end has come."""
    db.execute("delete from blocked where until_ms <= ?", (now_ms,))
