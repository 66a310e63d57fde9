"""How the bar and the time of a render move, over renders as they are recorded: faster, slower and other than expected.

A record lists when each progress came, in seconds.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from bot.queue.life.advance import Advance, Standing
from bot.queue.life.phases import guess_course
from generator.protocol import Phase, Progress

Record = list[tuple[float, Progress]]


def record(
    *, prepare: float, step: float, decode: float, encode: float, steps: int = 25, frames: int = 25, load: float = 0.0
) -> Record:
    """Return the progress of a render whose phases took so many seconds, and at last its end."""
    now, events = load, [(0.0, Progress(Phase.LOAD))] if load else []
    events += [(now, Progress(Phase.PREPARE)), (now, Progress(Phase.PREPARE, 0, 2))]
    now += prepare
    events += [(now, Progress(Phase.PREPARE, 2, 2))]
    for done in range(steps + 1):
        events.append((now + done * step, Progress(Phase.DENOISE, done, steps)))
    now += steps * step
    events.append((now, Progress(Phase.DECODE, 0, frames)))
    for done in range(frames):  # the decoder computes for long, and then the frames come together
        events.append((now + decode + 0.001 * done, Progress(Phase.DECODE, done + 1, frames)))
    now += decode + 0.03
    events += [(now, Progress(Phase.ENCODE)), (now + encode, Progress(Phase.ENCODE, 1, 1))]
    return events


USUAL = record(prepare=1.5, step=1.74, decode=5.0, encode=1.5)
"""about what 25 frames with 25 steps take on an A100: 51 s"""
SLOW_DECODE = record(prepare=1.5, step=1.74, decode=25.0, encode=1.5)
SLOW_ENCODE = record(prepare=1.5, step=1.74, decode=5.0, encode=20.0)
SLOW_LOAD = record(prepare=1.5, step=1.74, decode=5.0, encode=1.5, load=90.0)
SLOW_CARD = record(prepare=12.0, step=14.0, decode=40.0, encode=3.0)
FAST_CARD = record(prepare=0.3, step=0.3, decode=1.0, encode=0.5)
FEW_STEPS = record(prepare=1.5, step=20.0, decode=5.0, encode=1.5, steps=2)
ALL = {
    "usual": USUAL, "slow decode": SLOW_DECODE, "slow encode": SLOW_ENCODE, "slow load": SLOW_LOAD,
    "slow card": SLOW_CARD, "fast card": FAST_CARD, "few steps": FEW_STEPS,
}  # fmt: skip


def play(events: Record, cost_ms: float = 50_900) -> list[tuple[float, Standing]]:
    """Return what a card would show every 200th part of a render."""
    advance, left, shown = Advance(guess_course(cost_ms), 0.0), list(events[:-1]), []
    end = events[-1][0]
    for tick in range(200):
        now = end * tick / 200
        while left and left[0][0] <= now:
            moment, item = left.pop(0)
            advance.note(item, moment)
        shown.append((now, advance.look(now)))
    return shown


@pytest.mark.parametrize("name", ALL)
def test_the_bar_never_goes_back_and_never_rests_for_a_tenth_of_the_render(name: str) -> None:
    shown = play(ALL[name])
    percents = [int(100 * standing.part) for _, standing in shown]
    assert percents == sorted(percents)
    assert percents[0] <= 1 and percents[-1] <= 99
    rests = [0]
    for before, after in pairwise(percents):
        rests.append(0 if after > before else rests[-1] + 1)
    assert max(rests) < 20, f"a rest of {max(rests) / 2} % at {percents[rests.index(max(rests))]} %"


def test_a_bar_of_fixed_shares_does_rest_there() -> None:
    """The negative control: what the bar would be by steps alone."""
    spans = {Phase.PREPARE: (0.05, 0.1), Phase.DENOISE: (0.1, 0.85), Phase.DECODE: (0.85, 0.95)}
    end, shares = SLOW_DECODE[-1][0], []
    for tick in range(200):
        last = [item for moment, item in SLOW_DECODE if moment <= end * tick / 200][-1]
        low, high = spans.get(last.phase, (0.95, 1.0))
        shares.append(int(100 * (low + (high - low) * (last.step / last.of if last.of else 0.0))))
    assert max(shares.count(share) for share in set(shares)) > 50


def test_as_expected_the_bar_follows_the_clock() -> None:
    whole = 1.04 * USUAL[-1][0] + guess_course(1).sending_ms / 1000  # it is full when the clip is posted
    for now, standing in play(USUAL):
        assert standing.part == pytest.approx(now / whole, abs=0.09)


@pytest.mark.parametrize("name", ALL)
def test_the_time_is_never_nothing_and_close_while_the_steps_tell_it(name: str) -> None:
    shown, end = play(ALL[name]), ALL[name][-1][0]
    assert min(standing.left_ms for _, standing in shown) > 0
    if name in ("usual", "slow card", "fast card"):
        middle = [(now, standing) for now, standing in shown if 0.2 < now / end < 0.8]
        sending_ms = guess_course(1).sending_ms
        errors = [abs((standing.left_ms - sending_ms) / 1000 - (end - now)) / end for now, standing in middle]
        assert max(errors) < 0.2


def test_what_is_overdue_is_told_to_take_longer_and_longer() -> None:
    advance = Advance(guess_course(10_000), 0.0)
    advance.note(Progress(Phase.DENOISE, 0, 4), 0.0)
    told = [advance.look(now).left_ms for now in (2.0, 20.0, 60.0, 200.0)]
    assert told == sorted(told)
    assert told[0] < 12_000 and told[-1] > 60_000


def test_a_render_that_begins_anew_goes_on_from_where_its_bar_was_and_teaches_nothing() -> None:
    advance = Advance(guess_course(50_900), 0.0)
    for moment, item in USUAL[:20]:
        advance.note(item, moment)
    before = advance.look(USUAL[19][0]).part
    begun, moved = USUAL[19][0], []
    for moment, item in USUAL[:-1]:
        advance.note(item, begun + moment)
        moved.append(advance.look(begun + moment).part)
    assert moved[0] == pytest.approx(before)
    assert moved == sorted(moved) and moved[-1] > before + 0.2
    assert advance.finish(begun + USUAL[-1][0]) == {}


def test_a_finished_render_tells_what_its_phases_took_loading_and_writing_too() -> None:
    advance = Advance(guess_course(50_900), 0.0)
    for moment, item in SLOW_LOAD[:-1]:
        advance.note(item, moment)
    assert advance.finish(SLOW_LOAD[-1][0]) == pytest.approx(
        {"load": 90.0, "prepare": 1.5, "denoise": 43.5, "decode": 5.024, "encode": 1.506}, abs=0.01
    )
    assert Advance(guess_course(1), 0.0).finish(1.0) == {}, "one of which nothing was seen"
    unfinished = Advance(guess_course(1), 0.0)
    unfinished.note(Progress(Phase.DENOISE, 1, 4), 0.0)
    assert unfinished.finish(1.0) == {}
