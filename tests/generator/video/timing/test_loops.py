"""Loops whose end meets their beginning."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from generator.clip import Loop
from generator.video.timing.loops import best_seam, boomerang, crossfade, looped
from tests.support.scenes import Frames, noise, pan, swing


def jumps(frames: Frames) -> list[float]:
    """Return the distance from each frame to the next, the last to the first included."""
    ring = [*frames, frames[0]]
    return [float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(ring)]


def test_a_boomerang_shows_no_frame_twice_in_a_row() -> None:
    frames = pan(6, 32, 32)
    order = [next(i for i, own in enumerate(frames) if own is frame) for frame in boomerang(frames)]
    assert order == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    assert min(jumps(boomerang(frames))) > 0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("loop", Loop)
def test_loops_of_very_short_clips_keep_frames(loop: Loop, count: int) -> None:
    frames, _ = looped(pan(count, 32, 32), loop)
    assert len(frames) >= min(count, 2)


def test_a_crossfade_has_no_jump_at_its_seam() -> None:
    frames = pan(16, 96, 64, grain=0)
    plain, faded = jumps(frames), jumps(crossfade(frames))
    assert plain[-1] > 3 * max(plain[:-1]), "the negative control: the clip itself jumps"
    assert faded[-1] < 2 * max(plain[:-1])
    assert len(faded) == 12


def test_a_crossfade_keeps_the_frames_it_does_not_blend() -> None:
    frames = pan(16, 32, 32)
    assert all(a is b for a, b in zip(crossfade(frames)[4:], frames[4:12], strict=True))


@pytest.mark.parametrize("period", [8, 11, 13])
def test_the_best_seam_finds_a_full_period(period: int) -> None:
    start, end, score = best_seam(swing(20, 96, 64, period))
    assert (end - start) % period == 0
    assert score == 1.0


def test_the_best_seam_does_not_turn_round() -> None:
    """A swing passes its middle twice a period, going the other way: same place, wrong direction."""
    frames = boomerang(pan(7, 96, 64)) * 2
    start, end, score = best_seam(frames)
    assert (end - start) % 12 == 0
    assert score == 1.0


def test_the_score_tells_good_seams_from_bad_ones() -> None:
    _, _, good = best_seam(swing(20, 96, 64, 12))
    _, _, bad = best_seam(pan(20, 96, 64))
    assert good > bad
    assert bad < 0.5


def test_still_frames_loop_perfectly_and_noise_keeps_at_least_half() -> None:
    still = [np.zeros((64, 64, 3), np.uint8)] * 8
    assert best_seam(still) == (0, 8, 1.0)
    start, end, _ = best_seam(noise(10, 64, 64))
    assert end - start >= 5


def test_a_seam_tells_its_score() -> None:
    _, notes = looped(swing(20, 96, 64, 10), Loop.SEAM)
    assert [(note.kind, note.data) for note in notes] == [("loop-score", {"score": 1.0})]
