"""What a render is expected to cost, before and after renders of its kind and of its variant were measured."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from statistics import median

import pytest

from bot.queue.estimates import (
    KEPT,
    Estimate,
    encoding_ms,
    estimate,
    expected_ms,
    is_wide,
    keep_promise,
    kind_for,
    kind_of,
    learn,
    measured,
    model_ms,
    next_rounding_ms,
    round_wait,
)
from bot.queue.job import QueuePosition
from generator.clip import ClipSettings, Loop, Shape
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


def test_only_what_was_rendered_here_counts_as_measured_and_the_usual_kind_speaks_for_the_variant() -> None:
    with closing(in_memory()) as db:
        usual, _ = kind_for(db, ClipSettings(steps=10), BUILT_IN)
        rare, _ = kind_for(db, ClipSettings(steps=25), BUILT_IN)
        assert measured(db, "svd-xt") is None
        for _ in range(3):
            learn(db, usual, 10_000)
        learn(db, rare, 90_000)
        found = measured(db, "svd-xt")
        assert found is not None
        assert found.kind == kind_of(ClipSettings(steps=10))
        assert found.low_ms <= 10_000 <= found.high_ms < 90_000
        assert measured(db, "svd") is None


@pytest.mark.parametrize("recent", [[20_000], [20_000, 24_000], [20_000, 21_000, 22_000, 19_000], [20_001] * 32])
def test_the_range_holds_what_was_measured_and_narrows_with_it(recent: list[int]) -> None:
    found, guess = estimate(recent, 50_000, None), estimate([], 50_000, None)

    assert all(isinstance(ms, int) for ms in (found.cost_ms, found.low_ms, found.high_ms)), "a column of whole numbers"
    assert found.low_ms <= min(recent) <= found.cost_ms <= max(recent) <= found.high_ms
    assert found.high_ms - found.low_ms < (guess.high_ms - guess.low_ms) / 10


def test_each_variant_learns_from_its_own_renders_alone() -> None:
    with closing(in_memory()) as db:
        waits, guess = kind_for(db, ClipSettings(variant="svd", steps=20), BUILT_IN)
        measured, _ = kind_for(db, ClipSettings(variant="svd-xt", steps=10), BUILT_IN)

        learn(db, measured, 1_000_000)

        assert kind_for(db, ClipSettings(variant="svd", steps=20), BUILT_IN) == (waits, guess), "a kind that waited"
        fresh = kind_for(db, ClipSettings(variant="svd", steps=40), BUILT_IN)[1]
        assert fresh == model_ms(ClipSettings(variant="svd", steps=40), BUILT_IN), "a new kind"


def test_an_unmeasured_kind_follows_the_middle_of_the_measured_ones() -> None:
    """One kind that took very long, and one that took no time, say nothing about the others."""
    with closing(in_memory()) as db:
        for steps, factor in ((10, 2.0), (12, 2.0), (14, 2.0), (16, 50.0), (18, 0.01)):
            settings = ClipSettings(steps=steps)
            kind_id, _ = kind_for(db, settings, BUILT_IN)
            learn(db, kind_id, int(factor * model_ms(settings, BUILT_IN)))
        settings = ClipSettings(steps=20)
        assert kind_for(db, settings, BUILT_IN)[1] == pytest.approx(2 * model_ms(settings, BUILT_IN), rel=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 9, 32])
def test_the_middle_is_the_median_whatever_one_render_took(count: int) -> None:
    usual = [20_000 + 10 * number for number in range(count)]
    assert estimate(usual, 50_000, None).cost_ms == pytest.approx(median(usual), abs=10)
    if count >= 3:
        hung = [*usual[1:], 3_600_000]
        assert estimate(hung, 50_000, None).cost_ms == pytest.approx(median(hung), abs=10)


def test_only_the_newest_durations_count() -> None:
    with closing(in_memory()) as db:
        kind_id, _ = kind_for(db, ClipSettings(), BUILT_IN)
        for took_ms in [100_000] * KEPT + [10_000] * KEPT:
            learn(db, kind_id, took_ms)
        assert kind_for(db, ClipSettings(), BUILT_IN) == (kind_id, 10_000)


def test_what_a_kind_is_depends_on_all_that_decides_how_long_the_gpu_is_busy() -> None:
    usual = ClipSettings()
    others = [
        replace(usual, variant="svd"),
        replace(usual, shape=Shape.SQUARE),
        replace(usual, frames=14),
        replace(usual, steps=10),
        replace(usual, min_guidance=1.0, max_guidance=1.0),
    ]
    assert len({kind_of(settings) for settings in (usual, *others)}) == 6
    assert kind_of(replace(usual, seed=7, motion_bucket=1)) == kind_of(usual)


def test_what_a_clips_file_takes_to_write_after_its_last_frame_is_estimated() -> None:
    def cost(**settings: object) -> int:
        return encoding_ms(ClipSettings(**settings), BUILT_IN)  # type: ignore[arg-type]

    assert cost() == cost(playback_fps=30, smooth=True) == 0, "frames are written as they come"
    assert cost(loop=Loop.BOOMERANG) == 23 * 25
    assert cost(smooth=True) == 86 * 65
    assert cost(smooth=True, variant="demo") == pytest.approx(86 * 65 * 384 * 224 / (1024 * 576), abs=1)


@pytest.mark.parametrize(
    ("recent", "ratio", "found"),
    [
        ([], None, (50_000, 15_000, 300_000)),
        ([], 0.5, (25_000, 12_500, 50_000)),
        ([], 1e-9, (1, 0, 2)),
        ([20_000], 0.5, (20_000, 14_000, 28_000)),
        ([20_000, 24_000], None, (22_000, 15_400, 30_800)),
        ([30_000, 10_000], None, (20_000, 10_000, 30_000)),
        ([400, 100, 200], None, (200, 100, 400)),
        ([200, 200, 200], 9.0, (200, 180, 220)),
        ([200, 201, 202, 203], None, (202, 181, 222)),
        ([*range(1_000, 3_000, 100)], None, (2_000, 1_200, 2_700)),
    ],
)
def test_the_figures_of_an_estimate(recent: list[int], ratio: float | None, found: tuple[int, int, int]) -> None:
    assert estimate(recent, 50_000, ratio) == Estimate(*found)


def test_the_guess_before_anything_was_measured_goes_by_pixels_frames_steps_and_guidance() -> None:
    def guess(variant: str = "svd-xt", **settings: object) -> int:
        return model_ms(ClipSettings(variant=variant, **settings), BUILT_IN)  # type: ignore[arg-type]

    assert guess() == guess("gone") == guess(shape=Shape.AUTO) == guess(shape=Shape.LANDSCAPE) == 50_900
    assert guess(steps=50) == 101_800
    assert guess(frames=5) == 10_180
    assert guess(min_guidance=1.0, max_guidance=1.0) == 25_450
    square = BUILT_IN["svd-xt"].size(Shape.SQUARE)
    assert guess(shape=Shape.SQUARE) == 50_900 * square[0] * square[1] // (1024 * 576)
    assert guess(frames=2, steps=1, min_guidance=1.0, max_guidance=1.0) == 1_000, "never less than a second"


def test_others_learn_from_a_kinds_first_eight_renders() -> None:
    with closing(in_memory()) as db:
        measured, _ = kind_for(db, ClipSettings(steps=10), BUILT_IN)
        costs = []
        for took_ms in [10_000] * 4 + [100_000] * 4 + [10_000]:
            learn(db, measured, took_ms)
            costs.append(kind_for(db, ClipSettings(steps=10), BUILT_IN)[1])
            kind_for(db, ClipSettings(steps=20), BUILT_IN)
        assert costs[-3:] == [10_000, 100_000, 10_000]
        assert kind_for(db, ClipSettings(steps=20), BUILT_IN)[1] == pytest.approx(200_000, rel=0.01), "of the eighth"


def test_a_new_kind_is_written_with_its_whole_range() -> None:
    with closing(in_memory()) as db:
        kind_id, cost_ms = kind_for(db, ClipSettings(), BUILT_IN)
        columns = "id, name, variant, model_ms, recent, cost_ms, low_ms, high_ms"
        [row] = db.execute(f"select {columns} from kind").fetchall()
        assert row == (kind_id, kind_of(ClipSettings()), "svd-xt", 50_900, "[]", cost_ms, 15_270, 305_400)
        learn(db, kind_id, 20_000)
        [row] = db.execute(f"select {columns} from kind").fetchall()
        assert row[4:] == ("[20000]", 20_000, 14_000, 28_000)


def test_drafts_cost_what_their_few_small_steps_do_and_are_a_kind_of_their_own() -> None:
    clip = ClipSettings(steps=25, max_guidance=3.0)
    drafts = replace(clip, drafts=True)
    assert kind_of(drafts) not in (kind_of(clip), kind_of(replace(clip, steps=8, max_guidance=1.0)))
    assert kind_of(replace(drafts, steps=4)) != kind_of(drafts)
    assert model_ms(drafts, BUILT_IN) == pytest.approx(model_ms(clip, BUILT_IN) * 8 / 50, rel=0.01)


def test_drafts_of_a_model_of_one_step_cost_one_clip_until_it_is_known_what_they_take() -> None:
    clip = ClipSettings(steps=1, max_guidance=1.0, frames=50)
    drafts = replace(clip, drafts=True)
    assert model_ms(drafts, BUILT_IN) == model_ms(clip, BUILT_IN) > 1_500, "more than the least of any clip"
    with closing(in_memory()) as db:
        learn(db, kind_for(db, clip, BUILT_IN)[0], 10_000)
        kind, cost_ms = kind_for(db, drafts, BUILT_IN)
        assert cost_ms == pytest.approx(10_000, rel=0.01), "as the clip, which is known"
        learn(db, kind, 8_000)
        assert kind_for(db, drafts, BUILT_IN)[1] == 8_000 == expected_ms(db, drafts, BUILT_IN)


def test_a_promise_stands_until_it_has_passed_or_the_estimate_is_another_one() -> None:
    now_ms = 1_000_000
    assert keep_promise(None, now_ms, 60_000) == now_ms + 60_000
    assert keep_promise(now_ms + 50_000, now_ms, 60_000) == now_ms + 50_000
    assert keep_promise(now_ms + 20_000, now_ms, 60_000) == now_ms + 60_000, "raised"
    assert keep_promise(now_ms + 200_000, now_ms, 60_000) == now_ms + 60_000, "it goes faster"
    assert keep_promise(now_ms, now_ms, 0) > now_ms
    assert keep_promise(now_ms - 1, now_ms, 30_000) == now_ms + 30_000, "never in the past"


def test_a_rounded_time_changes_when_it_is_said_to() -> None:
    for left_ms in (*range(9_000, 100_000, 700), *range(100_000, 30_000_000, 170_000)):
        after_ms = next_rounding_ms(left_ms)
        assert 0 < after_ms <= left_ms
        if round_wait(left_ms) > 5:
            assert round_wait(left_ms - after_ms) < round_wait(left_ms)
            assert after_ms < 3 or round_wait(left_ms - after_ms + 2) == round_wait(left_ms)


def test_the_range_is_told_only_where_it_is_really_wide() -> None:
    position = QueuePosition(position=1, waiting=1, eta_low_ms=60_000, eta_high_ms=200_000, eta_ms=90_000)
    assert not is_wide(position)
    assert is_wide(replace(position, eta_high_ms=300_000))
    assert is_wide(replace(position, eta_ms=None)), "nothing else is known"
    assert not is_wide(replace(position, eta_low_ms=300, eta_high_ms=9_000)), "seconds"
