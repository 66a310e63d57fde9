"""Who is kept out, why and until when. Pure.

Tested in tests/bot/queue/servers/trust/test_blocks.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Subject(StrEnum):
    """What can be kept out."""

    PERSON = "person"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Somebody who is kept out."""

    subject: Subject
    number: int
    """Discord's id of the person or the server"""
    reason: str
    until_ms: int | None = None
    """None: until an operator takes it back"""
