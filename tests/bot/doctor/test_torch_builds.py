"""Each card gets the newest build of torch that knows it, by PyTorch's own table."""

from __future__ import annotations

import pytest

from bot.doctor.torch_builds import BUILDS, GENERATIONS, Capability, build_for, generation_of, remedy_for


@pytest.mark.parametrize(
    ("capability", "cuda"),
    [
        ((5, 2), "12.6"),
        ((6, 1), "12.6"),
        ((7, 0), "12.6"),
        ((7, 5), "13.0"),
        ((8, 6), "13.0"),
        ((8, 9), "13.0"),
        ((9, 0), "13.0"),
        ((12, 0), "13.0"),
        ((3, 7), None),
        ((13, 0), None),
    ],
)
def test_pascal_and_volta_need_the_build_for_an_older_cuda(capability: Capability, cuda: str | None) -> None:
    build = build_for(capability)
    assert (build.cuda if build else None) == cuda


def test_the_remedy_names_the_card_the_index_and_the_driver() -> None:
    said = remedy_for((6, 1))
    assert "6.1, Pascal" in said and "https://download.pytorch.org/whl/cu126 torch" in said and "525" in said
    assert "whl/cu130" in remedy_for((12, 0)) and "580" in remedy_for((12, 0))
    assert "index-url" not in remedy_for((3, 5)), "no build knows it, so none is named"
    assert "8.7" in remedy_for((8, 7)) and generation_of((8, 7)) == ""


def test_every_generation_of_the_table_has_a_build() -> None:
    for name, capabilities in GENERATIONS.items():
        assert {build_for(one) for one in capabilities} <= set(BUILDS), name
