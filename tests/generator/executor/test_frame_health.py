"""Which clips may be posted, on frames that move as clips do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from skimage import data

from generator.executor.frame_health import FrameHealth, Trouble
from generator.video.ffmpeg import Frame

FRAMES, HEIGHT, WIDTH = 14, 144, 256


def photo() -> Frame:
    """A real photograph of 256x144."""
    return np.ascontiguousarray(data.astronaut()[100:388:2, 0:512:2])


def trouble(frames: Iterable[Frame], source: Frame | None = None) -> Trouble | None:
    health = FrameHealth(photo() if source is None else source)
    for frame in frames:
        health.add(frame)
    return health.trouble()


def panned(step: int = 2, frames: int = FRAMES) -> list[Frame]:
    wide = data.astronaut()[100:388:2]
    return [np.ascontiguousarray(np.roll(wide, -step * index, axis=1)[:, :WIDTH]) for index in range(frames)]


def with_noise(frames: Iterable[Frame], levels: float) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [np.clip(frame + rng.normal(0, levels, frame.shape), 0, 255).astype(np.uint8) for frame in frames]


@pytest.mark.parametrize("step", [1, 2, 12])
def test_a_moving_picture_is_fine(step: int) -> None:
    assert trouble(panned(step)) is None


def test_a_still_picture_with_the_decoders_own_noise_is_fine() -> None:
    """What a motion bucket near zero gives: nothing moves, but no two frames are the same bits."""
    assert trouble(with_noise([photo()] * FRAMES, 1.0)) is None


def test_one_blinking_eye_is_motion_enough() -> None:
    frames = [photo() for _ in range(FRAMES)]
    frames[7][40:44, 100:106] = 0
    assert trouble(frames) is None


def test_identical_frames_are_frozen() -> None:
    assert trouble([photo()] * FRAMES) is Trouble.FROZEN


def test_frames_that_differ_by_rounding_are_frozen() -> None:
    frames = [photo() for _ in range(FRAMES)]
    frames[3] = np.where(frames[3] < 255, frames[3] + 1, 255).astype(np.uint8)
    assert trouble(frames) is Trouble.FROZEN


def test_one_frame_alone_cannot_be_frozen() -> None:
    assert trouble([photo()]) is None


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_frame_is_black_wherever_it_comes(level: int) -> None:
    frames = panned()
    frames[9] = np.full_like(frames[9], level)
    assert trouble(frames) is Trouble.BLACK


def test_black_frames_of_a_black_picture_are_what_was_asked_for() -> None:
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert trouble(with_noise([black] * FRAMES, 3.0), source=black) is None


def test_a_dark_clip_of_a_dark_picture_is_fine() -> None:
    frames = [(frame // 8).astype(np.uint8) for frame in panned()]
    assert trouble(frames, source=frames[0]) is None


@pytest.mark.parametrize("levels", [60, 120])
def test_light_and_dark_in_turn_are_strobing(levels: int) -> None:
    frames = [
        np.clip(frame // 2 + levels * (index % 2), 0, 255).astype(np.uint8) for index, frame in enumerate(panned())
    ]
    assert trouble(frames) is Trouble.STROBING


def test_a_strobing_quarter_is_strobing_and_a_strobing_corner_is_not() -> None:
    def flashing(height: int, width: int) -> list[Frame]:
        frames = [frame // 2 for frame in panned()]
        for frame in frames[::2]:
            frame[:height, :width] += 100
        return frames

    assert trouble(flashing(HEIGHT // 2, WIDTH // 2)) is Trouble.STROBING
    assert trouble(flashing(HEIGHT // 4, WIDTH // 4)) is None


def test_two_flashes_of_lightning_are_not_strobing() -> None:
    frames = [frame // 2 for frame in panned()]
    for index in (4, 8):
        frames[index] = frames[index] + 120
    assert trouble(frames) is None


def test_a_fade_is_not_strobing() -> None:
    frames = [(frame * (index / FRAMES)).astype(np.uint8) for index, frame in enumerate(panned(), start=1)]
    assert trouble(frames) is None


def test_seams_between_decoded_chunks_are_not_strobing() -> None:
    """Chunked decoding shifts the brightness a little at each border; ugly, but no danger to anybody."""
    frames = [
        np.clip(frame.astype(int) + 12 * (index // 2 % 2), 0, 255).astype(np.uint8)
        for index, frame in enumerate(panned())
    ]
    assert trouble(frames) is None


def test_a_moving_picket_fence_is_not_strobing() -> None:
    fence = np.zeros((HEIGHT, WIDTH + 64, 3), np.uint8)
    fence[:, (np.arange(WIDTH + 64) // 4) % 2 == 0] = 255
    frames = [np.ascontiguousarray(fence[:, 4 * index : 4 * index + WIDTH]) for index in range(FRAMES)]
    assert trouble(frames, source=frames[0]) is None


def test_short_clips_and_odd_sizes_are_judged_too() -> None:
    odd = [np.ascontiguousarray(frame[:143, :251]) for frame in panned(frames=2)]
    assert trouble(odd) is None
    assert trouble([odd[0], odd[0]]) is Trouble.FROZEN
