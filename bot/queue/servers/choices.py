"""What each person chose last in the form to ask for a clip, so that their next form begins with it.

Tested in tests/bot/queue/servers/test_choices.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.queue.database import Database, Statements, fetch_one

KEPT_DAYS = 30
"""how long it is kept after the form was last sent"""


class Choices:
    """The fields of the form and what was chosen in them, by person."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    async def of(self, user_id: int) -> dict[str, Any]:
        """Read what somebody chose last, by field; empty when nothing is known."""
        row = await self._database.read(fetch_one, "select chosen from choice where user_id = ?", (user_id,))
        return {} if row is None else dict(json.loads(row[0]))

    async def keep(self, user_id: int, chosen: Mapping[str, Any]) -> None:
        """Keep what somebody chose; fields that were not asked this time stay as they were. Raises StoreFull."""
        await self._database.write(_keep, user_id, json.dumps(chosen), self._now_ms())


def _keep(db: Statements, user_id: int, chosen: str, now_ms: int) -> None:
    sql = """
        insert into choice values (?, ?, ?)
        on conflict (user_id) do update set chosen = json_patch(chosen, excluded.chosen), made_ms = excluded.made_ms
    """
    db.execute(sql, (user_id, chosen, now_ms))


def forget_choices(db: Statements, user_id: int) -> None:
    """Delete what a person chose."""
    db.execute("delete from choice where user_id = ?", (user_id,))


def delete_old_choices(db: Statements, now_ms: int) -> None:
    """Delete what was chosen too long ago."""
    db.execute("delete from choice where made_ms < ?", (now_ms - KEPT_DAYS * 24 * 3_600_000,))
