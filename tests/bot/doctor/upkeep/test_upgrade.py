"""What an update would find: packages, settings, and a data folder of each released schema."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.config import Config
from bot.doctor.check import Check, Status
from bot.doctor.upkeep.contents import DATABASE
from bot.doctor.upkeep.upgrade import check_data, check_packages, check_settings, examine_upgrade
from bot.queue.opening.copies import RESTORING
from bot.queue.opening.migrations import STEPS, migrate, scripts
from tests.bot.queue.test_old_data import RELEASED, old_folder
from tests.support.jobs import opened


def only(checks: list[Check]) -> Check:
    assert len(checks) == 1, checks
    return checks[0]


def folder_of_version(folder: Path, version: int) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as db:
        migrate(db, scripts()[:version], None)
    return folder


@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_an_older_schema_is_tried_on_a_copy_and_a_backup_is_advised(tmp_path: Path, version: int) -> None:
    folder = folder_of_version(tmp_path / "data", version)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    check = only(check_data(folder))
    assert check.status is Status.WARNING
    assert f"has schema {version}; the first start migrates it to {len(STEPS)}" in check.seen
    assert "python -m bot backup" in check.remedy
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "nothing was changed"


@pytest.mark.parametrize("version", range(1, RELEASED + 1))
def test_the_rows_that_a_version_wrote_are_tried_too(tmp_path: Path, version: int) -> None:
    assert only(check_data(old_folder(tmp_path, version))).status is Status.WARNING


def test_a_migration_that_fails_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of_version(tmp_path / "data", 1)
    monkeypatch.setattr("bot.doctor.upkeep.upgrade.scripts", lambda: [*scripts(), "nonsense;\n"])
    check = only(check_data(folder))
    assert check.status is Status.PROBLEM and "could not be migrated" in check.seen


async def test_a_folder_of_this_version_is_left_alone_also_while_a_bot_runs_on_it(tmp_path: Path) -> None:
    async with opened(tmp_path):
        assert only(check_data(tmp_path)).status is Status.OK
        (tmp_path / "connected").touch()
        data, running = check_data(tmp_path)
    assert data.status is Status.OK and running.status is Status.WARNING and "Stop it" in running.remedy


def test_a_folder_without_a_database_needs_nothing(tmp_path: Path) -> None:
    assert "no database yet" in only(check_data(tmp_path / "new")).seen


@pytest.mark.parametrize(
    ("text", "told"),
    [("pragma user_version = 99", "newer version"), ("drop table outbox", "another program")],
)
async def test_a_database_that_this_version_cannot_use_is_a_problem(tmp_path: Path, text: str, told: str) -> None:
    async with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute(text)
        db.commit()
    check = only(check_data(tmp_path))
    assert check.status is Status.PROBLEM and told in check.seen and check.remedy


def test_a_damaged_file_and_half_a_restoration_are_problems(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"holiday pictures" * 1000)
    assert "not a database" in only(check_data(tmp_path)).seen
    (tmp_path / DATABASE).unlink()
    (tmp_path / RESTORING).mkdir()
    assert "not restored into it to its end" in only(check_data(tmp_path)).seen


def test_a_disk_without_room_for_a_second_database_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of_version(tmp_path / "data", 1)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    assert "too little room" in only(check_data(folder)).seen


def test_packages_that_are_missing_or_of_another_version_are_named() -> None:
    wanted = ["aiohttp>=999", "not-there-at-all>=1", "typer>=0.1", 'trustme>=999; extra == "demo"']
    check = check_packages(wanted)
    assert check.status is Status.PROBLEM
    assert "aiohttp is" in check.seen and "not-there-at-all is not installed" in check.seen
    assert "typer" not in check.seen and "trustme" not in check.seen
    assert check_packages(["typer>=0.1"]).status is Status.OK


def test_a_setting_that_does_nothing_any_more_is_named() -> None:
    assert check_settings(Config(generator={"compile": True})).status is Status.WARNING
    assert check_settings(Config()).status is Status.OK


def test_the_whole_look_names_each_mistake_of_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("tokn = 1\nlog_level = 'LOUD'\n")
    checks = examine_upgrade(tmp_path / "config.toml")
    wrong = [check.seen for check in checks if check.name == "Configuration"]
    assert len(wrong) == 2 and "tokn" in str(wrong)
    (tmp_path / "config.toml").write_text(f'data_dir = "{tmp_path}/data"\n')
    names = [check.name for check in examine_upgrade(tmp_path / "config.toml")]
    assert names == ["Version", "Python", "Packages", "Configuration", "Data folder"]
