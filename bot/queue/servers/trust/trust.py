"""Trust: one store for each theme of this folder, and what forgetting and the sweep do with them.

Tested in tests/bot/queue/servers/trust/test_blocks.py and tests/bot/queue/servers/trust/test_pictures.py.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.queue.database import Database, Statements
from bot.queue.servers.trust.blocks import Blocks, delete_ended_blocks
from bot.queue.servers.trust.consents import Consents, forget_consents
from bot.queue.servers.trust.pictures import Pictures
from bot.queue.servers.trust.reports import Reports, delete_old_reports


class Trust:
    """What is kept so that people and servers stay in charge. `load` it before the first look."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self.blocks = Blocks(database, now_ms)
        self.pictures = Pictures(database, now_ms)
        self.consents = Consents(database, now_ms)
        self.reports = Reports(database, now_ms)

    async def load(self) -> None:
        """Read into memory what is asked for at each request."""
        await self.blocks.load()
        await self.pictures.load()


def forget_trust(db: Statements, whose: str, value: int) -> None:
    """Delete what a forgotten person or server leaves: what waits for a word, a server's reports and blocked pictures.

    A block stays, and so does an opt-out.
    """
    forget_consents(db, whose, value)
    if whose == "guild_id":
        db.execute("delete from blocked_picture where guild_id = ?", (value,))
        db.execute("delete from report where guild_id = ?", (value,))


def delete_old_trust(db: Statements, now_ms: int) -> None:
    """Delete what is over: ended blocks, old reports."""
    delete_ended_blocks(db, now_ms)
    delete_old_reports(db, now_ms)
