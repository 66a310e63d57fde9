"""What each change makes of a clip's settings, and what a menu remembers of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.work.uplink.changes import Change, change_file, moments, state_of, with_state
from generator.clip import ClipSettings, Format, Loop, total_frames

FIRST = ClipSettings(format=Format.WEBP, loop=Loop.SEAM, playback_fps=7, seed=3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change.MP4, {"format": Format.MP4}),
        (Change.GIF, {"format": Format.GIF}),
        (Change.WEBP, {}),
        (Change.BOOMERANG, {"loop": Loop.BOOMERANG}),
        (Change.CROSSFADE, {"loop": Loop.CROSSFADE}),
        (Change.SEAM, {}),
        (Change.NO_LOOP, {"loop": Loop.NONE}),
        (Change.SMOOTH, {"smooth": True}),
        (Change.SLOWER, {"playback_fps": 4}),
        (Change.FASTER, {"playback_fps": 14}),
        (Change.UNDO, {}),
    ],
)
def test_each_change_changes_one_thing(change: Change, expected: dict[str, object]) -> None:
    assert change_file(change, FIRST, FIRST) == replace(FIRST, **expected)  # type: ignore[arg-type]


def test_changes_add_up_until_they_are_undone() -> None:
    now = change_file(Change.GIF, change_file(Change.FASTER, FIRST, FIRST), FIRST)
    assert (now.format, now.playback_fps, now.loop) == (Format.GIF, 14, Loop.SEAM)
    assert change_file(Change.UNDO, now, FIRST) == FIRST


@pytest.mark.parametrize(("change", "end"), [(Change.SLOWER, 1), (Change.FASTER, 60)])
def test_speed_ends_at_its_bounds(change: Change, end: int) -> None:
    now = FIRST
    for _ in range(9):
        now = change_file(change, now, FIRST)
    assert now.playback_fps == end


@pytest.mark.parametrize("change", Change)
def test_a_menu_remembers_every_file(change: Change) -> None:
    now = change_file(change, FIRST, FIRST)
    assert with_state(FIRST, state_of(now)) == now
    assert len(state_of(now)) <= 20


@pytest.mark.parametrize("state", ["", "gif", "gif.none.0.99", "exe.none.0.7", "gif.none.x.7", "gif.none.0.7.1"])
def test_a_menu_that_describes_no_file_means_the_first_one(state: str) -> None:
    assert with_state(FIRST, state) == FIRST


def test_a_menu_remembers_how_many_parts_are_left() -> None:
    first = ClipSettings(frames=25, seams=(25, 40))
    one_less = change_file(Change.SHORTEN, first, first)
    assert (one_less.seams, total_frames(one_less)) == ((25,), 40)
    alone = change_file(Change.SHORTEN, one_less, first)
    assert (alone.seams, total_frames(alone)) == ((), 25)
    for made in (first, one_less, alone):
        assert with_state(first, state_of(made)) == made
    assert with_state(first, "mp4.none.0.7.3") == first, "it never had so many"


@pytest.mark.parametrize(
    ("seams", "frames", "expected"),
    [
        ((), 25, [19, 12, 6]),
        ((), 14, [10, 7, 4]),
        ((), 5, [4, 2]),
        ((), 4, [3, 2]),
        ((), 3, []),
        ((), 2, []),
        ((25,), 25, [37, 24, 12]),
    ],
)
def test_a_clip_goes_on_from_three_moments_or_as_many_as_differ(
    seams: tuple[int, ...], frames: int, expected: list[int]
) -> None:
    assert moments(ClipSettings(seams=seams, frames=frames)) == expected
