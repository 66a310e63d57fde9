"""`python -m generator`: a clip without a bot, the plan for a card, a clip's recipe, and mistakes in the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

from generator.__main__ import app


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
    options = ("--variant", "demo", "--steps", "2", "--frames", "3", "--device", "cpu", "--shape", "landscape")
    done = run(picture, "-o", clip, *options, "--seed", "7", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert facts["clip_path"] == str(clip)
    assert facts["bytes"] == clip.stat().st_size
    assert (facts["width"], facts["height"], facts["frames"]) == (256, 144, 3)
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
        (("PICTURE", "--variant", "svd-2"), 2, "there is no variant svd-2"),
        (("PICTURE", "--model", "nowhere"), 2, "nowhere holds no Stable Video Diffusion checkpoint"),
        (("PICTURE", "--size", "100x100"), 2, "multiples of 64"),
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
