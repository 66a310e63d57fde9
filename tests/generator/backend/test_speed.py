"""What is said of a clip's time on a card that has not made one."""

from __future__ import annotations

import pytest

from generator.backend.speed import clip_tflop, estimate_clip, rate_of
from generator.clip import ClipSettings


def test_a_clip_of_svd_xt_is_the_work_that_was_counted_and_others_are_parts_of_it() -> None:
    full = clip_tflop(ClipSettings(frames=25, steps=25), (1024, 576))
    assert full == pytest.approx(4036)
    assert clip_tflop(ClipSettings(frames=25, steps=10), (1024, 576)) == pytest.approx(4036 - 15 * 154.4, rel=0.01)
    assert clip_tflop(ClipSettings(frames=14, steps=25), (1024, 576)) == pytest.approx(4036 * 14 / 25, rel=0.01)
    assert clip_tflop(ClipSettings(frames=25, steps=25), (512, 288)) == pytest.approx(4036 / 4, rel=0.01)
    assert clip_tflop(ClipSettings(frames=25, steps=25, max_guidance=1.0), (1024, 576)) < 0.6 * full


@pytest.mark.parametrize(
    ("card", "rate"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA GeForce RTX 4090", 165),
        ("rtx 4070 ti", 80),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", None),
        ("AMD Radeon RX 7900 XTX", None),
        ("L4000", None),
        ("", None),
    ],
)
def test_a_card_is_known_by_its_whole_name(card: str, rate: float | None) -> None:
    assert rate_of(card) == rate


def test_what_was_measured_on_an_h200_lies_in_its_range() -> None:
    rate = rate_of("NVIDIA H200")
    assert rate is not None
    found = estimate_clip(rate, 4036)
    assert found.low_s < 10.1 < found.high_s


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="more than nothing"):
        estimate_clip(rate, 4036)
