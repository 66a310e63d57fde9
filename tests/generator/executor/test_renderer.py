"""Takes on a device without torch: the memory ladder, what is remembered of it, frame health and the rerun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.errors import BadFrames, Cancelled, OutOfMemory, WeightsUnavailable
from generator.executor.renderer import Rungs, Studio, Take
from generator.memory import GIB
from generator.protocol import ExecutorConfig, Hooks, Note, Phase, Progress, RenderRequest
from generator.variants import BUILT_IN
from generator.video.recipe import read_recipe
from tests.support.fake_executor import FakeDevice, read_options
from tests.support.fakes import a_request

# A full-size variant, because the demo variant always gets the whole ladder's first rung.
VARIANTS = BUILT_IN | {"demo": BUILT_IN["svd-xt"]}


def studio(folder: Path, *options: str, **config: Any) -> Studio:
    settings = ExecutorConfig(variants=VARIANTS, state_folder=folder / "state", **config)
    made = Studio(settings, FakeDevice(read_options(["--step-seconds", "0", *options])), Rungs(settings.state_folder))
    made.load("demo", lambda progress: None)
    return made


def shoot(made: Studio, request: RenderRequest) -> Take:
    return made.shoot(request, Hooks(lambda progress: None, lambda: None))


def note(take: Take, kind: str) -> dict[str, Any] | None:
    return next((note.data for note in take.notes if note.kind == kind), None)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"conditioning.png", "state"}


# -- memory


def test_a_clip_that_fits_has_nothing_to_tell(tmp_path: Path) -> None:
    take = shoot(studio(tmp_path), a_request(tmp_path))
    assert take.notes == ()
    assert take.writer.finish().frames == 8


def test_out_of_memory_goes_on_with_a_smaller_plan_and_says_so(tmp_path: Path) -> None:
    take = shoot(studio(tmp_path, "--fault", "oom", "--times", "2"), a_request(tmp_path))
    assert take.notes == (Note("memory", {"rung": "split"}),)
    clip = take.writer.finish()
    recipe = read_recipe(clip.path)
    assert recipe is not None and recipe["memory"] == "split"
    assert left_in(tmp_path) == {clip.path.name}


def test_the_rung_that_worked_is_remembered_for_this_gpu_and_variant(tmp_path: Path) -> None:
    shoot(studio(tmp_path, "--fault", "oom", "--times", "2"), a_request(tmp_path)).writer.abort()
    again = studio(tmp_path, "--fault", "oom", "--times", "1")
    assert note(shoot(again, a_request(tmp_path)), "memory") == {"rung": "streamed"}
    other = studio(tmp_path, "--fault", "oom", "--times", "1")
    other.load("svd", lambda progress: None)
    assert note(shoot(other, a_request(tmp_path, variant="svd")), "memory") == {"rung": "resident"}


def test_out_of_memory_beside_the_compiler_goes_on_with_the_same_plan_uncompiled(tmp_path: Path) -> None:
    made = studio(tmp_path, "--fault", "oom", "--times", "1", compile=True)
    request = a_request(tmp_path)
    assert made._first_plan(request.settings, (64, 64)).compile
    take = shoot(made, request)
    assert take.notes == (), "nothing that a person would notice has changed"
    recipe = read_recipe(take.writer.finish().path)
    assert recipe is not None and recipe["memory"] == "full"
    assert not made._first_plan(request.settings, (64, 64)).compile, "the next clip would run out of memory again"


def test_a_memory_of_rungs_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "memory.json").write_text('{"half a')
    take = shoot(studio(tmp_path, "--fault", "oom", "--times", "1"), a_request(tmp_path))
    assert note(take, "memory") == {"rung": "resident"}
    assert Rungs(tmp_path / "state").get("Fake/24.0", "demo", 24 * GIB) == "resident"


def test_a_rung_is_forgotten_when_more_is_free_than_when_the_larger_one_did_not_fit(tmp_path: Path) -> None:
    shoot(studio(tmp_path, "--fault", "oom", "--times", "1", "--free-gib", "9"), a_request(tmp_path)).writer.abort()
    request = a_request(tmp_path)
    for free_gib, rung in ((9, "resident"), (9.3, "resident"), (12, "full")):
        made = studio(tmp_path, "--free-gib", str(free_gib))
        assert made._first_plan(request.settings, (64, 64)).rung == rung


def test_executors_beside_each_other_keep_their_rungs_apart(tmp_path: Path) -> None:
    for gpu, rung in (("0", "split"), ("1", "minimal")):
        Rungs(tmp_path, gpu).put("Fake/24.0", "demo", rung, GIB)
    assert [Rungs(tmp_path, gpu).get("Fake/24.0", "demo", GIB) for gpu in ("0", "1")] == ["split", "minimal"]


def test_a_rung_that_this_ladder_does_not_have_is_no_rung(tmp_path: Path) -> None:
    Rungs(tmp_path / "state").put("Fake/24.0", "demo", "from-another-version", 24 * GIB)
    assert shoot(studio(tmp_path), a_request(tmp_path)).notes == ()


def test_below_the_last_rung_it_is_the_jobs_failure(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory) as caught:
        shoot(studio(tmp_path, "--fault", "oom"), a_request(tmp_path))
    assert caught.value.data["needed_gib"] > 0
    assert caught.value.data["free_gib"] == 24.0
    assert left_in(tmp_path) == set()


def test_an_error_that_is_not_about_memory_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        shoot(studio(tmp_path, "--fault", "crash", "--times", "1"), a_request(tmp_path))
    assert left_in(tmp_path) == set()


# -- health


@pytest.mark.parametrize("frames", ["black", "frozen", "strobing"])
def test_bad_frames_are_rendered_once_more_with_another_seed(frames: str, tmp_path: Path) -> None:
    made = studio(tmp_path, "--frames", frames, "--unsafest", "--good-seed", "8")
    take = shoot(made, a_request(tmp_path, seed=7))
    assert note(take, "rerun") == {"why": frames, "how": "seed", "seed": 8}
    recipe = read_recipe(take.writer.finish().path)
    assert recipe is not None and recipe["settings"]["seed"] == 8


@pytest.mark.parametrize("frames", ["black", "frozen", "strobing"])
def test_frames_that_stay_bad_are_an_honest_failure(frames: str, tmp_path: Path) -> None:
    with pytest.raises(BadFrames) as caught:
        shoot(studio(tmp_path, "--frames", frames, "--unsafest"), a_request(tmp_path))
    assert caught.value.data == {"kind": frames}
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("options", "why"), [(("--frames", "black"), "black"), (("--fault", "nan", "--times", "1"), "nan")]
)
def test_numbers_that_overflow_are_rendered_once_more_in_a_safer_precision(
    options: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    made = studio(tmp_path, *options)
    take = shoot(made, a_request(tmp_path))
    assert note(take, "rerun") == {"why": why, "how": "precision", "precision": "fp32"}
    assert made.loaded is None, "the next clip would be rendered in the slow precision too"


def test_a_safer_precision_that_cannot_be_loaded_leaves_nothing_loaded(tmp_path: Path) -> None:
    made = studio(tmp_path, "--frames", "black")

    def fail() -> str | None:
        raise MemoryError("single precision does not fit")

    made.device.make_safer = fail  # type: ignore[method-assign]
    with pytest.raises(MemoryError):
        shoot(made, a_request(tmp_path))
    assert made.loaded is None, "the next clip would meet a device without weights"


def test_nan_twice_is_an_honest_failure(tmp_path: Path) -> None:
    with pytest.raises(BadFrames) as caught:
        shoot(studio(tmp_path, "--fault", "nan"), a_request(tmp_path))
    assert caught.value.data == {"kind": "nan"}


def test_memory_that_the_safer_precision_needs_is_not_remembered(tmp_path: Path) -> None:
    made = studio(tmp_path, "--frames", "black", "--fault", "oom", "--skip", "1", "--times", "1")
    take = shoot(made, a_request(tmp_path))
    assert note(take, "memory") == {"rung": "resident"}
    assert note(take, "rerun") is not None
    assert Rungs(tmp_path / "state").get("Fake/24.0", "demo", 0) is None


# -- the rest


def test_a_cancelled_take_leaves_nothing(tmp_path: Path) -> None:
    seen: list[Progress] = []

    def check() -> None:
        if any(item.phase is Phase.DECODE for item in seen):
            raise Cancelled.now()

    with pytest.raises(Cancelled):
        studio(tmp_path).shoot(a_request(tmp_path), Hooks(seen.append, check))
    assert left_in(tmp_path) == set()


def test_an_unknown_variant_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        studio(tmp_path).load("svd-2", lambda progress: None)
    assert "svd-xt" in caught.value.data["remedy"]


def test_the_seconds_of_each_phase_add_up(tmp_path: Path) -> None:
    take = shoot(studio(tmp_path, "--step-seconds", "0.02"), a_request(tmp_path))
    take.writer.abort()
    assert set(take.phase_seconds) == {"prepare", "denoise", "decode"}
    assert take.phase_seconds[Phase.DENOISE] >= 4 * 0.02
    assert sum(take.phase_seconds.values()) == pytest.approx(take.seconds, abs=0.05)
