"""A file is there whole or not at all, and what was there before stays until then."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from generator.errors import DiskFull
from generator.process.durable import disk_watched, publish, written_aside


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with written_aside(path) as aside:
        aside.write_bytes(b"half")
        assert not path.exists()
        assert aside.name == ".clip.mp4.part"
    assert path.read_bytes() == b"half"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_nothing_and_the_file_before_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), written_aside(path) as aside:
        aside.write_text("after")
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_synced_before_the_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (aside := tmp_path / "aside").write_bytes(b"all of it")
    seen: list[list[str]] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: seen.append([path.name for path in tmp_path.iterdir()]))
    publish(aside, tmp_path / "clip.mp4")
    assert seen == [["aside"], ["clip.mp4"]]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_from_other_mistakes(number: int) -> None:
    with pytest.raises(DiskFull), disk_watched():
        raise OSError(number, "full")
    with pytest.raises(PermissionError), disk_watched():
        raise OSError(errno.EACCES, "not allowed")
