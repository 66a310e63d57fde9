"""The plan a clip begins with, the plan below it, and what is remembered for the next start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.clip import ClipSettings
from generator.errors import OutOfMemory
from generator.executor.rungs import KEPT_SECONDS, Planner, RememberedRungs
from generator.memory import GIB, MemoryPlan
from generator.protocol import ExecutorConfig
from generator.variants import BUILT_IN
from tests.support.fake_executor import FakeDevice, read_options

GPU = "Fake/24.0"
"""how the fake device names itself"""
SETTINGS = ClipSettings(variant="svd-xt", frames=8, steps=4)
SIZE = (64, 64)


def a_planner(folder: Path, free_gib: float = 24.0, **config: Any) -> Planner:
    settings = ExecutorConfig(variants=BUILT_IN, state_folder=folder / "state", **config)
    device = FakeDevice(read_options(["--free-gib", str(free_gib)]))
    return Planner(settings, device, RememberedRungs(settings.state_folder))


def after_one_out_of_memory(planner: Planner, settings: ClipSettings = SETTINGS) -> MemoryPlan:
    plan = planner.first(settings, SIZE)
    planner.remember(plan, settings)
    return plan


def test_it_begins_with_the_largest_rung_that_fits(tmp_path: Path) -> None:
    assert a_planner(tmp_path).first(SETTINGS, SIZE).rung == "full"
    with pytest.raises(OutOfMemory):
        a_planner(tmp_path, free_gib=1.0).first(SETTINGS, SIZE)


def test_it_goes_down_rung_by_rung_until_there_is_none(tmp_path: Path) -> None:
    planner = a_planner(tmp_path)
    plan, rungs = planner.first(SETTINGS, SIZE), list[str]()
    with pytest.raises(OutOfMemory, match=r"the smallest plan, \w+: simulated") as caught:
        while True:
            rungs.append(plan.rung)
            plan = planner.below(plan, SETTINGS, SIZE, "simulated")
    assert rungs[:2] == ["full", "resident"]
    assert len(set(rungs)) == len(rungs)
    assert caught.value.data["needed_gib"] > 0
    assert caught.value.data["free_gib"] == 24.0


def test_a_remembered_rung_is_where_the_next_process_begins(tmp_path: Path) -> None:
    after_one_out_of_memory(a_planner(tmp_path))
    assert a_planner(tmp_path).first(SETTINGS, SIZE).rung == "resident"
    other = ClipSettings(variant="svd", frames=8)
    assert a_planner(tmp_path).first(other, SIZE).rung == "full", "another variant has a rung of its own"


def test_a_rung_is_forgotten_when_more_is_free_than_when_the_larger_one_did_not_fit(tmp_path: Path) -> None:
    after_one_out_of_memory(a_planner(tmp_path, free_gib=9))
    for free_gib, rung in ((9, "resident"), (9.3, "resident"), (12, "full")):
        assert a_planner(tmp_path, free_gib).first(SETTINGS, SIZE).rung == rung


def test_what_a_long_clip_did_not_fit_into_says_nothing_about_a_short_one(tmp_path: Path) -> None:
    long, short = (ClipSettings(variant="svd-xt", frames=frames) for frames in (50, 14))
    planner = a_planner(tmp_path)
    after_one_out_of_memory(planner, long)
    assert planner.first(long, SIZE).rung == "resident"
    assert planner.first(short, SIZE).rung == "full"
    after_one_out_of_memory(planner, short)
    assert planner.first(short, SIZE).rung == "resident"
    assert planner.first(long, SIZE).peak_bytes < planner.first(short, (1024, 576)).peak_bytes
    assert planner.first(long, SIZE).rung == "resident", "a larger clip does not fit either"


def test_each_plan_that_did_not_fit_is_remembered_for_clips_that_need_as_much(tmp_path: Path) -> None:
    planner = a_planner(tmp_path)
    failed = [after_one_out_of_memory(planner) for _ in range(3)]
    assert [plan.rung for plan in failed] == ["full", "resident", "split"]
    assert a_planner(tmp_path).first(SETTINGS, SIZE).rung == "streamed"


def test_where_nothing_ever_fitted_the_smallest_is_tried(tmp_path: Path) -> None:
    planner = a_planner(tmp_path)
    rungs = [after_one_out_of_memory(planner).rung for _ in range(8)]
    assert rungs[-1] == rungs[-2] == planner.first(SETTINGS, SIZE).rung


def test_what_did_not_fit_is_tried_again_after_a_day(tmp_path: Path) -> None:
    now = [1e9]
    config = ExecutorConfig(variants=BUILT_IN, state_folder=tmp_path)
    device = FakeDevice(read_options([]))
    planner = Planner(config, device, RememberedRungs(tmp_path, clock=lambda: now[0]))
    after_one_out_of_memory(planner)
    for later, rung in ((3600.0, "resident"), (KEPT_SECONDS - 1, "resident"), (KEPT_SECONDS + 1, "full")):
        now[0] = 1e9 + later
        assert planner.first(SETTINGS, SIZE).rung == rung
    now[0] = 1e9 - 2 * KEPT_SECONDS
    assert planner.first(SETTINGS, SIZE).rung == "full", "a clock that was ahead then must not keep it for ever"


@pytest.mark.parametrize(
    "written",
    ['{"half a', "[]", '{"Fake/24.0/svd-xt": [{}]}', '{"Fake/24.0/svd-xt": {"rung": "resident", "free_bytes": 9}}'],
)
def test_a_file_that_cannot_be_read_is_written_anew(written: str, tmp_path: Path) -> None:
    """The last one is how version 0.1.0 wrote it."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "memory.json").write_text(written)
    assert a_planner(tmp_path).first(SETTINGS, SIZE).rung == "full"
    failed = after_one_out_of_memory(a_planner(tmp_path))
    assert RememberedRungs(tmp_path / "state").get(GPU, "svd-xt", 24 * GIB) == failed.peak_bytes


def test_executors_beside_each_other_keep_their_rungs_apart(tmp_path: Path) -> None:
    for gpu, peak_bytes in (("0", 5 * GIB), ("1", 4 * GIB)):
        RememberedRungs(tmp_path, gpu).put(GPU, "demo", peak_bytes, GIB)
    assert [RememberedRungs(tmp_path, gpu).get(GPU, "demo", GIB) for gpu in ("0", "1")] == [5 * GIB, 4 * GIB]


def test_a_rung_that_cannot_be_written_is_remembered_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "state").touch()  # a file where the folder should be
    planner = a_planner(tmp_path)
    after_one_out_of_memory(planner)
    assert planner.first(SETTINGS, SIZE).rung == "resident"
