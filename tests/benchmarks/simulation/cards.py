"""What the status cards ask of Discord on that day: the bot's own rules of pacing, with and without their bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.edge.connection.pacing import Pace
from bot.edge.connection.refreshes import WaitingCard, choose_waiting

CHANNEL_WINDOW_MS = 5_000
CHANNEL_REQUESTS = 5
"""edits that Discord takes in a channel in one window"""
GLOBAL_REQUESTS = 50
"""requests that Discord takes from a bot in a second"""
NEAREST = 25
"""waiting cards that were refreshed before there was a bound"""


@dataclass
class Requests:
    """How many requests went out in each second, and how many edits in each channel and window."""

    seconds: Counter[int] = field(default_factory=Counter)
    windows: Counter[tuple[int, int]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def edit(self, kind: str, now_ms: int, channel: int) -> None:
        """Count an edit with the bot's token."""
        self.post(kind, now_ms)
        self.windows[channel, now_ms // CHANNEL_WINDOW_MS] += 1

    def post(self, kind: str, now_ms: int) -> None:
        """Count another request."""
        self.kinds[kind] += 1
        self.seconds[now_ms // 1000] += 1

    def over_global(self) -> int:
        """Return in how many seconds Discord would have refused requests."""
        return sum(count > GLOBAL_REQUESTS for count in self.seconds.values())

    def over_channel(self) -> int:
        """Return in how many windows of a channel Discord would have refused edits."""
        return sum(count > CHANNEL_REQUESTS for count in self.windows.values())


class Cards:
    """The cards of all jobs. `bounded` is the bot as it is; else each card keeps its own pace alone."""

    def __init__(self, pace: Pace, *, bounded: bool) -> None:
        self.requests = Requests()
        self._pace = pace
        self._bounded = bounded
        self._shown: dict[int, int] = {}
        self._channels: dict[int, int] = {}
        self._begun: dict[int, tuple[int, int]] = {}
        self._in_channel: Counter[int] = Counter()

    def open(self, job_id: int, channel: int, position: int) -> None:
        """Show a new card: through the interaction, which no limit of the bot counts."""
        self._channels[job_id], self._shown[job_id] = channel, position

    def begin(self, job_id: int, now_ms: int) -> int:
        """Show that the GPU has begun; return when more progress may be shown."""
        channel = self._channels[job_id]
        self._in_channel[channel] += 1
        self._begun[job_id] = (now_ms, channel)
        self.requests.edit("state", now_ms, channel)
        return now_ms + self._rest_ms(channel)

    def progress(self, job_id: int, now_ms: int) -> int | None:
        """Show progress; return when more may be shown, or None when the clip is not being made any more."""
        if job_id not in self._begun:
            return None
        channel = self._channels[job_id]
        self.requests.edit("progress", now_ms, channel)
        return now_ms + self._rest_ms(channel)

    def _rest_ms(self, channel: int) -> int:
        rest = self._pace.edit_seconds
        if self._bounded:
            rest = self._pace.after_progress(len(self._begun), self._in_channel[channel])
        return int(rest * 1000)

    def stop(self, job_id: int) -> None:
        """Note that a clip is not being made any more."""
        if self._begun.pop(job_id, None):
            self._in_channel[self._channels[job_id]] -= 1

    def end(self, job_id: int, now_ms: int) -> None:
        """Post the clip or the failure, and write the card's last state."""
        self.stop(job_id)
        self.requests.post("post", now_ms)
        self.requests.edit("state", now_ms, self._channels.pop(job_id))
        self._shown.pop(job_id, None)

    def refresh(self, waiting: Sequence[int], now_ms: int) -> None:
        """Edit the cards whose position changed, as a refresh of the bot does."""
        if self._bounded:
            cards = [
                WaitingCard(job_id, position, self._shown.get(job_id), self._channels[job_id])
                for position, job_id in enumerate(waiting, start=1)
            ]
            chosen, _ = choose_waiting(cards, self._pace)
        else:
            near = enumerate(waiting[:NEAREST], start=1)
            chosen = [job_id for position, job_id in near if self._shown.get(job_id) != position]
        apart = int(self._pace.queue_seconds * 1000 / self._pace.most_waiting) if self._bounded else 0
        places = {job_id: position for position, job_id in enumerate(waiting, start=1)}
        for number, job_id in enumerate(chosen):
            self._shown[job_id] = places[job_id]
            self.requests.edit("position", now_ms + number * apart, self._channels[job_id])

    def errors(self, waiting: Sequence[int]) -> list[float]:
        """Return by which factor each waiting card's position is wrong."""
        found = [(self._shown.get(job_id, position), position) for position, job_id in enumerate(waiting, start=1)]
        return [max(shown / position, position / shown) for shown, position in found]
