"""The servers' settings and the log of who changed what. Read from memory: this process alone writes them.

Tested in tests/bot/queue/servers/test_settings.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.policy.server import DEFAULTS, ServerSettings, change_settings, read_settings
from bot.queue.database import Database, Statements, fetch

SETTINGS_CHANGED = "settings"
"""in the log: a server's settings were changed"""
KEPT_DAYS = 90
"""how long the log of who changed what is kept"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the log."""

    guild_id: int | None
    """None: something that the people who run the bot did"""
    user_id: int | None
    """None: that person was forgotten"""
    made_ms: int
    action: str
    what: Mapping[str, Any]


def note_audit(db: Statements, entry: AuditEntry) -> None:
    """Write one line into the log, as a part of the transaction that does what it says."""
    values = (entry.guild_id, entry.user_id, entry.made_ms, entry.action, json.dumps(entry.what))
    db.execute("insert into audit (guild_id, user_id, made_ms, action, what) values (?, ?, ?, ?, ?)", values)


def forget_person_in_audit(db: Statements, user_id: int) -> None:
    """Remove a person from the log; what was changed stays, by nobody."""
    db.execute("update audit set user_id = null where user_id = ?", (user_id,))


def forget_server(db: Statements, guild_id: int) -> None:
    """Delete a server's settings and its log."""
    db.execute("delete from server where guild_id = ?", (guild_id,))
    db.execute("delete from audit where guild_id = ?", (guild_id,))


def delete_old_audit(db: Statements, now_ms: int) -> None:
    """Delete the lines of the log that are too old."""
    db.execute("delete from audit where made_ms < ?", (now_ms - KEPT_DAYS * 24 * 3_600_000,))


class Servers:
    """What servers have chosen. `load` it before the first look."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._settings: dict[int, ServerSettings] = {}

    async def load(self) -> None:
        """Read all servers' settings into memory: a few hundred bytes each."""
        rows = await self._database.read(fetch, "select guild_id, settings from server")
        self._settings = {guild_id: read_settings(json.loads(kept)) for guild_id, kept in rows}

    def settings(self, guild_id: int | None) -> ServerSettings:
        """Return a server's settings; the defaults for one that chose nothing, and outside of servers."""
        return DEFAULTS if guild_id is None else self._settings.get(guild_id, DEFAULTS)

    async def change(self, guild_id: int, user_id: int, changes: Mapping[str, Any]) -> ServerSettings:
        """Change some of a server's settings, log it in the same transaction, and return all of them.

        Raises pydantic's ValidationError, and StoreFull.
        """
        kept = await self._database.write(_change, guild_id, user_id, changes, self._now_ms())
        self._settings[guild_id] = read_settings(kept)
        return self._settings[guild_id]

    def drop(self, guild_id: int) -> None:
        """Drop what is in memory of a server that was forgotten."""
        self._settings.pop(guild_id, None)

    async def audit(self, guild_id: int | None, limit: int = 25) -> list[AuditEntry]:
        """Read the log of a server, or of the people who run the bot, the newest line first."""
        sql = """
            select guild_id, user_id, made_ms, action, what from audit
            where guild_id is ? order by id desc limit ?
        """
        rows = await self._database.read(fetch, sql, (guild_id, limit))
        return [
            AuditEntry(guild_id=guild, user_id=user, made_ms=made, action=action, what=json.loads(what))
            for guild, user, made, action, what in rows
        ]

    async def note(self, entry: AuditEntry) -> None:
        """Write a line into the log that no other change belongs to."""
        await self._database.write(note_audit, entry)


def _change(db: Statements, guild_id: int, user_id: int, changes: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    rows = db.execute("select settings from server where guild_id = ?", (guild_id,)).fetchall()
    before = json.loads(rows[0][0]) if rows else {}
    after = change_settings(before, changes)
    changed = {name: [before.get(name), after[name]] for name in changes if before.get(name) != after[name]}
    if changed:
        sql = "insert into server values (?, ?) on conflict (guild_id) do update set settings = excluded.settings"
        db.execute(sql, (guild_id, json.dumps(after)))
        entry = AuditEntry(guild_id=guild_id, user_id=user_id, made_ms=now_ms, action=SETTINGS_CHANGED, what=changed)
        note_audit(db, entry)
    return after
