"""The cards that executors get: never one that the environment does not show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.backend.gpus import choose_gpus, device_order
from generator.errors import SettingsError

MIG = "MIG-c7c8bb3e-d51f-5c4e-9a6b-0d7b6b6f1a11"
OLD_MIG = "MIG-GPU-8f6a/1/0"


@pytest.mark.parametrize(
    ("gpus", "visible", "chosen"),
    [
        pytest.param([1, 0], None, ["1", "0"], id="nothing inherited: nvidia-smi's numbers"),
        pytest.param(["GPU-aa"], None, ["GPU-aa"], id="nothing inherited: a UUID"),
        pytest.param([1], "GPU-aa,GPU-bb", ["GPU-bb"], id="Slurm's UUIDs are counted"),
        pytest.param([0], MIG, [MIG], id="a MIG slice"),
        pytest.param([1], f"{OLD_MIG}, {MIG}", [MIG], id="an old name and a space"),
        pytest.param([3, 2], "2,3", ["3", "2"], id="numbers that are all visible mean themselves"),
        pytest.param([0, 1], "2,3", ["2", "3"], id="numbers that are not count what is visible"),
        pytest.param([0, 1], "1,2", ["1", "2"], id="one rule for all of them: no card twice"),
        pytest.param(["GPU-bb"], "GPU-aa,GPU-bb", ["GPU-bb"], id="a visible UUID"),
        pytest.param(["GPU-bbcc", "GPU-aa"], "GPU-aacc,GPU-bb", ["GPU-bb", "GPU-aacc"], id="shortened UUIDs"),
        pytest.param([], "GPU-aa", [], id="none asked for"),
    ],
)
def test_a_gpu_is_found_among_what_is_visible(gpus: list[int | str], visible: str | None, chosen: list[str]) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert choose_gpus(gpus, environment) == chosen


@pytest.mark.parametrize(
    ("gpus", "visible"),
    [
        pytest.param([2], "GPU-aa,GPU-bb", id="beyond the end"),
        pytest.param([5], "2,3", id="neither a visible number nor a place"),
        pytest.param(["GPU-cc"], "GPU-aa,GPU-bb", id="another card's UUID"),
        pytest.param(["GPU-cc"], "0,1", id="a UUID among numbers"),
        pytest.param(["GPU-"], "GPU-aa,GPU-bb", id="a beginning that two share"),
        pytest.param([0], "", id="nothing is visible"),
        pytest.param([0], "-1", id="CUDA's way to hide all"),
        pytest.param([0], "NoDevFiles", id="Slurm's way to hide all"),
        pytest.param([1], "0,-1,1", id="what CUDA cuts off"),
        pytest.param([0, "GPU-aa"], "GPU-aa,GPU-bb", id="one card twice"),
    ],
)
def test_what_is_not_visible_is_refused_with_what_is(gpus: list[int | str], visible: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_gpus(gpus, {"CUDA_VISIBLE_DEVICES": visible})
    assert "CUDA_VISIBLE_DEVICES" in caught.value.text and "gpus" in caught.value.text


@pytest.mark.parametrize(
    ("gpus", "visible", "text"),
    [
        (
            [0, 5, 7],
            "GPU-aa, GPU-bb",
            "gpus names 5, 7, but CUDA_VISIBLE_DEVICES shows this process GPU-aa, GPU-bb. "
            "Set gpus to [0, 1] or fewer: they count the visible cards from 0.",
        ),
        (
            [0],
            "",
            "gpus names 0, but CUDA_VISIBLE_DEVICES shows this process no GPU. "
            "Give this process a GPU, or unset CUDA_VISIBLE_DEVICES.",
        ),
        (
            [0, "GPU-aa"],
            "GPU-aa",
            "gpus names one card twice: CUDA_VISIBLE_DEVICES is GPU-aa. "
            "Set gpus to [0] or fewer: they count the visible cards from 0.",
        ),
    ],
)
def test_a_refusal_names_what_is_missing_and_what_would_do(gpus: list[int | str], visible: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_gpus(gpus, {"CUDA_VISIBLE_DEVICES": visible})
    assert (caught.value.text, caught.value.data["setting"]) == (text, "gpus")


NAMES = st.sampled_from(["0", "1", "2", "7", "GPU-aa", "GPU-ab", MIG, "-1"])


@given(gpus=st.lists(st.integers(0, 8) | st.sampled_from(["GPU-aa", MIG]), unique=True), visible=st.lists(NAMES))
def test_no_card_outside_and_none_twice_whatever_is_visible(gpus: list[int | str], visible: list[str]) -> None:
    try:
        chosen = choose_gpus(gpus, {"CUDA_VISIBLE_DEVICES": ",".join(visible)})
    except SettingsError:
        return
    assert set(chosen) <= set(visible) and len(set(chosen)) == len(gpus)


def test_inherited_numbers_keep_their_order_and_others_are_nvidia_smis() -> None:
    assert device_order({}) == "PCI_BUS_ID"
    assert device_order({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}) == "FASTEST_FIRST"
    assert device_order({"CUDA_VISIBLE_DEVICES": "2,3"}) is None
