"""How far one render is, and how long it still takes: what its card's bar and time follow. Pure, with times handed in.

The bar goes by what is left of the expected time, not by fixed shares: what takes longer or shorter than expected only
changes how fast it moves from there. So it never goes back or jumps, and it has no share that a slow phase can use up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.queue.life.phases import Course
from generator.protocol import Phase, Progress

_ORDER = tuple(Phase)

_LATEST = 0.99
"""the bar is full when the clip is there"""
_SURE_PART, _MEASURED_PART = 0.85, 0.9
"""of an expected time the bar follows the clock; then it slows down, for nobody knows when the next word comes. The
second is for a step when this render has shown how long its steps take"""
_RESERVE = 0.04
"""of the whole time, kept for an end that takes longer than expected"""
_CREEP, _CREEP_OF_REST = 0.15, 2.5
"""how far an overdue bar moves in the time of a whole render: this part of the bar, and of what is left at most"""
_STEP_WEIGHT = 3
"""how much more a measured step of this render says than the expectation from others"""
_LEAST_PACE, _MOST_PACE = 0.2, 5.0
"""a card is believed to be so much faster or slower in a later phase than expected, for it was so in the denoising"""
_OVERDUE_GOES_ON = 0.5
"""what is overdue is expected to take half of its delay more"""
_LEAST_LEFT = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a render is: its part from 0 to 1, and the milliseconds until its clip is posted."""

    part: float
    left_ms: int


@dataclass(slots=True)
class Advance:
    """One render on its way. `note` each progress, `look` at any time; `now` is in seconds and never goes back."""

    course: Course
    began: float
    took: dict[str, float] = field(default_factory=dict)
    """milliseconds of each phase so far"""
    is_repeated: bool = False
    """it began anew, after bad frames or without memory: nothing is learned from it"""
    _said: Phase = Phase.LOAD
    _phase: Phase | None = None
    """what goes on: after the last step of one phase it is the next one"""
    _step: int = 0
    _of: int = 0
    _phase_since: float = 0.0
    _since: float = 0.0
    """when the last progress came"""
    _first: float = 0.0
    """when the first step of the phase was done"""
    _part: float = 0.0
    _rest_ms: float | None = None
    _looked: float = 0.0

    def note(self, item: Progress, now: float) -> None:
        """Note that a render has moved on."""
        if self._phase is None:
            self._phase, self._phase_since, self._looked = item.phase, now, now
        else:
            # Progress is sent for finished steps, and step 0 is none.
            spent_in = item.phase if item.step else self._phase
            self.took[spent_in] = self.took.get(spent_in, 0.0) + 1000 * (now - self._since)
        self.look(now)
        self.is_repeated = self.is_repeated or _ORDER.index(item.phase) < _ORDER.index(self._said)
        self._move_to(item, now)
        self._said, self._since = item.phase, now
        self._rest_ms = None  # another estimate is no progress
        self.look(now)

    def _move_to(self, item: Progress, now: float) -> None:
        is_done = item.step >= item.of > 0 and item.phase is not _ORDER[-1]
        phase = _ORDER[_ORDER.index(item.phase) + 1] if is_done else item.phase
        if phase is not self._phase:
            self._phase_since = now if is_done or not item.step else self._since
        elif item.step == self._step + 1 and self._rest_ms:
            expected, _, age = self._unit(now)
            self._move((1 - _done(age, self._sure)) * expected)
        if item.step == 1:
            self._first = now
        self._phase, self._step, self._of = phase, *((0, 0) if is_done else (item.step, item.of))

    def _move(self, done_ms: float) -> None:
        """Move the bar by work that is done, of what was left when it was looked at last."""
        if self._rest_ms:
            self._part += (1 - self._part) * min(1.0, max(0.0, done_ms / self._rest_ms))
            self._part = min(self._part, _LATEST)

    def finish(self, now: float) -> dict[str, float]:
        """Return the seconds of each phase of a render that is finished now; empty when nothing is to be learned."""
        if self._phase is not _ORDER[-1] or self.is_repeated:
            return {}
        took = self.took | {self._phase: self.took.get(self._phase, 0.0) + 1000 * (now - self._since)}
        return {phase: ms / 1000 for phase, ms in took.items()}

    def look(self, now: float) -> Standing:
        """Return how far the render is now."""
        if self._phase is None:
            return Standing(0.0, round(self._later_ms(Phase.LOAD) + self.course.sending_ms))
        expected, units_left, age = self._unit(now)
        later_ms = self._later_ms(self._phase) + self.course.sending_ms
        rest_ms = (units_left - _done(age, self._sure)) * expected + later_ms
        rest_ms += _RESERVE * (1000 * (now - self.began) + rest_ms)
        before = self._part
        self._move((self._rest_ms or 0.0) - rest_ms)
        if age > 1:
            least = min(_CREEP, _CREEP_OF_REST * (1 - before)) * (now - self._looked)
            least /= now - self.began + rest_ms / 1000
            self._part = max(self._part, min(before + least, _LATEST))
        self._rest_ms, self._looked = rest_ms, now
        own_ms = (units_left - 1 + max(1 - age, _LEAST_LEFT, (age - 1) * _OVERDUE_GOES_ON)) * expected
        return Standing(self._part, round(own_ms + later_ms))

    @property
    def _sure(self) -> float:
        return _MEASURED_PART if self._step > 1 else _SURE_PART

    def _unit(self, now: float) -> tuple[float, int, float]:
        """Return what one step of the phase takes (ms), how many are left, and the age of this one in that unit.

        A phase that tells no steps is one step. The first one is not measured: it holds what comes before it too.
        """
        assert self._phase is not None
        steps = max(1, self._of)
        expected = max(1.0, self.course.phases[self._phase] * self._pace() / steps)
        if self._step > 1:
            weight = _STEP_WEIGHT * self._step
            expected = max(1.0, (expected + weight * self._step_ms()) / (1 + weight))
        since = self._since if self._step else self._phase_since
        return expected, max(1, steps - self._step), 1000 * (now - since) / expected

    def _step_ms(self) -> float:
        return 1000 * (self._since - self._first) / (self._step - 1)

    def _later_ms(self, phase: Phase) -> float:
        pace = self._pace()
        later = _ORDER[_ORDER.index(phase) + 1 :]
        return sum(self.course.phases[each] * (1.0 if each is Phase.ENCODE else pace) for each in later)

    def _pace(self) -> float:
        """Return how much slower this card is than expected, as its denoising shows; 1.0 before that."""
        expected = max(1.0, self.course.phases[Phase.DENOISE])
        if self._phase is Phase.DENOISE and self._step > 1:
            measured = self._step_ms() * self._of
        elif self._phase is Phase.DECODE and not self.is_repeated:
            measured = self.took.get(Phase.DENOISE, expected)
        else:
            return 1.0
        return min(_MOST_PACE, max(_LEAST_PACE, measured / expected))


def _done(age: float, sure: float) -> float:
    """Return which part of a step is done at an age in its expected duration: as the clock, then ever more slowly."""
    return age if age < sure else 1 - (1 - sure) ** 2 / (age + 1 - 2 * sure)
