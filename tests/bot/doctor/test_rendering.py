"""The doctor tries what a render needs, each in a process of its own, and survives what it finds."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.doctor.check import Check, Status, ask_module, run_program
from bot.doctor.rendering import (
    check_ffmpeg,
    check_pictures,
    check_torch,
    check_weights,
    describe_card,
    list_cards,
    no_card,
)
from generator.variants import DEMO_MODEL_FOLDER
from tests.support.hub import LOGIN_PAGE, Answer, running_hub


def config(**settings: Any) -> Config:
    return Config(**{"generator": {"variant": "demo"}} | settings)


def only(checks: list[Check]) -> Check:
    assert len(checks) == 1, checks
    return checks[0]


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# -- ffmpeg


@pytest.mark.parametrize("kind", ["nowhere", "folder", "not executable", "no program", "hangs"])
async def test_an_ffmpeg_that_cannot_be_run_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "ffmpeg"
    if kind == "folder":
        path.mkdir()
    elif kind == "not executable":
        path.write_text("#!/bin/sh\n")
    elif kind == "no program":
        program(path, "\x7fELF")
    elif kind == "hangs":
        program(path, "#!/bin/sh\nexec sleep 60\n")
        real = run_program

        async def impatient(*command: str, **options: Any) -> Any:
            return await real(*command, seconds=0.2)

        monkeypatch.setattr("bot.doctor.rendering.run_program", impatient)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))
    check = only(await check_ffmpeg(config()))
    assert check.status is Status.PROBLEM and "IMAGEIO_FFMPEG_EXE" in check.remedy and str(path) in check.seen


async def test_an_ffmpeg_that_names_the_encoder_and_cannot_use_it_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = '#!/bin/sh\ncase "$*" in *-encoders*) echo libx264;; *) echo broken pipe dream >&2; exit 1;; esac\n'
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program(tmp_path / "ffmpeg", broken)))
    check = only(await check_ffmpeg(config()))
    assert check.status is Status.PROBLEM and "no MP4 could be written" in check.seen and "pipe dream" in check.seen


# -- torch and the cards

CARD = {"name": "NVIDIA Card", "capability": [6, 1], "gib": 8.0, "free_gib": 7.5}
FACTS = {"version": "2.13.0", "cards": [CARD], "mps": False}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("CUDA error: no kernel image is available for execution on the device", "whl/cu126 torch"),
        ("CUDA error: out of memory", "Close other programs"),
        ("The NVIDIA driver on your system is too old (found version 11040)", "driver 580 or newer"),
        ("CUDA error: unspecified launch failure", "dmesg"),
    ],
)
def test_a_card_that_does_not_compute_has_the_remedy_for_its_error(error: str, says: str) -> None:
    check = describe_card({**CARD, "error": error}, FACTS, demo=False)
    assert check.status is Status.PROBLEM and says in check.remedy and error in check.seen


async def test_a_card_of_which_torch_sees_nothing_has_its_torch_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await list_cards() == [], "the negative control: no driver, so nobody knows a card"
    said = "echo NVIDIA GeForce GTX 1080, 6.1; echo NVIDIA GeForce RTX 4090, 8.9"
    program(tmp_path / "nvidia-smi", f"#!/bin/sh\n{said}\n")
    cards = await list_cards()
    assert cards == [("NVIDIA GeForce GTX 1080", (6, 1)), ("NVIDIA GeForce RTX 4090", (8, 9))]
    facts = {**FACTS, "version": "2.13.0+cpu", "cards": []}
    check = no_card(facts, cards, needs_none=False)
    assert check.status is Status.PROBLEM and "GTX 1080" in check.seen and "whl/cu126 torch" in check.remedy
    assert "whl/cu130 torch" in no_card(facts, cards[1:], needs_none=False).remedy
    assert no_card(facts, cards, needs_none=True).status is Status.OK


async def test_a_broken_driver_names_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path / "nvidia-smi", "#!/bin/sh\necho NVIDIA-SMI has failed, 6.1; exit 9\n")
    assert await list_cards() == []


def test_a_card_that_computes_is_fine_and_a_full_one_is_told() -> None:
    assert describe_card(CARD, FACTS, demo=False).status is Status.OK
    assert describe_card({**CARD, "free_gib": 1.0}, FACTS, demo=False).status is Status.WARNING
    assert describe_card({**CARD, "free_gib": 1.0}, FACTS, demo=True).status is Status.OK


async def test_cards_that_are_not_visible_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa")
    check = only(await check_torch(config(generator={"variant": "demo", "gpus": [3]})))
    assert check.status is Status.PROBLEM and "CUDA_VISIBLE_DEVICES" in check.remedy


@pytest.mark.parametrize(
    ("settings", "names"), [({"gpus": [0, 1]}, 2), ({"device": "cuda:3"}, 4), ({"gpus": [0]}, None)]
)
async def test_fewer_cards_than_the_settings_name_are_told(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], names: int | None
) -> None:
    async def answer(module: str, *arguments: str, **options: Any) -> dict[str, Any]:
        return FACTS

    monkeypatch.setattr("bot.doctor.rendering.ask_module", answer)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    problems = [
        check.seen
        for check in await check_torch(config(generator={"variant": "demo", **settings}))
        if check.status is Status.PROBLEM
    ]
    assert problems == ([f"torch sees 1, the settings name {names}"] if names else [])


@pytest.mark.parametrize(
    ("device", "mps", "problem"),
    [("cuda", False, True), ("cuda:0", True, True), ("mps", False, True), ("mps", True, False), ("auto", False, False)],
)
async def test_a_device_that_is_not_there_is_told_for_the_demo_too(
    monkeypatch: pytest.MonkeyPatch, device: str, mps: bool, problem: bool
) -> None:
    async def answer(module: str, *arguments: str, **options: Any) -> dict[str, Any]:
        return {**FACTS, "cards": [], "mps": mps}

    monkeypatch.setattr("bot.doctor.rendering.ask_module", answer)
    problems = [
        check
        for check in await check_torch(config(generator={"variant": "demo", "device": device}))
        if check.status is Status.PROBLEM
    ]
    assert bool(problems) is problem
    assert all(f'"{device}"' in check.seen and "device" in check.remedy for check in problems)


# -- weights


async def weights(source: object, **environment: str) -> Check:
    settings = config(generator={"variant": "mine"}, variants={"mine": {"source": str(source)}})
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        return (await check_weights(settings))[0]


async def test_weights_that_are_whole_are_fine_and_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    assert (await weights(DEMO_MODEL_FOLDER)).status is Status.OK
    copied = Path(shutil.copytree(DEMO_MODEL_FOLDER, tmp_path / "copy"))
    file = copied / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    check = await weights(copied)
    assert check.status is Status.PROBLEM and str(file) in check.remedy
    for missing in ("unet", "scheduler"):  # what is looked at later first
        shutil.rmtree(copied / missing)
        assert missing in (await weights(copied)).remedy


@pytest.mark.parametrize(
    "source", ["https://huggingface.co/some/model", "a b", "some/model/unet", "/no\u0301where", "~nobody/x", "", "."]
)
async def test_a_bad_source_is_survived(source: str) -> None:
    check = await weights(source, HF_ENDPOINT="http://127.0.0.1:9")
    assert check.status is Status.PROBLEM and check.remedy


async def test_a_hub_is_asked_for_what_would_be_fetched(tmp_path: Path) -> None:
    with running_hub() as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path)}
        check = await weights("some/model", **environment)
        assert check.status is Status.WARNING and "not downloaded yet" in check.seen
        hub.gated = "auto"
        assert "Accept the licence" in (await weights("some/model", **environment)).remedy
        hub.trouble = Answer(200, LOGIN_PAGE)
        check = await weights("some/model", **environment)
        assert check.status is Status.PROBLEM and "HF_ENDPOINT" in check.remedy
    check = await weights("some/model", **environment)
    assert check.status is Status.PROBLEM and "cannot be reached" in check.remedy


# -- pictures and programs


async def test_a_picture_goes_through_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(await check_pictures(config())).status is Status.OK


async def test_a_program_that_says_no_json_is_a_line(tmp_path: Path) -> None:
    assert "No module named" in str(await ask_module("generator.nowhere"))
    assert await ask_module("this") == "it printed no answer"
    assert (await run_program(sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")).status == -9
    assert (await run_program("\0")).status is None
