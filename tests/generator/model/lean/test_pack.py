"""Flat weights: aligned for kernels, and still the module's own."""

from __future__ import annotations

from tests.support.tiny_unet import SHAPES, TOLERANCE, UNetCase


def test_weights_start_where_kernels_want_them() -> None:
    packed = UNetCase(5, SHAPES["square"]).packed.body
    assert all(entry.offset * 4 % 256 == 0 for stretch in packed.stretches for entry in stretch.entries)


def test_the_packed_module_still_answers_for_itself() -> None:
    case = UNetCase(5, SHAPES["square"])
    assert (case.answer() - case.expected).abs().max() < TOLERANCE
    ends = case.packed.ends
    views = ends.stretches[0].views(ends.host(0)).values()
    assert case.module.conv_in.weight.data_ptr() in {view.data_ptr() for view in views}, "nothing is held twice"
