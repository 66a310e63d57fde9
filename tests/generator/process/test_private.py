"""What we write is nobody else's to read, also what an earlier version wrote."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from generator.process.private import make_private, open_to_others, write_private_files

NAMES = ("data.db*", "spool", "spool/*")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def loose(folder: Path) -> Path:
    """Write a folder as an earlier version would have."""
    (folder / "spool").mkdir(parents=True)
    for name in ("data.db", "data.db-wal", "spool/clip.mp4", "theirs.txt"):
        (folder / name).touch()
    return folder


def test_what_is_open_to_others_is_closed_and_what_is_not_ours_is_left(tmp_path: Path) -> None:
    folder = loose(tmp_path / "data")
    (folder / "spool" / "link").symlink_to(tmp_path / "elsewhere.txt")
    (tmp_path / "elsewhere.txt").touch()
    assert len(list(open_to_others(folder, NAMES))) == 5
    make_private(folder, NAMES)
    assert list(open_to_others(folder, NAMES)) == []
    assert (mode(folder), mode(folder / "spool")) == (0o700, 0o700)
    assert {mode(folder / name) for name in ("data.db", "data.db-wal", "spool/clip.mp4")} == {0o600}
    assert (mode(folder / "theirs.txt"), mode(tmp_path / "elsewhere.txt")) == (0o644, 0o644)


def test_a_folder_that_is_not_there_is_made_private(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "data", NAMES)
    assert mode(tmp_path / "a" / "data") == 0o700


def test_what_cannot_be_changed_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = loose(tmp_path / "data")

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    caplog.set_level(logging.WARNING)
    make_private(folder, NAMES)
    assert caplog.text.count("stays open to other accounts") == 5
    (tmp_path / "file").touch()
    make_private(tmp_path / "file" / "data", NAMES)
    assert not (tmp_path / "file" / "data").exists()


@pytest.mark.parametrize("private", [True, False])
def test_what_children_write_is_private_too(tmp_path: Path, private: bool) -> None:
    if private:
        write_private_files()
    subprocess.run([sys.executable, "-c", f"open({str(tmp_path / 'f')!r}, 'w')"], check=True)
    assert mode(tmp_path / "f") == (0o600 if private else 0o644)
