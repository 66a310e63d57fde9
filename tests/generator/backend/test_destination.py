"""Where a clip may lie, asked before anything is rendered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from generator.backend.destination import choose_destination
from generator.clip import Format
from generator.errors import SettingsError


def refusal(picture: Path, out: Path | None) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        choose_destination(picture, out, Format.MP4)
    assert caught.value.data["setting"] == "out"
    return caught.value


def test_without_a_name_the_clip_is_called_as_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_destination(Path("/elsewhere/cat.old.jpg"), None, Format.GIF) == Path("cat.old.gif")
    assert choose_destination(Path("cat.jpg"), tmp_path / "dog.mp4", Format.GIF) == tmp_path / "dog.mp4"
    assert list(tmp_path.iterdir()) == [], "nothing is left of the try"


def test_a_file_that_is_there_may_be_written_over_and_what_lies_beside_it_stays(tmp_path: Path) -> None:
    out, aside = tmp_path / "clip.mp4", tmp_path / ".clip.mp4.smaller.part"
    out.write_bytes(b"old")
    aside.write_bytes(b"of another run")
    assert choose_destination(tmp_path / "cat.jpg", out, Format.MP4) == out
    assert (out.read_bytes(), aside.read_bytes()) == (b"old", b"of another run")


def test_what_is_no_file_of_its_own_is_refused_with_what_to_do(tmp_path: Path) -> None:
    picture = tmp_path / "cat.jpg"
    picture.write_bytes(b"x")
    (tmp_path / "link.mp4").symlink_to(picture)
    os.mkfifo(tmp_path / "pipe")
    texts = {
        tmp_path: f"{tmp_path} is a folder: name the clip in it, such as {tmp_path / 'cat.mp4'}",
        tmp_path / "no" / "a.mp4": f"There is no folder {tmp_path / 'no'} to write the clip to",
        tmp_path / "pipe": f"{tmp_path / 'pipe'} is a device, not a file: name a file",
        picture: f"{picture} is the picture itself: name another file for the clip",
        tmp_path / "link.mp4": f"{tmp_path / 'link.mp4'} is the picture itself: name another file for the clip",
    }
    for out, text in texts.items():
        found = refusal(picture, out)
        assert (found.text, found.data["value"]) == (text, str(out))


@pytest.mark.parametrize(("name", "why"), [("n" * 250 + ".mp4", "File name too long"), ("a\0.mp4", "null byte")])
def test_a_name_that_the_disk_does_not_take_is_refused_with_the_reason(tmp_path: Path, name: str, why: str) -> None:
    found = refusal(tmp_path / "cat.jpg", tmp_path / name)
    assert why in found.text
    assert found.text.startswith(f"{tmp_path / name} cannot be written (")
    assert found.text.endswith("): choose another name or folder with --out")


def test_a_picture_that_is_not_there_is_no_reason_to_refuse_the_place(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    assert choose_destination(tmp_path / "gone.jpg", tmp_path / "clip.mp4", Format.MP4) == tmp_path / "clip.mp4"
