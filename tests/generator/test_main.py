"""`python -m generator`: a clip without a bot, the plan for a card, a clip's recipe, and mistakes in the command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner, Result

from generator.__main__ import app
from generator.backend.destination import choose_destination
from generator.clip import Format
from generator.variants import BUILT_IN


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "generator", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, cwd=cwd)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "astronaut.jpg"
    Image.fromarray(data.astronaut()).save(path)
    return path


def test_a_picture_becomes_a_clip_and_one_line_of_json_and_its_recipe_makes_it_again(
    picture: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    options = ("--variant", "demo", "--frames", "3", "--device", "cpu", "--shape", "landscape")
    done = run(picture, "-o", clip, *options, "--seed", "7", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert facts["clip_path"] == str(clip)
    assert facts["bytes"] == clip.stat().st_size
    assert (facts["width"], facts["height"], facts["frames"]) == (*BUILT_IN["demo"].landscape, 3)
    assert facts["settings"]["seed"] == 7
    recipe = json.loads(run("--recipe", clip).stdout)
    assert recipe["settings"]["seed"] == 7
    assert recipe["model"]["variant"] == "demo"


def test_a_folder_with_a_checkpoint_serves_as_model(picture: Path, tmp_path: Path) -> None:
    from tests.support.tiny_checkpoint import make_checkpoint

    make_checkpoint(tmp_path / "tiny", frames=4)
    done = run(picture, "--model", tmp_path / "tiny", "--size", "128x64", "--steps", "1", "-o", tmp_path / "c.gif")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.gif").read_bytes().startswith(b"GIF8")
    assert "4 frames" in done.stdout


@pytest.mark.parametrize("gib", [4, 6, 8, 12, 16, 24, 48])
def test_every_card_from_4_gib_up_has_a_plan_that_fits_it(gib: int) -> None:
    done = CliRunner().invoke(app, ["plan", "--vram-gib", str(gib), "--variant", "svd-xt", "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["peak_gib"] < gib


def test_a_plan_for_a_named_card_says_how_long_a_clip_may_take_and_that_nobody_measured_it() -> None:
    plan = ["plan", "--vram-gib", "24", "--json"]
    done = CliRunner().invoke(app, [*plan, "--card", "NVIDIA GeForce RTX 4090"])
    assert json.loads(done.stdout)["estimated_seconds"] == "49 to 163, not measured"
    assert "estimated_seconds" not in json.loads(CliRunner().invoke(app, plan).stdout)
    unknown = CliRunner().invoke(app, [*plan, "--card", "Voodoo 2"])
    assert unknown.exit_code == 2
    assert "Voodoo 2" in unknown.output


@pytest.mark.parametrize(
    ("cards", "status", "said"),
    [
        ([{"name": "NVIDIA H200"}], 0, "8 to 27, not measured"),
        ([{"name": "Voodoo 2", "tflops": 72.0}], 0, "81 to 269, not measured"),
        ([{"name": "NVIDIA H200", "error": "no kernel image"}], 1, "no GPU here"),
        ([], 1, "no GPU here"),
    ],
)
def test_a_plan_for_the_card_that_is_here_asks_torch(
    monkeypatch: pytest.MonkeyPatch, cards: list[dict[str, object]], status: int, said: str
) -> None:
    answer = subprocess.CompletedProcess([], 0, json.dumps({"cards": cards}), "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    done = CliRunner().invoke(app, ["plan", "--vram-gib", "24", "--card", "here", "--json"])
    assert done.exit_code == status
    assert said in done.output


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("no-such.png",), 1, "There is no file no-such.png"),
        (("--recipe", "no-such.mp4"), 1, "There is no file no-such.mp4"),
        (("PICTURE", "--recipe", "PICTURE"), 1, "carries no recipe"),
        (("PICTURE", "-o", "nowhere/clip.mp4"), 1, "There is no folder nowhere"),
        ((".",), 1, ". is a folder"),
        (("PICTURE", "-o", "clip.gif", "--format", "mp4"), 2, "contradict each other"),
        (("PICTURE", "--variant", "demo", "--steps", "0"), 2, "steps must be between 1 and 100, not 0"),
        (("PICTURE", "--variant", "demo", "--memory", "6GB"), 2, "a cap like 6GiB, not '6GB'"),
        (("PICTURE", "--device", "gpu"), 2, "device must be auto, cpu, mps, cuda or cuda:N, not 'gpu'"),
        (("PICTURE", "-o", "nowhere/clip", "--format", "gif"), 1, "There is no folder nowhere"),
        (("plan", "--vram-gib", "8", "--memory", "6GB"), 2, "a cap like 6GiB"),
        (("PICTURE", "--seed", "-1"), 2, "seed must be between 0 and 4294967295, not -1"),
        (("plan", "--vram-gib", "2"), 1, "needs 2.3 GiB of GPU memory, 1.1 GiB are free"),
        (("PICTURE", "--steps", "900"), 2, "steps must be between 1 and 100"),
        (("PICTURE", "--variant", "demo", "--steps", "2"), 2, "a clip of demo has at most 1 denoising step, not 2"),
        (("PICTURE", "--variant", "svd-2"), 2, "there is no variant svd-2"),
        (("PICTURE", "--model", "nowhere"), 2, "nowhere holds no Stable Video Diffusion checkpoint"),
        (("PICTURE", "--size", "100x100"), 2, "multiples of 64"),
        (("PICTURE", "--size", "64x0"), 2, "from 64 to 4096"),
        (("PICTURE", "--size", "64000x64"), 2, "from 64 to 4096"),
        (("PICTURE", "--size", "²x64"), 2, "multiples of 64"),
        (("PICTURE", "--size", "64x64x64"), 2, "multiples of 64"),
        (("PICTURE", "-o", "clip.avi"), 2, "mp4, gif or webp"),
        (("PICTURE", "--loop", "backwards"), 2, "boomerang"),
    ],
)
def test_a_mistake_is_a_plain_sentence_and_an_exit_code(
    arguments: tuple[str, ...], status: int, said: str, picture: Path, tmp_path: Path
) -> None:
    done = run(*(picture if item == "PICTURE" else item for item in arguments), cwd=tmp_path)
    assert done.returncode == status
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_picture_is_refused_before_any_model_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture" * 100)
    done = run(tmp_path / "notes.txt", "-o", tmp_path / "clip.mp4")
    assert done.returncode == 1
    assert "not a picture" in done.stderr
    assert not (tmp_path / "clip.mp4").exists()


def test_weights_that_are_not_there_are_a_sentence_with_the_remedy(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "half" / "unet").mkdir(parents=True)
    (tmp_path / "half" / "unet" / "config.json").write_text("{}")
    done = run(picture, "--model", tmp_path / "half", "--device", "cpu", "-o", tmp_path / "clip.mp4")
    assert done.returncode == 1
    assert "model_index.json" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("render", "PICTURE", "--variant", "svdxt"), 2, "Did you mean 'svd-xt'?"),
        (("render", "PICTURE", "--memory", "8GB"), 2, "Did you mean 8GiB?"),
        (("render", "PICTURE", "--memory", "8"), 2, "Did you mean 8GiB?"),
        (("render", "PICTURE", "--memory", "minimum"), 2, "Did you mean 'minimal'?"),
        (("render", "PICTURE", "--memory", "1GiB"), 1, "With --memory 1GiB there is no clip: it needs 2.3 GiB"),
        (("render", "PICTURE", "--max-mib", "nan"), 2, "--max-mib"),
        (("plan", "--vram-gib", "2"), 1, "It takes a card of 4 GiB or more. Fewer --frames"),
        (("plan", "--vram-gib", "4", "--memory", "full"), 1, "A clip of svd-xt needs"),
        (("plan", "--vram-gib", "nan"), 2, "--vram-gib"),
        (("plan", "--vram-gib", "inf"), 2, "--vram-gib"),
        (("plan", "--vram-gib", "0"), 2, "--vram-gib"),
    ],
)
def test_a_mistake_comes_with_its_remedy(
    arguments: tuple[str, ...], status: int, said: str, picture: Path, tmp_path: Path
) -> None:
    with contextlib.chdir(tmp_path):
        done = told(*(str(picture) if item == "PICTURE" else item for item in arguments))
    assert (done.exit_code, said in words(done.stderr)) == (status, True), done.stderr


def told(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, color=False, env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"})


def words(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("clips", "is a folder: name the clip in it, such as"),
        ("clips/", "is a folder: name the clip in it, such as"),
        ("new/", "is a folder: name the clip in it, such as"),
        ("", "is a folder: name the clip in it, such as"),
        (f"{'n' * 248}.mp4", "cannot be written (File name too long)"),
        (f"{'ü' * 130}.mp4", "cannot be written (File name too long)"),
        ("PICTURE", "mp4, gif or webp, not 'jpg'"),
        ("picture.gif", "is the picture itself"),
        ("pipe.mp4", "is a device, not a file"),
        ("file.txt/clip.mp4", "There is no folder file.txt"),
        ("/proc/clip.mp4", "cannot be written"),
    ],
)
def test_an_impossible_clip_is_told_before_the_render(picture: Path, tmp_path: Path, out: str, said: str) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "file.txt").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    own = tmp_path / "picture.gif"
    shutil.copy(picture, own)
    before = {path.name for path in tmp_path.iterdir()}
    source = own if out == "picture.gif" else picture
    with contextlib.chdir(tmp_path):
        path = str(picture) if out == "PICTURE" else out
        done = told("render", str(source), "-o", path)
    assert (done.exit_code in (1, 2), said in words(done.stderr)) == (True, True), done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before, "nothing is left behind"


def test_a_possible_clip_is_no_mistake(tmp_path: Path) -> None:
    """The negative control: names at the edge of what is possible, and a clip that is there already."""
    (tmp_path / "picture.png").touch()
    (tmp_path / "clip.mp4").write_bytes(b"an earlier clip")
    for name in ("clip.mp4", f"{'n' * 236}.mp4", "-.mp4", "a b.mp4"):
        assert choose_destination(tmp_path / "picture.png", tmp_path / name, Format.MP4) == tmp_path / name
    assert (tmp_path / "clip.mp4").read_bytes() == b"an earlier clip"


def test_the_help_names_the_recipe() -> None:
    done = run("--help")
    assert "--recipe" in done.stdout and "how a clip was made" in done.stdout
