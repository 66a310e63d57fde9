"""doctor: each thing an operator can get wrong is seen, and has a remedy."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.doctor import (
    Check,
    Status,
    check_confinement,
    check_disk,
    check_ffmpeg,
    check_token,
    check_torch,
    check_weights,
    invite_link,
)


def only(checks: list[Check]) -> Check:
    assert len(checks) == 1, checks
    return checks[0]


def config(**settings: Any) -> Config:
    values: dict[str, Any] = {"generator": {"variant": "demo"}} | settings
    return Config(**values)


async def test_a_missing_token_names_the_page_where_it_is_made() -> None:
    check = only(await check_token(config()))
    assert check.status is Status.PROBLEM
    assert "discord.com/developers" in check.remedy


async def test_an_unreachable_discord_is_not_blamed_on_the_token() -> None:
    check = only(await check_token(config(token="x.y.z", proxy="http://127.0.0.1:9")))
    assert check.status is Status.PROBLEM
    assert "cannot be reached" in check.seen
    assert "proxy" in check.remedy


def test_the_invite_link_asks_for_no_more_than_the_bot_needs() -> None:
    assert "permissions=274878024704" in invite_link(7)
    assert 274878024704 == 1 << 10 | 1 << 11 | 1 << 38 | 1 << 14 | 1 << 15 | 1 << 16


async def test_the_bundled_ffmpeg_is_found() -> None:
    assert only(await check_ffmpeg(config())).status is Status.OK


async def test_an_ffmpeg_without_h264_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho ' V..... mpeg4'\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    check = only(await check_ffmpeg(config()))
    assert check.status is Status.PROBLEM
    assert "IMAGEIO_FFMPEG_EXE" in check.remedy


async def test_it_tells_which_walls_stand_around_strangers_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = only(await check_confinement(config()))
    assert "memory hidden" in check.seen
    assert (check.status is Status.OK) is ("missing" not in check.seen)
    # an interpreter whose libraries cannot be loaded, as the negative control
    (tmp_path / "ctypes.py").write_text("raise ImportError('no libffi')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    broken = only(await check_confinement(config()))
    assert broken.status is Status.WARNING
    assert "no libffi" in broken.seen


async def test_no_program_that_it_starts_gets_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake := tmp_path / "ffmpeg").write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    monkeypatch.setenv("VIVANT_TOKEN", "secret")
    await check_ffmpeg(config())
    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "secret" not in seen


async def test_torch_is_looked_at_in_a_child() -> None:
    checks = {check.name: check for check in await check_torch(config())}
    assert checks["torch"].status is Status.OK
    assert checks["GPU"].status is Status.OK, "the demo model needs no GPU"


@pytest.mark.parametrize("missing", ["model_index.json", "unet/diffusion_pytorch_model.safetensors"])
async def test_a_folder_without_a_part_of_the_weights_is_a_problem(tmp_path: Path, missing: str) -> None:
    (tmp_path / "unet").mkdir()
    for name in ("model_index.json", "unet/diffusion_pytorch_model.safetensors"):
        (tmp_path / name).touch()
    settings = config(generator={"variant": "mine"}, variants={"mine": {"source": str(tmp_path)}})
    assert only(await check_weights(settings)).status is Status.OK
    (tmp_path / missing).unlink()
    check = only(await check_weights(settings))
    assert check.status is Status.PROBLEM
    assert check.remedy


async def test_a_nearly_full_disk_is_a_problem(tmp_path: Path) -> None:
    assert only(await check_disk(config(data_dir=tmp_path / "new"))).status is Status.OK
    settings = config(data_dir=tmp_path, retention={"min_free_mib": 10**9})
    check = only(await check_disk(settings))
    assert check.status is Status.PROBLEM
    assert "min_free_mib" in check.remedy


def test_the_command_prints_a_remedy_for_each_problem_and_exits_1(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('[generator]\nvariant = "demo"\n')
    command = [sys.executable, "-m", "bot", "doctor", "--json", "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    checks = json.loads(done.stdout)["checks"]
    problems = [check for check in checks if check["status"] == "problem"]
    assert [check["name"] for check in problems] == ["Discord token"]
    assert all(check["remedy"] for check in problems)


def test_the_help_is_for_operators_alone() -> None:
    command = [sys.executable, "-m", "bot", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "run, demo, doctor" in done.stdout
    assert "tests/" not in done.stdout


def test_a_config_mistake_ends_the_command_with_its_sentence(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("tokn = 1\n")
    command = [sys.executable, "-m", "bot", "run", "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78, "a service manager must not try again"
    assert "no setting 'tokn'" in done.stderr
    assert "Traceback" not in done.stderr
