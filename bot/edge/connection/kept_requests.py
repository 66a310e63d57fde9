"""Refused requests that are kept for a quarter of an hour, so that their person can mend one and try again.

In memory alone, and without the picture itself: what is kept of it is the link to Discord's own copy. A restart, an
attempt that is taken, and /forget-me end it at once.

Tested in tests/bot/edge/commands/submission/choosing/test_mending.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.policy.facts import PictureFacts
from bot.queue.job import wall_clock_ms
from bot.work.ongoing import Concerns, Owner

if TYPE_CHECKING:  # its package is all of the commands, which import this module
    from bot.edge.commands.submission.sources import Source

KEEP_SECONDS = 14 * 60.0
"""the answer with the button can be changed for 15 minutes"""
MOST_EACH = 5
"""requests kept of one person; a further one ends the oldest"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A refused request: whose, of which picture, with which options, and why it was refused."""

    owner: Owner
    source: Source
    picture: PictureFacts
    typed: Mapping[str, Any]
    """the name of an option -> what was typed or chosen for it"""
    why: str
    mend: str
    """the option to change, or "picture", or "channel"; empty: nothing, it may be taken later as it is"""

    def to_json(self) -> dict[str, Any]:
        """Return what is kept, for its person to read."""
        chosen = {name: shown(value) for name, value in self.typed.items()}
        return {"guild_id": self.owner.guild_id, "picture": self.source.url, "chosen": chosen, "why": self.why}


def shown(value: Any) -> str:
    """Return a value of an option as a person types it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class KeptRequests:
    """The refused requests, by the id of their interaction."""

    def __init__(self, keep_seconds: float = KEEP_SECONDS) -> None:
        self._keep_seconds = keep_seconds
        self._kept: dict[str, tuple[Kept, asyncio.TimerHandle]] = {}

    def keep(self, key: str, kept: Kept) -> int:
        """Keep a request, and return until when: UTC milliseconds."""
        of_person = [other for other, (item, _) in self._kept.items() if item.owner.user_id == kept.owner.user_id]
        for oldest in of_person[: max(0, len(of_person) - MOST_EACH + 1)]:
            self.drop(oldest)
        timer = asyncio.get_running_loop().call_later(self._keep_seconds, self.drop, key)
        self._kept[key] = (kept, timer)
        return wall_clock_ms() + round(self._keep_seconds * 1000)

    def get(self, key: str) -> Kept | None:
        """Return a request that is still kept."""
        found = self._kept.get(key)
        return found[0] if found else None

    def drop(self, key: str) -> None:
        """Keep a request no longer."""
        if found := self._kept.pop(key, None):
            found[1].cancel()

    def forget(self, concerns: Concerns) -> None:
        """Drop the requests of a person or of a server."""
        self._drop_all(lambda kept: concerns(kept.owner))

    def of_user(self, user_id: int) -> list[Kept]:
        """Return what is kept of a person."""
        return [kept for kept, _ in self._kept.values() if kept.owner.user_id == user_id]

    def close(self) -> None:
        """Drop everything."""
        self._drop_all(lambda kept: True)

    def _drop_all(self, which: Callable[[Kept], bool]) -> None:
        for key in [key for key, (kept, _) in self._kept.items() if which(kept)]:
            self.drop(key)
