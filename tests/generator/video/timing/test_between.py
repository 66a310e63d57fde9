"""Frames between two frames: nearer to what was really there than a blend of both."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from PIL import Image

from generator.clip import Loop
from generator.video.ffmpeg import Frame, raw_input, through_ffmpeg
from generator.video.frames import Smoothed
from generator.video.timing.between import between, motion, small_grey

BICUBIC = Image.Resampling.BICUBIC


def view(at: float, turn: float = 0.0) -> Frame:
    """Return a view of a soft random scene that is moved by so many pixels, or turned by so many degrees."""
    rng = np.random.default_rng(7)
    fine, coarse = (
        Image.fromarray(rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)).resize((480, 360), BICUBIC)
        for rows, columns in ((36, 48), (6, 8))
    )
    scene = Image.blend(fine, coarse, 0.5).rotate(turn, BICUBIC)
    moved = (1, 0, 80 - at, 0, 1, 90 - at / 2)
    return np.asarray(scene.transform((320, 180), Image.Transform.AFFINE, moved, BICUBIC))


def likeness(frame: Frame, truth: Frame) -> float:
    """Return the signal to noise ratio in decibels, away from the edges, where something new comes in."""
    difference = frame[20:-20, 20:-20].astype(float) - truth[20:-20, 20:-20]
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


@pytest.mark.parametrize(("moved", "turned"), [(12.0, 0.0), (4.0, 4.0), (-20.0, 0.0)])
@pytest.mark.parametrize("at", [0.05, 0.3, 0.5, 0.8, 0.96])
def test_a_frame_between_shows_what_was_there(moved: float, turned: float, at: float) -> None:
    first, second, truth = view(0), view(moved, turned), view(moved * at, turned * at)
    made = between(first, second, motion(small_grey(first), small_grey(second)), at)
    blended = np.asarray(Image.blend(Image.fromarray(first), Image.fromarray(second), at))
    nearer = max(likeness(first, truth), likeness(second, truth))
    assert likeness(made, truth) > 27
    assert likeness(made, truth) > likeness(blended, truth) + 1.5
    assert likeness(made, truth) > nearer + 1.5


def test_what_does_not_move_stays_as_it_is() -> None:
    still = view(0)
    flow = motion(small_grey(still), small_grey(still))
    assert np.abs(np.stack(flow)).max() < 0.01
    assert np.array_equal(between(still, still, flow, 0.5), still)


@pytest.mark.parametrize("at", [0.3, 0.5, 0.7])
def test_a_frame_between_is_as_bright_as_those_beside_it(at: float) -> None:
    """What is rounded down twice is a level darker, which flickers with each rendered frame."""
    first, second = view(0), view(5.5)
    made = between(first, second, motion(small_grey(first), small_grey(second)), at)
    assert abs(float(made[20:-20, 20:-20].mean() - view(5.5 * at)[20:-20, 20:-20].mean())) < 0.3


def unpacked(planes: Frame, size: tuple[int, int]) -> Frame:
    """Return a frame of planes in RGB, as ffmpeg sees it."""
    source = [
        *raw_input(size, 1, planar=True),
        "-vf",
        "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int",
    ]
    raw = through_ffmpeg(source, [planes], ["-f", "rawvideo", "-pix_fmt", "rgb24"])
    return np.frombuffer(raw, np.uint8).reshape(size[1], size[0], 3)


def test_the_planes_of_a_video_show_the_same_frames_in_half_the_bytes() -> None:
    frames = [view(0), view(8), view(14)]
    plain = list(Smoothed(frames, 7.0, Loop.NONE))
    planes = list(Smoothed(frames, 7.0, Loop.NONE, planar=True))
    assert len(plain) == len(planes) == 10
    for frame, packed in zip(plain, planes, strict=True):
        assert 2 * packed.nbytes == frame.nbytes
        shown = unpacked(packed, (320, 180))
        assert likeness(shown, frame) > 36
        assert np.abs(shown.mean(axis=(0, 1)) - frame.mean(axis=(0, 1))).max() < 1


def test_the_planes_of_a_video_take_clearly_less_time() -> None:
    big = (1024, 576)
    frames = [np.asarray(Image.fromarray(view(at)).resize(big)) for at in (0, 6)]
    times = {False: [0.0] * 2, True: [0.0] * 2}
    for planar, turn in itertools.product(times, range(2)):
        started = time.process_time()
        assert len(list(Smoothed(frames, 4.0, Loop.NONE, planar=planar))) == 12
        times[planar][turn] = time.process_time() - started
    print(f"RGB {min(times[False]):.3f} s, planes {min(times[True]):.3f} s of CPU time")
    assert min(times[True]) < 0.85 * min(times[False])


@pytest.mark.parametrize("size", [(2, 2), (8, 30), (64, 2)])
def test_tiny_frames_are_moved_too(size: tuple[int, int]) -> None:
    dark, light = (np.full((size[1], size[0], 3), value, np.uint8) for value in (10, 200))
    made = between(dark, light, motion(small_grey(dark), small_grey(light)), 0.5)
    assert made.shape == dark.shape and abs(int(made.mean()) - 105) < 3
