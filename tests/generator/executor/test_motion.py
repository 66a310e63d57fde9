"""The measure of motion on clips whose motion is known: pans and a moving patch, under noise and flicker."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from generator.executor.motion import MotionMeter
from generator.video.ffmpeg import Frame

SIZE = (256, 144)
FRAMES = 14


def made_clip(travel: float, *, noise: float = 0.0, flicker: float = 0.0, patch: bool = False) -> list[Frame]:
    """Return a photograph that is panned by `travel` percent of the shorter side, all of it or a twelfth of it."""
    rng = np.random.default_rng(5)
    width, height = SIZE
    picture = Image.fromarray(data.chelsea()).resize((width * 2, height * 2), Image.Resampling.LANCZOS)
    found: list[Frame] = []
    for step in np.linspace(0.0, travel / 100 * height, FRAMES):
        panned = picture.resize(SIZE, Image.Resampling.BICUBIC, box=(50 + step, 50, 50 + step + width, 50 + height))
        frame = np.asarray(panned).astype(np.float32)
        if patch and found:
            around = slice(height // 3, height // 3 + height // 4), slice(width // 3, width // 3 + width // 3)
            moved, frame = frame, np.array(picture.resize(SIZE, box=(50, 50, 50 + width, 50 + height)), np.float32)
            frame[around] = moved[around]
        seen = frame * (1 + flicker * rng.standard_normal()) + noise * rng.standard_normal(frame.shape)
        found.append(np.clip(seen, 0, 255).astype(np.uint8))
    return found


def percent(frames: list[Frame]) -> float:
    meter = MotionMeter()
    for frame in frames:
        meter.add(frame)
    measured = meter.percent()
    assert measured is not None
    return measured


DISTURBED: list[dict[str, Any]] = [
    {},
    {"noise": 6.0},
    {"noise": 12.0},
    {"flicker": 0.05},
    {"noise": 6.0, "flicker": 0.05},
]


@pytest.mark.parametrize("disturbed", DISTURBED)
def test_what_stands_still_and_what_moves_are_told_apart_whatever_the_noise(disturbed: dict[str, Any]) -> None:
    still, hardly, moves = (percent(made_clip(travel, **disturbed)) for travel in (0.0, 0.2, 1.0))
    assert still < 0.4
    assert hardly < 0.45
    assert 0.75 < moves < 1.3, "a pan by 1 percent"


def test_more_motion_reads_as_more() -> None:
    measured = [percent(made_clip(travel)) for travel in (0.0, 0.1, 0.3, 1.0, 3.0, 15.0)]
    assert all(less < more for less, more in pairwise(measured)), measured


def test_a_small_part_that_moves_counts() -> None:
    assert percent(made_clip(3.0, patch=True)) > 1.0
    assert percent(made_clip(0.0, patch=True)) < 0.1, "the negative control"


def test_a_plain_difference_of_frames_would_take_noise_and_flicker_for_motion() -> None:
    """The negative control of the measure: what it is more than."""

    def plainly(frames: list[Frame]) -> float:
        return float(np.mean([np.abs(frame.astype(int) - frames[0]).mean() for frame in frames[1:]]))

    assert plainly(made_clip(0.0, noise=12.0, flicker=0.05)) > plainly(made_clip(1.0))


@pytest.mark.parametrize("size", [(9, 8), (16, 8), (1024, 576), (321, 181)])
def test_every_size_of_frames_is_measured(size: tuple[int, int]) -> None:
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    assert percent([frame] * 8) == 0.0


def test_a_clip_of_few_frames_is_not_measured() -> None:
    meter = MotionMeter()
    assert meter.percent() is None
    for frame in made_clip(5.0)[:7]:
        meter.add(frame)
    assert meter.percent() is None
