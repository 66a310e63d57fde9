"""The audit tells what became of each file, and shows where another reader sees something else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generator.picture.image import allow_formats
from generator.picture.limits import PictureLimits
from scripts.picture_audit import Audit, compare, contact_sheet, main, take_in
from tests.support.picture_files import png, samples, saved
from tests.support.scenes import blobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "pictures").mkdir()
    (folder / "a.jpg").write_bytes(saved(blobs(300, 200), "JPEG"))
    (folder / "cut.jpg").write_bytes(saved(blobs(300, 200), "JPEG")[:2000])
    (folder / "deeper").mkdir()
    (folder / "deeper" / "b.png").write_bytes(png(samples(20, 30, 3), 2, 8))
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_every_file_is_counted_with_its_time_and_memory(folder: Path) -> None:
    report = Audit()
    accepted = asyncio.run(take_in(folder, report))
    assert [path.name for path in accepted] == ["a.jpg", "b.png"]
    assert report.refused == {"corrupt (cut-short)": 1, "not-a-picture": 1}
    assert sorted(name for _, name in report.seconds) == ["a.jpg", "cut.jpg", "deeper/b.png", "notes.txt"]
    assert max(report.peaks)[0] > 10**7
    said = "\n".join(report.lines())
    assert "4 files: 2 accepted, 2 refused" in said
    assert "corrupt (cut-short)" in said
    assert [path.name for path in folder.parent.iterdir()] == ["pictures"], "nothing is written beside them"


def test_what_another_reader_sees_otherwise_is_shown(folder: Path) -> None:
    allow_formats(max_pixels=PictureLimits().max_pixels)
    right = np.dstack([np.asarray(blobs(300, 200)), np.full((200, 300), 255, np.uint8)])
    for theirs, outcome in ((right, (1, 0, 0)), (255 - right, (0, 0, 1)), (right[:100], (0, 0, 1)), (None, (0, 1, 0))):
        report = Audit()
        compare(folder / "a.jpg", "a.jpg", [lambda data, theirs=theirs: theirs], report)  # type: ignore[misc]
        assert (report.agree, report.alone, len(report.differ)) == outcome
    sheet = contact_sheet([("a.jpg", right[..., :3], 255 - right)])
    assert len(sheet.getcolors(10**6) or []) > 100


@pytest.mark.browser
def test_the_command_prints_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "turned.webp").write_bytes(saved(Image.new("RGB", (30, 60), (9, 99, 200)), "WEBP"))
    main([str(folder), "--sheet", str(folder.parent / "sheet.png")])
    said = capsys.readouterr().out
    assert "5 files: 3 accepted, 2 refused" in said
    assert "3 agree, 0 differ" in said or "NO BROWSER" in said
    assert not (folder.parent / "sheet.png").exists()


def test_a_missing_folder_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["/nowhere/at/all"])
    assert "make audit PICTURES=folder" in capsys.readouterr().err
