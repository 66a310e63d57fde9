"""What is known of one job's status card: what it shows, and when it may be edited again.

Tested in tests/bot/edge/test_status_cards.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.texts.jobs.status import Origin
from bot.work.gate import Hold


@dataclass(frozen=True, slots=True)
class FirstWrite:
    """How a card is written for the first time: into the interaction's answer, with the picture as its preview."""

    edit: Callable[..., Coroutine[Any, Any, object]]
    """fills in the interaction's answer, as its `edit_original_response` does"""
    preview: Path


@dataclass
class Card:
    """One card, with the task that writes it."""

    job_id: int
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    """set with `dirty`, unless only progress is new"""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    first: FirstWrite | None = None
    """None once it is written"""
    written: tuple[object, object] | None = None
    """what had happened when it was written, and its text; None: it must be written anew"""
    shown: tuple[int, Hold | None] | None = None
    """the position that is written, counted from the running jobs, with the hold; None: it must be written anew"""
    channel_id: int | None = None
    rests_until: float = 0.0
    """no edit before that, by the loop's clock"""
    progress_at: float = 0.0
    """no edit before that which only shows progress"""
    passes_at: float | None = None
    """when it is out of date though nothing happens, by the loop's clock; None: it never is"""
    is_running: bool = False
    """it is no longer among the waiting ones, which are edited in turns"""
    due_ms: int | None = None
    """when its clip was promised last"""
    origin: Origin | None = None
    """the clip whose button made it, once that was looked up"""
    has_preview: bool = True
    preview: str = ""
    """the preview of the clip that it shows in place of the framed picture, in base64"""
    token_is_dead: bool = False
    """Discord no longer takes the interaction's token: only the bot token may write this card"""
    is_closed: bool = False
    """the channel is closed to the bot: the token writes this card, and no refusal is asked for again"""
    given_up: object = None
    """the state of the job in which Discord refused the card for good; another state is worth another try"""
    failures: int = 0
    """in a row"""
    task: asyncio.Task[None] | None = None
