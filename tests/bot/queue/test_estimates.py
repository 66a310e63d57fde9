"""What a render is expected to cost, before and after renders of its kind and of its variant were measured."""

from __future__ import annotations

from contextlib import closing

import pytest

from bot.queue.estimates import encoding_ms, estimate, kind_for, learn
from generator.clip import ClipSettings, Loop
from generator.variants import BUILT_IN
from tests.support.jobs import in_memory


def test_another_kind_is_estimated_from_the_variants_measured_kinds() -> None:
    with closing(in_memory()) as db:
        measured, _ = kind_for(db, ClipSettings(steps=10), BUILT_IN)
        learn(db, measured, 100_000)

        _, cost_ms = kind_for(db, ClipSettings(steps=20), BUILT_IN)

    assert 190_000 < cost_ms < 210_000


def test_a_kind_that_waits_unmeasured_follows_what_its_variants_other_kinds_took() -> None:
    with closing(in_memory()) as db:
        kind_for(db, ClipSettings(steps=20), BUILT_IN)
        measured, _ = kind_for(db, ClipSettings(steps=10), BUILT_IN)

        learn(db, measured, 100_000)

        assert 190_000 < kind_for(db, ClipSettings(steps=20), BUILT_IN)[1] < 210_000


@pytest.mark.parametrize("recent", [[20_000], [20_000, 24_000], [20_000, 21_000, 22_000, 19_000], [20_000] * 32])
def test_the_range_holds_what_was_measured_and_narrows_with_it(recent: list[int]) -> None:
    found, guess = estimate(recent, 50_000, None), estimate([], 50_000, None)

    assert found.low_ms <= min(recent) <= found.cost_ms <= max(recent) <= found.high_ms
    assert found.high_ms - found.low_ms < (guess.high_ms - guess.low_ms) / 10


def test_what_a_clips_file_takes_to_write_after_its_last_frame_is_estimated() -> None:
    def cost(**settings: object) -> int:
        return encoding_ms(ClipSettings(**settings), BUILT_IN)  # type: ignore[arg-type]

    assert cost() == cost(playback_fps=30, smooth=True) == 0, "frames are written as they come"
    assert cost(loop=Loop.BOOMERANG) == 23 * 25
    assert cost(smooth=True) == 86 * 125
    assert cost(smooth=True, variant="demo") == pytest.approx(86 * 125 / 16, abs=1)
