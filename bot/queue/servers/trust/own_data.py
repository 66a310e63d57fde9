"""Everything that is kept about one person, as they may ask for it.

Tested in tests/bot/edge/commands/trust/test_own_data.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bot.queue.database import Statements

_BY_ID: dict[str, str] = {
    "requests": "select * from job where user_id = :id order by id",
    "posts": "select outbox.* from outbox join job on job.id = job_id where user_id = :id order by job_id",
    "pictures": (
        "select job_id, hash, who is not null as is_of_somebody_else from source join job on job.id = job_id "
        "where user_id = :id order by job_id"
    ),
    "queue": "select * from lane where user_id = :id",
    "set_aside": "select set_aside.* from set_aside join job on job.id = job_id where user_id = :id",
    "questions_you_asked": "select * from consent where user_id = :id",
    "questions_to_you": "select key, guild_id, channel_id, message_id, until_ms from consent where author_id = :id",
    "held_back": "select * from review where user_id = :id order by id",
    "blocks": "select reason, until_ms from blocked where subject = 'person' and number = :id",
    "changes_you_made": "select guild_id, made_ms, action, what from audit where user_id = :id order by id",
    "chosen_last": "select chosen, made_ms from choice where user_id = :id",
    "opted_out": "select count(*) as yes from opted_out where who = :who",
    "used_after_forgetting": "select served, until_ms from debt where who = :who",
    "quota_after_forgetting": "select created_ms, cost_ms from spent where who = :who",
}
"""what it is called in the file -> how it is read. A time ends in _ms: UTC milliseconds"""
_JSON = ("route", "settings", "notes", "failure", "facts", "told", "request", "what", "chosen")
_SECRETS = ("interaction_token",)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """What is kept about a person: the rows by theme, and the names of their files in the spool, newest first."""

    rows: dict[str, list[dict[str, Any]]]
    files: list[str]


def own_data(db: Statements, user_id: int, who: str) -> OwnData:
    """Read everything about a person; `who` is the keyed hash of their id. Tokens are left out: they are Discord's."""
    rows = {theme: _read(db, sql, {"id": user_id, "who": who}) for theme, sql in _BY_ID.items()}
    jobs = reversed(rows["requests"])
    files = [job[name] for job in jobs for name in ("clip", "master", "picture") if job[name]]
    files += [review["picture"] for review in rows["held_back"] if review["picture"]]
    return OwnData(rows=rows, files=list(dict.fromkeys(files)))


def _read(db: Statements, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    # The names come with the rows, so that a new column is never forgotten here.
    names = [row[0] for row in db.execute(f"select name from pragma_table_xinfo('{_table(sql)}')").fetchall()]
    if "select *" not in sql and ".*" not in sql:
        names = _named(sql)
    return [_readable(dict(zip(names, row, strict=True))) for row in db.execute(sql, values).fetchall()]


def _table(sql: str) -> str:
    return sql.partition(" from ")[2].split()[0]


def _named(sql: str) -> list[str]:
    """Return the names of the columns that a statement lists."""
    listed = sql.removeprefix("select ").partition(" from ")[0]
    return [item.split(" as ")[-1].strip() for item in listed.split(",")]


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: _parsed(value) if name in _JSON and isinstance(value, str) else value for name, value in row.items()}
    for value in found.values():
        if isinstance(value, dict):
            for secret in _SECRETS:
                value.pop(secret, None)
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
