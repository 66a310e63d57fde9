"""Renders on a device without torch: a rung down after an out-of-memory, bad frames and the one rerun."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from generator.clip import Loop
from generator.errors import BadFrames, Cancelled, OutOfMemory, WeightsUnavailable
from generator.executor.renderer import RenderedFrames, Renderer
from generator.executor.rungs import Planner, RememberedRungs
from generator.protocol import ExecutorConfig, Hooks, Note, Phase, Progress, RenderRequest
from generator.variants import BUILT_IN
from generator.video.recipe import read_recipe
from tests.support.fake_executor import FakeDevice, read_options
from tests.support.fakes import a_request

# A full-size variant, because the demo variant always gets the first rung.
VARIANTS = BUILT_IN | {"demo": BUILT_IN["svd-xt"]}


def a_renderer(folder: Path, *options: str, **config: Any) -> Renderer:
    settings = ExecutorConfig(variants=VARIANTS, state_folder=folder / "state", **config)
    device = FakeDevice(read_options(["--step-seconds", "0", *options]))
    made = Renderer(settings, device, Planner(settings, device, RememberedRungs(settings.state_folder)))
    made.load("demo", lambda progress: None)
    return made


def render(made: Renderer, request: RenderRequest) -> RenderedFrames:
    return made.render(request, Hooks(lambda progress: None, lambda: None))


def note(rendered: RenderedFrames, kind: str) -> dict[str, Any] | None:
    return next((note.data for note in rendered.notes if note.kind == kind), None)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"conditioning.png", "state"}


# -- memory


def test_a_clip_that_fits_has_nothing_to_tell(tmp_path: Path) -> None:
    rendered = render(a_renderer(tmp_path), a_request(tmp_path))
    assert rendered.notes == ()
    assert rendered.writer.finish().frames == 8


def test_an_old_request_for_more_steps_than_the_variant_has_now_gets_those(tmp_path: Path) -> None:
    made = a_renderer(tmp_path)
    found = []
    for variant in (VARIANTS["demo"], replace(VARIANTS["demo"], max_steps=1)):
        made.config = replace(made.config, variants={"demo": variant})
        recipe = read_recipe(render(made, a_request(tmp_path, steps=4)).writer.finish().path)
        assert recipe is not None
        found.append(recipe["settings"]["steps"])
    assert found == [4, 1]


class ApproximateDevice(FakeDevice):
    """Says that `fast_math` is in effect on it."""

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"fast_math": True}


@pytest.mark.parametrize(("kind", "told"), [(FakeDevice, False), (ApproximateDevice, True)])
def test_a_clip_that_was_computed_approximately_says_so(tmp_path: Path, kind: type[FakeDevice], told: bool) -> None:
    settings = ExecutorConfig(variants=VARIANTS)
    device = kind(read_options(["--step-seconds", "0"]))
    made = Renderer(settings, device, Planner(settings, device, RememberedRungs(None)))
    made.load("demo", lambda progress: None)
    rendered = render(made, a_request(tmp_path))
    assert (Note("fast-math") in rendered.notes) is told
    recipe = read_recipe(rendered.writer.finish().path)
    assert recipe is not None and recipe.get("fast_math", False) is told


def test_out_of_memory_goes_on_with_a_smaller_plan_and_says_so(tmp_path: Path) -> None:
    rendered = render(a_renderer(tmp_path, "--fault", "oom", "--times", "2"), a_request(tmp_path))
    assert rendered.notes == (Note("memory", {"rung": "split"}),)
    clip = rendered.writer.finish()
    recipe = read_recipe(clip.path)
    assert recipe is not None and recipe["memory"] == "split"
    assert left_in(tmp_path) == {clip.path.name}


def test_the_rung_that_worked_is_remembered_for_this_gpu_and_variant(tmp_path: Path) -> None:
    render(a_renderer(tmp_path, "--fault", "oom", "--times", "2"), a_request(tmp_path)).writer.abort()
    again = a_renderer(tmp_path, "--fault", "oom", "--times", "1")
    rendered = render(again, a_request(tmp_path))
    rendered.writer.abort()
    assert note(rendered, "memory") == {"rung": "streamed"}
    other = a_renderer(tmp_path, "--fault", "oom", "--times", "1")
    other.load("svd", lambda progress: None)
    rendered = render(other, a_request(tmp_path, variant="svd"))
    rendered.writer.abort()
    assert note(rendered, "memory") == {"rung": "resident"}


def test_below_the_last_rung_it_is_the_jobs_failure(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory) as caught:
        render(a_renderer(tmp_path, "--fault", "oom"), a_request(tmp_path))
    assert caught.value.data["needed_gib"] > 0
    assert caught.value.data["free_gib"] == 24.0
    assert left_in(tmp_path) == set()


def test_an_error_that_is_not_about_memory_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        render(a_renderer(tmp_path, "--fault", "crash", "--times", "1"), a_request(tmp_path))
    assert left_in(tmp_path) == set()


# -- health


@pytest.mark.parametrize("frames", ["black", "frozen", "strobing"])
def test_bad_frames_are_rendered_once_more_with_another_seed(frames: str, tmp_path: Path) -> None:
    made = a_renderer(tmp_path, "--frames", frames, "--unsafest", "--good-seed", "8")
    rendered = render(made, a_request(tmp_path, seed=7))
    assert note(rendered, "rerun") == {"why": frames, "how": "seed", "seed": 8}
    recipe = read_recipe(rendered.writer.finish().path)
    assert recipe is not None and recipe["settings"]["seed"] == 8


@pytest.mark.parametrize("frames", ["black", "frozen", "strobing"])
def test_frames_that_stay_bad_are_an_honest_failure(frames: str, tmp_path: Path) -> None:
    with pytest.raises(BadFrames) as caught:
        render(a_renderer(tmp_path, "--frames", frames, "--unsafest"), a_request(tmp_path))
    assert caught.value.data == {"kind": frames}
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("options", "why"), [(("--frames", "black"), "black"), (("--fault", "nan", "--times", "1"), "nan")]
)
def test_numbers_that_overflow_are_rendered_once_more_in_a_safer_precision(
    options: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    made = a_renderer(tmp_path, *options)
    rendered = render(made, a_request(tmp_path))
    rendered.writer.abort()
    assert note(rendered, "rerun") == {"why": why, "how": "precision", "precision": "fp32"}
    assert made.loaded is None, "the next clip would be rendered in the slow precision too"


def test_a_safer_precision_that_cannot_be_loaded_leaves_nothing_loaded(tmp_path: Path) -> None:
    made = a_renderer(tmp_path, "--frames", "black")

    def fail() -> str | None:
        raise MemoryError("single precision does not fit")

    made.device.make_safer = fail  # type: ignore[method-assign]
    with pytest.raises(MemoryError):
        render(made, a_request(tmp_path))
    assert made.loaded is None, "the next clip would meet a device without weights"


def test_nan_twice_is_an_honest_failure(tmp_path: Path) -> None:
    with pytest.raises(BadFrames) as caught:
        render(a_renderer(tmp_path, "--fault", "nan"), a_request(tmp_path))
    assert caught.value.data == {"kind": "nan"}


def test_memory_that_a_rerun_with_another_seed_needs_is_remembered(tmp_path: Path) -> None:
    """Only the safer precision needs more than other clips do."""
    made = a_renderer(tmp_path, "--frames", "frozen", "--unsafest", "--good-seed", "8")
    original, runs = made.device.frames, list[int]()

    def out_of_memory_at_the_second(*args: Any) -> Any:
        runs.append(1)
        if len(runs) == 2:
            raise MemoryError("another program took it")
        return original(*args)

    made.device.frames = out_of_memory_at_the_second  # type: ignore[assignment, method-assign]
    made.device.is_out_of_memory = lambda error: isinstance(error, MemoryError)  # type: ignore[method-assign]
    rendered = render(made, a_request(tmp_path, seed=7))
    rendered.writer.abort()
    assert (note(rendered, "rerun") or {})["how"] == "seed"
    smaller = note(rendered, "memory")
    assert smaller is not None
    made.device.frames = original  # type: ignore[method-assign]
    again = render(made, a_request(tmp_path, seed=8))
    assert note(again, "memory") is None, "nothing went wrong this time"
    recipe = read_recipe(again.writer.finish().path)
    assert recipe is not None and recipe["memory"] == smaller["rung"]


def test_memory_that_the_safer_precision_needs_is_not_remembered(tmp_path: Path) -> None:
    made = a_renderer(tmp_path, "--frames", "black", "--fault", "oom", "--skip", "1", "--times", "1")
    rendered = render(made, a_request(tmp_path))
    rendered.writer.abort()
    assert note(rendered, "memory") == {"rung": "resident"}
    assert note(rendered, "rerun") is not None
    assert RememberedRungs(tmp_path / "state").get("Fake/24.0", "demo", 0) is None


def test_memory_that_another_seed_needs_is_remembered(tmp_path: Path) -> None:
    """The counterpart: the rerun after bad frames is an ordinary render, only its seed is another."""
    options = ("--frames", "frozen", "--good-seed", "1", "--fault", "oom", "--skip", "1", "--times", "1")
    made = a_renderer(tmp_path, *options)
    rendered = render(made, a_request(tmp_path))
    rendered.writer.abort()
    assert note(rendered, "memory") == {"rung": "resident"}
    assert (note(rendered, "rerun") or {})["how"] == "seed"
    assert RememberedRungs(tmp_path / "state").get("Fake/24.0", "demo", 0) is not None
    assert made.planner.first(a_request(tmp_path).settings, (256, 144)).rung == "resident"


# -- the rest


def test_a_cancelled_render_leaves_nothing(tmp_path: Path) -> None:
    seen: list[Progress] = []

    def check() -> None:
        if any(item.phase is Phase.DECODE for item in seen):
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        a_renderer(tmp_path).render(a_request(tmp_path), Hooks(seen.append, check))
    assert left_in(tmp_path) == set()


def test_an_unknown_variant_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        a_renderer(tmp_path).load("svd-2", lambda progress: None)
    assert "svd-xt" in caught.value.data["remedy"]


def test_the_seconds_of_each_phase_add_up(tmp_path: Path) -> None:
    rendered = render(a_renderer(tmp_path, "--step-seconds", "0.02"), a_request(tmp_path))
    rendered.writer.abort()
    assert set(rendered.phase_seconds) == {"prepare", "denoise", "decode"}
    assert rendered.phase_seconds[Phase.DENOISE] >= 4 * 0.02
    assert sum(rendered.phase_seconds.values()) == pytest.approx(rendered.seconds, abs=0.05)


def test_it_tells_how_much_the_frames_move(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    many, few = (replace(request, settings=replace(request.settings, frames=frames)) for frames in (10, 5))
    moves = render(a_renderer(tmp_path), many).motion
    assert moves is not None and moves > 0.5, "a strip moves over the picture"
    assert render(a_renderer(tmp_path), few).motion is None, "too few to tell"


# -- drafts


def test_drafts_become_one_sheet_of_the_clips_size_that_only_plays(tmp_path: Path) -> None:
    wanted = replace(a_request(tmp_path, drafts=True, loop=Loop.SEAM, smooth=True), frames_path=tmp_path / "frames.mp4")
    rendered = render(a_renderer(tmp_path), wanted)
    clip = rendered.writer.finish()
    with Image.open(wanted.picture_path) as picture:
        assert (clip.width, clip.height) == picture.size
    assert (clip.frames, clip.playback_fps, clip.frames_path) == (8, 7, None)
    recipe = read_recipe(clip.path)
    assert recipe is not None and recipe["settings"]["drafts"] is True


def test_drafts_of_numbers_that_break_down_fail_because_their_buttons_know_the_seeds(tmp_path: Path) -> None:
    made = a_renderer(tmp_path, "--fault", "nan", "--unsafest")
    with pytest.raises(BadFrames):
        render(made, a_request(tmp_path, drafts=True))
    assert left_in(tmp_path) == set()
