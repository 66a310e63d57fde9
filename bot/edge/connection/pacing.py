"""How often the bot may start, and how often a status card may be edited.

Discord resets the token of a bot that identifies 1,000 times in a day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bot.queue.database import StoreFull
from bot.queue.store import JobStore

log = logging.getLogger(__name__)

INTERVAL_MS = 100_000
"""one start per 100 s for ever is 864 a day"""
BURST = 20
"""starts that may follow at once: an upgrade that fails a few times is no crash loop"""
LONGEST_IDENTIFY_MS = 45_000
"""discord.py gives a shard 60 s to connect, 5 of which it rests itself"""

OLD_CARD_MS = 55 * 60 * 1000
"""the age from which a card is edited rarely: some minutes before the hour, because clocks differ"""
MOST_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class Pace:
    """How often cards are edited, in seconds."""

    edit_seconds: float = 4.0
    """between two edits of one card: after five edits in 2 s a card stayed on an old step"""
    queue_seconds: float = 10.0
    """between two refreshes of the cards that wait"""
    passing_seconds: float = 4.0
    """between two edits of a card to which nothing happened: the time goes on"""
    old_edit_seconds: float = 600.0
    """between two edits of a card that is nearly an hour old: Discord takes only a few an hour then (30046)"""
    most_begun: int = 48
    """cards of clips being made that are edited at full pace: 12 edits a second of the 50 requests Discord takes"""
    most_begun_in_channel: int = 2
    """the same in one channel: 1 edit in 2 s of the 5 in 5 s that Discord takes there"""
    most_waiting: int = 25
    """waiting cards that are edited at one refresh"""
    most_waiting_in_channel: int = 3
    """the same in one channel"""

    def after_edit(self, age_ms: int) -> float:
        """Return the rest after an edit of a card of that age."""
        return self.old_edit_seconds if age_ms > OLD_CARD_MS else self.edit_seconds

    def after_progress(self, begun: int, in_channel: int) -> float:
        """Return the rest before a card shows more progress, when so many clips are being made, so many for a channel.

        It bounds the progress of all cards together. What happens to a job does not wait for it.
        """
        return self.edit_seconds * max(1.0, begun / self.most_begun, in_channel / self.most_begun_in_channel)

    def after_failures(self, failures: int) -> float:
        """Return the rest after that many failures in a row: 4 s, 8 s, ... 256 s."""
        longest: float = self.edit_seconds * 2 ** min(failures - 1, MOST_DOUBLINGS)
        return longest


def pace(due_ms: int, now_ms: int) -> tuple[int, int]:
    """Return the wait before a start in milliseconds, and the new `due_ms`.

    The generic cell rate algorithm: `due_ms` is when the whole burst is available again; each start moves it on by one
    interval, and a start waits only while the burst is used up. A clock that jumps back costs one interval at most.
    """
    due_ms = min(max(due_ms, now_ms), now_ms + BURST * INTERVAL_MS)
    wait_ms = max(0, due_ms - now_ms - (BURST - 1) * INTERVAL_MS)
    return wait_ms, due_ms + INTERVAL_MS


async def paced_identify(store: JobStore, now_ms: Callable[[], int]) -> None:
    """Wait until the running bot may identify again, as it has to after a session that Discord declared invalid.

    Raises TimeoutError, uncounted, when that takes longer than discord.py waits; it then tries again by itself.
    """
    wait_ms, _ = pace(await _due_ms(store), now_ms())
    if wait_ms > LONGEST_IDENTIFY_MS:
        await asyncio.sleep(LONGEST_IDENTIFY_MS / 1000)
        raise TimeoutError("identified too often: waiting, to spare Discord's daily budget")
    await paced_start(store, now_ms)


async def _due_ms(store: JobStore) -> int:
    text = await store.settings.get("identifies")
    return int(text) if text and text.isdigit() else 0


async def paced_start(store: JobStore, now_ms: Callable[[], int]) -> None:
    """Wait until another start is allowed. The start is counted before it happens."""
    wait_ms, due_ms = pace(await _due_ms(store), now_ms())
    try:
        await store.settings.set("identifies", str(due_ms))
    except StoreFull:
        log.error("no room on the disk to count this start")
    if wait_ms:
        log.warning("too many starts in a row: waiting %.0f s, to spare Discord's daily budget", wait_ms / 1000)
        await asyncio.sleep(wait_ms / 1000)
