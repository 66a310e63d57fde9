"""The shipped demo model in the real pipeline, on photographs that were not in its training."""

from __future__ import annotations

from functools import cache
from statistics import median

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from scipy.stats import spearmanr

from generator.model.loaded import load_variant
from generator.model.pipeline import LoadedVariant
from generator.variants import BUILT_IN, DEMO_MODEL_FOLDER
from tests.benchmarks.demo import BUCKETS, Frames, flicker, likeness, motion, render, restlessness
from tests.support.photographs import photographs
from tests.support.registration import carry, track

# The first test that needs the clips renders them all, on cores it may have to share.
pytestmark = pytest.mark.timeout(600)

DEMO = BUILT_IN["demo"]
LARGEST_BYTES = 24_000_000
SHORT = 9
"""frames of the clips that are compared with each other: `motion` looks at every fourth, so at three of them"""
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "china", "flower")
SHAPES = {"astronaut": DEMO.portrait, "coffee": DEMO.square}


@cache
def loaded() -> LoadedVariant:
    return load_variant(DEMO, torch.device("cpu"))


@cache
def picture(name: str) -> Image.Image:
    """Return a photograph in one of the demo model's three shapes."""
    (found,) = [each for each in photographs() if each.name == name]
    return ImageOps.fit(found.open(), SHAPES.get(name, DEMO.landscape))


@cache
def clip(name: str, motion_bucket: int = 127, **changes: float) -> Frames:
    """Return a short clip of a photograph with all other defaults, but for the `changes`.

    A clip takes seconds, so each is kept.
    """
    settings: dict[str, float] = {"frames": SHORT, **changes}
    return render(loaded(), picture(name), motion_bucket=motion_bucket, **settings)


def whole(name: str) -> Frames:
    """Return the clip of a photograph with all defaults, of full length too."""
    return clip(name, frames=DEMO.frames)


def test_the_checkpoint_is_small_and_complete() -> None:
    files = [file for file in DEMO_MODEL_FOLDER.rglob("*") if file.suffix in {".safetensors", ".json"}]
    assert sum(file.stat().st_size for file in files) <= LARGEST_BYTES
    card = (DEMO_MODEL_FOLDER / "README.md").read_text()
    assert all(heading in card for heading in ("**Data.**", "**Training.**", "**Limits.**", "**Licence.**"))


def test_the_first_frame_is_the_picture() -> None:
    found = [likeness(picture(name), clip(name)[0]) for name in PHOTOGRAPHS]
    print(f"demo model: first frame against {len(found)} photographs, median {median(found):.1f} dB")
    assert median(found) >= 20
    # Control: the same figure for another photograph's clip is far below.
    assert likeness(picture("chelsea"), clip("rocket")[0]) < 15


@pytest.mark.parametrize("name", ["chelsea", "astronaut"])
def test_motion_follows_the_bucket_lying_and_standing(name: str) -> None:
    moved = [motion(clip(name, bucket)) for bucket in BUCKETS]
    print(f"demo model: {name}: pixels per frame at buckets {BUCKETS}: {', '.join(f'{m:.2f}' for m in moved)}")
    assert spearmanr(BUCKETS, moved).statistic >= 0.9
    assert moved[-1] > 3 * moved[0]


def test_at_the_lowest_buckets_the_picture_stands_nearly_still() -> None:
    cat = clip("chelsea")
    still, gentle = clip("chelsea", 0), clip("chelsea", 20)
    print(f"demo model: change per frame at bucket 0: {restlessness(still):.2f} grey levels")
    assert restlessness(still) <= 3
    assert motion(still) <= 0.2
    assert motion(gentle) <= 0.2
    assert motion(cat) > 3 * motion(gentle)


def test_brightness_does_not_flicker() -> None:
    cat = whole("chelsea")
    assert flicker(cat) <= 2
    # Control: every other frame a little darker is found.
    flashing = cat.copy()
    flashing[::2] = flashing[::2] * 0.9
    assert flicker(flashing) > 2


def test_the_whole_picture_moves_and_stays_sharp() -> None:
    """The last frame is the first one, moved: put back, it is far more like it than where it is."""
    cat = whole("chelsea")
    move = track(cat)[1]
    first, last = (frame.astype(np.float64) for frame in (cat[0], cat[-1]))
    covered = move.covered()
    assert move.size >= 5
    put_back = np.abs(carry(first, move) - last)[covered].mean()
    assert put_back < 0.6 * np.abs(first - last)[covered].mean()


def test_more_noise_augmentation_drifts_further_from_the_picture() -> None:
    cat = clip("chelsea")
    free = clip("chelsea", noise_augmentation=0.5)
    assert likeness(picture("chelsea"), free[0]) < likeness(picture("chelsea"), cat[0])
    assert motion(free) > motion(cat)


def test_a_higher_conditioning_fps_moves_less_between_frames() -> None:
    cat = clip("chelsea")
    slow, fast = (clip("chelsea", conditioning_fps=fps) for fps in (5, 24))
    assert motion(fast) < motion(cat) < motion(slow)


def test_the_seed_decides_the_details() -> None:
    cat, other = clip("chelsea"), clip("chelsea", seed=2)
    assert not np.array_equal(other, cat)
    again = render(loaded(), picture("chelsea"), frames=SHORT, motion_bucket=127, seed=2)
    assert np.array_equal(other, again)
    # Another seed makes another clip of the same picture, not of another picture.
    assert likeness(picture("chelsea"), other[0]) >= 20


def test_more_frames_make_a_longer_way_not_a_faster_one() -> None:
    cat = whole("chelsea")
    long = clip("chelsea", frames=25)
    assert len(long) == 25
    assert len(cat) == 14
    assert motion(long) == pytest.approx(motion(cat), rel=0.4)
    ways = [track(frames)[1].size for frames in (cat, long)]
    print(f"demo model: from first to last frame {ways[0]:.1f} pixels in 14 frames, {ways[1]:.1f} in 25")
    assert ways[1] > 1.25 * ways[0]
