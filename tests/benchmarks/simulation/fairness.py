"""What each person should get of the GPUs, as a fluid, beside what the queue gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

Costs = dict[int, float]


def pour(amount: float, backlog: Mapping[int, float], shares: Mapping[int, int]) -> Costs:
    """Divide `amount` by share among those who wait, and nobody more than they wait for: weighted max-min fairness."""
    given: Costs = {}
    order = sorted(backlog, key=lambda who: backlog[who] / shares[who])
    weight = sum(shares[who] for who in order)
    for who in order:
        given[who] = min(backlog[who], amount * shares[who] / weight)
        amount -= given[who]
        weight -= shares[who]
    return given


class Fluid:
    """The same GPU time as the queue gave out, poured by share each minute. All in GPU milliseconds."""

    def __init__(self, shares: Mapping[int, int]) -> None:
        self._shares = shares
        self._asked: Costs = defaultdict(float)
        self._should: Costs = defaultdict(float)
        self._got: Costs = defaultdict(float)
        self._waits: set[int] = set()
        self._to_pour = 0.0
        self.lags: list[float] = []
        """of everybody who waits, at each minute: how far they are behind; negative: ahead"""

    def ask(self, who: int, cost: float) -> None:
        """Note that a job waits; a negative cost: that one was cancelled."""
        self._asked[who] += cost
        self._waits.add(who)

    def give(self, who: int, cost: float) -> None:
        """Note that a job began; a negative cost: that one was given back."""
        self._got[who] += cost
        self._to_pour += cost

    def minute(self, waiting: Iterable[int]) -> None:
        """Pour what was given since the last minute; note how far those who are `waiting` are behind."""
        backlog = {who: left for who in self._waits if (left := self._asked[who] - self._should[who]) > 1e-6}
        if self._to_pour > 0:
            for who, cost in pour(self._to_pour, backlog, self._shares).items():
                self._should[who] += cost
            self._to_pour = 0.0
        people = set(waiting)
        self._waits = set(backlog) | people
        self.lags += [self._should[who] - self._got[who] for who in people]
