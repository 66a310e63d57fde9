"""In which language sentences are said just now: each task has its own, and hands it to the tasks that it starts.

It is set where something comes in or goes out: for each interaction in `bot/edge/connection/languages.py`, for each
card and delivery by the job's route, and at the start to the operator's choice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from bot.policy.language import ENGLISH, Language, language_of

_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def spoken() -> Language:
    """Return the language that is spoken just now."""
    return _spoken.get()


def speak(code: str | None) -> None:
    """Speak a language from now on, in this task and in those that it starts. An unknown one changes nothing."""
    _spoken.set(language_of(code) or spoken())


@contextlib.contextmanager
def speaking(code: str | None) -> Iterator[None]:
    """Speak a language inside the block, as `speak` does."""
    before = _spoken.set(language_of(code) or spoken())
    try:
        yield
    finally:
        _spoken.reset(before)
