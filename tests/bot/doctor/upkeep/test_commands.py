"""`backup`, `restore` and `upgrade-check` as commands: what they say, and their exit status."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.bot.doctor.upkeep.test_backup import fill
from tests.support.jobs import opened


async def run(folder: Path, *words: str, data: str = "data") -> tuple[int | None, str]:
    """Run a command in a folder; return its exit status and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[4]), "VIVANT_DATA_DIR": data},
        cwd=folder,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert b"Traceback" not in said
    return process.returncode, said.decode()


async def test_a_backup_of_a_running_bot_goes_to_another_folder(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 2)
        status, said = await run(tmp_path, "backup", "saved.tar.gz")
        assert status == 0 and "2 jobs, 3 pictures and clips" in said, said
        status, said = await run(tmp_path, "upgrade-check", "--json")
        assert status == 0
        assert {check["status"] for check in json.loads(said)["checks"]} <= {"ok", "warning"}
    status, said = await run(tmp_path, "restore", "saved.tar.gz", data="second")
    assert status == 0 and "2 jobs" in said and "python -m bot run" in said
    async with opened(tmp_path / "second") as store:
        assert await store.recheck.is_due()
        assert len(await store.jobs.active()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("backup", "x"), "no database"),
        (("restore", "x"), "There is no backup at x"),
        (("restore", "."), "holds no backup.json"),
        (("backup", "x", "--config", "missing.toml"), "no config file"),
        (("backup",), "Missing argument"),
        (("restore",), "Missing argument"),
    ],
)
async def test_bad_input_is_a_sentence_and_changes_nothing(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    status, said = await run(tmp_path, *words)
    assert status != 0 and told in said
    assert list(tmp_path.iterdir()) == []


async def test_what_must_be_mended_first_ends_the_look_with_1(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("tokn = 1\n")
    status, said = await run(tmp_path, "upgrade-check")
    assert status == 1 and "tokn" in said
