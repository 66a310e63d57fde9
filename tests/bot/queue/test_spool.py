"""Files in the spool: named safely, swept, refused when the disk is nearly full."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bot.queue.spool import ClipGone, Spool, SpoolFull
from generator.clip import Format
from tests.support.jobs import new_job, opened


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", min_free_bytes=0)


async def test_two_attempts_never_share_a_file(spool: Spool, tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        job = await store.jobs.enqueue(new_job(format=Format.GIF))
    paths = [spool.attempt_paths(replace(job, attempt=attempt)) for attempt in (1, 2)]
    names = {path.name for attempt in paths for path in (attempt.clip, attempt.master)}

    assert {attempt.picture for attempt in paths} == {spool.folder / job.picture}
    assert names == {"1-1.gif", "1-1-master.gif", "1-2.gif", "1-2-master.gif"}


@pytest.mark.parametrize("name", ["../secret", "a/b", "", ".hidden", "a\x00b", "-" * 300])
def test_names_cannot_leave_the_folder(spool: Spool, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        spool.path(name)


def test_a_nearly_full_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path, min_free_bytes=1 << 60)

    with pytest.raises(SpoolFull) as full:
        spool.require_room()

    assert full.value.needed_bytes == 1 << 60
    assert 0 < full.value.free_bytes < 1 << 60


def test_an_ordinary_disk_has_enough_free_space(spool: Spool) -> None:
    """A SpoolFull would fail this."""
    spool.require_room()


def test_sweep_deletes_only_old_files_without_a_row(spool: Spool) -> None:
    for name in ("1-1.mp4", "2-1.mp4", ".3-1.mp4.part", "new.mp4"):
        (spool.folder / name).write_bytes(b"x")
        if name != "new.mp4":
            long_ago = time.time() - 7200
            os.utime(spool.folder / name, (long_ago, long_ago))

    assert spool.sweep({"1-1.mp4"}) == [".3-1.mp4.part", "2-1.mp4"]
    assert sorted(path.name for path in spool.folder.iterdir()) == ["1-1.mp4", "new.mp4"]


def test_sweep_leaves_a_running_attempt_its_files(spool: Spool) -> None:
    ours = ("7-2.mp4", "7-2-master.mp4", ".7-2.mp4.part")
    others = ("7-1.mp4", "17-2.mp4", "7-20.mp4")
    for name in ours + others:
        (spool.folder / name).write_bytes(b"x")

    assert spool.sweep({"7-2"}, 0) == sorted(others)
    assert {path.name for path in spool.folder.iterdir()} == set(ours)


def test_a_clip_goes_with_the_smaller_copies_made_of_it_and_no_other(spool: Spool) -> None:
    for name in ("1-1.mp4", "1-1-8388608.mp4", "1-1-500.mp4", "1-1-master.mp4", "1-10.mp4", "11-1.mp4", "1-1-9.gif"):
        (spool.folder / name).write_bytes(b"x")

    spool.delete(["1-1.mp4"])

    assert sorted(path.name for path in spool.folder.iterdir()) == [
        "1-1-9.gif",
        "1-1-master.mp4",
        "1-10.mp4",
        "11-1.mp4",
    ]


def test_files_made_anew_go_after_an_hour_and_kept_frames_with_their_clip(spool: Spool) -> None:
    kept = ["7-2.gif", "7-2-frames.mp4"]
    anew = ["7-2-as-mp4-none-0-7-1000.mp4", "7-2-as-gif-seam-1-7-1000.gif"]
    others = ["7-1-frames.mp4", "77-2-frames.mp4"]
    for name in (*kept, *anew, *others):
        (spool.folder / name).write_bytes(b"x")
        os.utime(spool.folder / name, (0, 0))
    assert spool.sweep({"7-2.gif"}) == sorted(anew + others)
    assert sorted(path.name for path in spool.folder.iterdir()) == sorted(kept)
    (spool.folder / anew[0]).write_bytes(b"x")
    assert spool.sweep({"7-2.gif"}) == [], "it may still be on its way"
    spool.delete(["7-2.gif"])
    assert list(spool.folder.iterdir()) == []


def test_room_is_what_is_free_or_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, min_free_bytes=1_000)
    monkeypatch.setattr(spool, "free_bytes", lambda: 1_000)
    spool.require_room()
    monkeypatch.setattr(spool, "free_bytes", lambda: 999)
    with pytest.raises(SpoolFull) as full:
        spool.require_room()
    assert (full.value.free_bytes, full.value.needed_bytes) == (999, 1_000)
    assert str(full.value) == "999 bytes free, 1000 needed"


async def test_a_clip_is_there_or_gone(spool: Spool, tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        job = await store.jobs.enqueue(new_job())
    for name in (None, "1-1.mp4"):
        with pytest.raises(ClipGone):
            spool.clip_of(replace(job, clip=name))
    (spool.folder / "1-1.mp4").write_bytes(b"x")
    assert spool.clip_of(replace(job, clip="1-1.mp4")) == spool.folder / "1-1.mp4"


def test_a_request_that_becomes_no_job_leaves_nothing_behind_and_others_alone(spool: Spool) -> None:
    assert [path.name for path in spool.request_paths("77")] == ["incoming-77", "picture-77.png"]
    assert spool.incoming_path("77") == spool.request_paths("77")[0]
    theirs = ["incoming-77", "picture-77.png", ".incoming-77.part", ".picture-77.png.part"]
    others = ["incoming-777", "picture-7.png", ".incoming-7.part", "77-1.mp4"]
    for name in theirs + others:
        (spool.folder / name).write_bytes(b"x")
    for _ in range(2):
        spool.delete_request("77")
        assert sorted(path.name for path in spool.folder.iterdir()) == sorted(others)


def test_all_attempts_of_a_job_are_deleted_and_no_other_jobs(spool: Spool) -> None:
    theirs = ["7-1.mp4", "7-2-master.gif", ".7-3.mp4.part"]
    others = ["77-1.mp4", ".17-1.mp4.part", "1-7.mp4", "picture-7.png"]
    for name in theirs + others:
        (spool.folder / name).write_bytes(b"x")
    spool.delete_attempts(7)
    assert sorted(path.name for path in spool.folder.iterdir()) == sorted(others)


def test_sweep_waits_an_hour_unless_told_otherwise(spool: Spool) -> None:
    for name, age_seconds in (("young", 3_500), ("old", 3_700)):
        (spool.folder / name).write_bytes(b"x")
        os.utime(spool.folder / name, (time.time() - age_seconds,) * 2)
    (spool.folder / "folder").mkdir()
    os.utime(spool.folder / "folder", (0, 0))
    assert spool.sweep(set()) == ["old"]
    assert spool.sweep(set(), 3_000) == ["young"]


def test_a_file_that_goes_in_the_moment_it_was_found_is_fine(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: [folder / "1-1-9.mp4"])
    spool.delete(["1-1.mp4"])
    spool.delete_attempts(1)
    assert list(spool.folder.iterdir()) == []


def test_a_spool_makes_its_folder(tmp_path: Path) -> None:
    for _ in range(2):
        assert list(Spool(tmp_path / "new" / "spool", 0).folder.iterdir()) == []


def test_deleting_what_is_gone_is_fine(spool: Spool) -> None:
    (spool.folder / "1-1.mp4").write_bytes(b"x")

    spool.delete(["1-1.mp4", "2-1.mp4"])

    assert list(spool.folder.iterdir()) == []
