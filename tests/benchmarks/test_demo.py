"""The demo model's figures find what they are named after, on clips that are made without a model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from generator.model.demo_model.camera_motion import follow, ways
from tests.benchmarks.clip_figures import ClipFigures, Framed, distinct, frame, judge
from tests.benchmarks.demo import Measured
from tests.support.photographs import installed, photographs
from tests.support.registration import Move, track

SIZE = (256, 144)
RIGHT, DOWN, IN, TURN, ORBIT = np.eye(5)
MIXED = np.array([1.0, 0.7, 0.3, -0.8, 0.5])
FRAMES = 4
MOVES = [(RIGHT, 255.0), (-DOWN, 127.0), (IN, 255.0), (TURN, 255.0), (ORBIT, 60.0), (MIXED, 255.0)]


@cache
def framed() -> Framed:
    (cat,) = [each for each in photographs() if each.name == "chelsea"]
    return frame(cat.open(), SIZE)


def displacement(numbers: NDArray[np.float64], bucket: float) -> tuple[torch.Tensor, torch.Tensor]:
    way = ways(torch.tensor([bucket]), torch.tensor([7.0]), torch.tensor([0.02]), FRAMES)
    across, along = follow(torch.tensor(numbers[None], dtype=torch.float32), way, SIZE[1], SIZE[0], 1)
    return across[0], along[0]


@cache
def perfect(numbers: tuple[float, ...], bucket: float, aside: float = 0.0) -> NDArray[np.uint8]:
    """Return the clip that a perfect model would make: what the photograph shows, beyond the picture's edges too.

    `aside` is by how many pixels more the camera has gone to the right in the last frame: past the picture's side.
    """
    across, along = displacement(np.array(numbers), bucket)
    across = across + aside * torch.linspace(0, 1, FRAMES)[:, None, None]
    wide, margin = framed().wide, framed().margin
    height, width = wide.shape[:2]
    x = (torch.arange(SIZE[0]) + 0.5 + margin + across) * 2 / width - 1
    y = (torch.arange(SIZE[1])[:, None] + 0.5 + margin + along) * 2 / height - 1
    pixels = torch.from_numpy(wide.copy()).permute(2, 0, 1)[None].float().expand(FRAMES, -1, -1, -1)
    seen = functional.grid_sample(pixels, torch.stack([x, y], -1), mode="bicubic", align_corners=False)
    return seen.permute(0, 2, 3, 1).clamp(0, 255).round().byte().numpy()


def panned() -> NDArray[np.uint8]:
    return perfect(tuple(RIGHT), 127.0, aside=8.0)


@cache
def ideal() -> ClipFigures:
    return judge(panned(), framed())


def spoilt(what: str) -> ClipFigures:
    """Return the figures of the same clip with one thing wrong with it."""
    frames = panned().astype(np.float64)
    noise = np.random.default_rng(0).normal(size=frames.shape)
    share = np.linspace(0, 1, FRAMES)[:, None, None, None]
    if what == "grain":
        frames += 12 * share * noise
    elif what == "tint":
        frames[..., 0] += 6 * share[..., 0]
    elif what == "blur":
        frames[-1] = (frames[-1] + np.roll(frames[-1], 1, 0) + np.roll(frames[-1], 1, 1)) / 3
    elif what == "edges":
        frames[-1][~ideal().move.covered()] += 60
    elif what == "first":
        frames[0] = frames[0] / 2 + (np.roll(frames[0], 1, 1) + np.roll(frames[0], -1, 1)) / 4
    return judge(frames.clip(0, 255).round().astype(np.uint8), framed())


@pytest.mark.parametrize(("numbers", "bucket"), MOVES)
def test_the_cameras_move_is_found_in_the_frames(numbers: NDArray[np.float64], bucket: float) -> None:
    across, along = (each[-1].numpy() for each in displacement(numbers, bucket))
    move = track(perfect(tuple(numbers), bucket))[1]
    assert np.hypot(across - move.across, along - move.along)[move.covered()].max() < 0.2
    assert move.size == pytest.approx(np.sqrt((across**2 + along**2).mean()), abs=0.2)


def test_a_perfect_clips_figures_are_near_perfect() -> None:
    found = ideal()
    assert found.first_db > 45
    assert found.last_db > 35
    assert found.last_db_of_picture > 35
    assert found.change_levels < 1
    assert found.drift_levels < 0.1
    assert found.fine_moved == pytest.approx(1, abs=0.1)
    assert found.fine == pytest.approx(0.9, abs=0.15), "the clip is softer by the interpolation that made it"
    assert found.edges is not None
    assert found.edges < 1.3


def test_a_clip_that_shows_nothing_new_has_no_edges_to_judge(tmp_path: Path) -> None:
    inside = judge(perfect(tuple(RIGHT), 127.0), framed())
    assert inside.edges is None
    for clips, uncovered in (([inside], 0), ([inside, ideal()], 1)):
        figures = Measured(tmp_path, {str(number): each for number, each in enumerate(clips)}, [1.0]).figures()
        assert figures["clips_with_uncovered_edges"] == uncovered
        assert bool(figures["uncovered_edges_error_ratio_median"]) == bool(uncovered)


@pytest.mark.parametrize("what", ["grain", "tint", "blur", "edges", "first"])
def test_each_fault_shows_in_its_own_figure(what: str) -> None:
    found, best = spoilt(what), ideal()
    assert found.edges is not None
    assert (found.drift_levels > 1) == (what == "tint")
    assert (found.change_levels > 1.5) == (what == "grain")
    assert (found.edges > 1.3) == (what == "edges")
    assert (found.first_db < best.first_db - 5) == (what == "first")
    assert (found.fine_moved > 1.2) == (what in ("grain", "first"))
    assert (found.fine_moved < 0.85) == (what == "blur")
    assert (found.last_db < best.last_db - 3) == (what != "edges")
    assert (found.last_db_of_picture < best.last_db_of_picture - 3) == (what not in ("edges", "first"))


def test_moves_count_once_however_far_they_go() -> None:
    fields = {name: np.full(SIZE[::-1], value) for name, value in (("none", 0.0), ("some", 6.0), ("more", 12.0))}
    none, right, further = (Move(fields[name], fields["none"], np.zeros((2, 7))) for name in ("none", "some", "more"))
    down = Move(fields["none"], fields["some"], np.zeros((2, 7)))
    left = Move(-fields["some"], fields["none"], np.zeros((2, 7)))
    assert distinct([none]) == 0
    assert distinct([right, further, right]) == 1
    assert distinct([right, down, left, further, none]) == 3


def test_each_of_the_photographs_has_a_licence_and_the_absent_ones_are_named(tmp_path: Path) -> None:
    everything = photographs()
    assert len({each.name for each in everything}) == len(everything) == 24
    assert all(each.licence and each.author and each.package for each in everything)
    here, absent = installed(tmp_path)
    assert {each.package for each in absent} == {"mate-backgrounds (Debian)"}
    assert all(min(each.open().size) >= 300 for each in here)
