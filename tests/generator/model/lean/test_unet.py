"""The lean UNet against diffusers' own, in single precision: whatever the plan, the same numbers."""

from __future__ import annotations

import pytest
import torch

from generator.errors import Cancelled
from generator.model.lean.residency import ResidentWeights, StreamedWeights
from generator.model.lean.unet import LeanUNet
from tests.support.tiny_unet import CPU, IDS, SHAPES, TIME, TOLERANCE, UNetCase


@pytest.fixture(scope="module", params=[(14, "landscape"), (25, "portrait"), (25, "square")], ids=str)
def case(request: pytest.FixtureRequest) -> UNetCase:
    frames, shape = request.param
    return UNetCase(frames, SHAPES[shape])


@pytest.mark.parametrize("split", [False, True], ids=["batched", "split"])
@pytest.mark.parametrize("source", [ResidentWeights, StreamedWeights])
@pytest.mark.parametrize("frames_per_chunk", [5, 7, 50])
def test_every_way_to_run_the_unet_gives_diffusers_answer(
    case: UNetCase, source: type[ResidentWeights | StreamedWeights], frames_per_chunk: int, split: bool
) -> None:
    assert case.error(source(case.packed.body, CPU), frames_per_chunk, split=split) < TOLERANCE


def test_one_frame_at_a_time_gives_the_same() -> None:
    case = UNetCase(5, SHAPES["square"])
    assert case.error(StreamedWeights(case.packed.body, CPU), 1, split=True) < TOLERANCE


def test_an_odd_level_is_brought_to_its_skips_size() -> None:
    case = UNetCase(5, (6, 10))
    assert case.error(ResidentWeights(case.packed.body, CPU), 3) < TOLERANCE


@torch.no_grad()
def test_a_pass_left_halfway_leaves_the_next_one_right() -> None:
    case = UNetCase(5, SHAPES["square"])
    ring = StreamedWeights(case.packed.body, CPU)
    unet = LeanUNet(case.packed, ring, CPU, 5)
    constants = unet.prepare(case.context, IDS, [TIME], 5)
    checks = iter(range(5))

    def cancel() -> None:
        if next(checks, None) is None:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        unet(case.channels_last, constants, 0, cancel)
    assert case.error(ring, 5) < TOLERANCE
