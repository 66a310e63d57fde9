"""A stranger's file can be refused, slow or deadly: the bot goes on, and so does the next picture."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from generator.clip import ClipSettings, Format, Framing, Shape
from generator.errors import PictureError, PictureReason, terminal_sentence
from generator.memory import MIB
from generator.picture.image import allow_formats, frame_picture
from generator.picture.intake import PictureChild, Prepared
from generator.picture.limits import PictureLimits
from generator.variants import BUILT_IN
from generator.video.recipe import make_recipe, write_recipe
from tests.support.fakes import tiny_clip
from tests.support.hostile_pictures import bombs, hostile_pictures, many_scans
from tests.support.local_backend import eventually
from tests.support.scenes import blobs

DEMO = BUILT_IN["demo"]

NO_HANG_SECONDS = 5.0
"""what nobody may wait for longer, on a machine that does nothing else: the long form holds it"""
BUSY_SECONDS = 15
"""what a machine under many times its load may add: the start of a fresh child, and this process's own turn"""


@pytest.fixture
async def pictures() -> AsyncIterator[PictureChild]:
    async with PictureChild(children=1) as child:
        yield child


async def prepare(pictures: PictureChild, source: Path, target: Path | None = None) -> Prepared:
    return await pictures.prepare(
        source, target or source.with_name("out.png"), DEMO, shape=Shape.AUTO, framing=Framing.CROP
    )


async def refusal(pictures: PictureChild, source: Path) -> PictureError:
    with pytest.raises(PictureError) as caught:
        await prepare(pictures, source)
    assert not source.with_name("out.png").exists()
    return caught.value


def saved(path: Path, size: tuple[int, int] = (320, 180)) -> Path:
    blobs(*size).save(path)
    return path


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # one that is just ending
            if "generator.picture.intake" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("variant", ["svd-xt", "demo"])
@pytest.mark.parametrize("shape", Shape)
async def test_the_conditioning_image_is_the_very_picture_that_framing_gives(
    pictures: PictureChild, tmp_path: Path, variant: str, shape: Shape, framing: Framing
) -> None:
    source, target = saved(tmp_path / "p.jpg", (400, 700)), tmp_path / "out.png"
    prepared = await pictures.prepare(source, target, BUILT_IN[variant], shape, framing)
    size = BUILT_IN[variant].size(prepared.shape)
    assert prepared.shape is (Shape.PORTRAIT if shape is Shape.AUTO else shape)
    assert (prepared.width, prepared.height) == size
    assert (prepared.source_width, prepared.source_height) == (400, 700)
    allow_formats(max_pixels=PictureLimits().max_pixels)
    expected, notes = frame_picture(source, size, framing, PictureLimits())
    with Image.open(target) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(image), np.asarray(expected))
    assert prepared.notes == notes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "p.jpg"]


async def test_a_refusal_carries_its_reason_and_its_facts(pictures: PictureChild, tmp_path: Path) -> None:
    (text := tmp_path / "p.png").write_text("no picture")
    assert (await refusal(pictures, text)).reason is PictureReason.NOT_A_PICTURE
    (large := tmp_path / "l.png").write_bytes(bombs()[0])
    error = await refusal(pictures, large)
    assert error.reason is PictureReason.TOO_MANY_PIXELS
    assert error.data["max_pixels"] == PictureLimits().max_pixels


async def test_a_picture_whose_name_is_no_utf8_is_prepared(pictures: PictureChild, tmp_path: Path) -> None:
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    shutil.copy(saved(tmp_path / "p.png"), source)
    assert (await prepare(pictures, source)).source_width == 320


async def test_many_pictures_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    sizes = [(200 + 10 * i, 150) for i in range(8)]
    async with PictureChild(children=2) as pictures:
        answers = await asyncio.gather(
            *(prepare(pictures, saved(tmp_path / f"{w}.png", (w, h)), tmp_path / f"out-{w}.png") for w, h in sizes)
        )
        assert [(answer.source_width, answer.source_height) for answer in answers] == sizes
        assert len(children()) == 2
    assert not children()


async def test_a_picture_that_takes_too_long_is_refused_and_the_next_one_is_not(tmp_path: Path) -> None:
    (slow := tmp_path / "slow.png").write_bytes(bombs()[1])
    fine = saved(tmp_path / "fine.png")
    async with PictureChild(PictureLimits(seconds=0.15), children=1) as pictures:
        await prepare_patiently(pictures, fine)
        fine.with_name("out.png").unlink()
        started = time.monotonic()
        error = await refusal(pictures, slow)
        took = time.monotonic() - started
        assert (error.reason, error.data["what"]) == (PictureReason.TOO_SLOW, "time")
        assert took < 5
        await prepare_patiently(pictures, fine)
    async with PictureChild(PictureLimits(seconds=30), children=1) as pictures:
        await prepare(pictures, slow)  # the negative control: only the limit stood in its way


async def prepare_patiently(pictures: PictureChild, source: Path) -> Prepared:
    """Try again while this machine is too busy for even a small picture in so little time."""
    for _ in range(20):
        with contextlib.suppress(PictureError):
            return await prepare(pictures, source)
    return await prepare(pictures, source)


async def test_a_picture_that_takes_too_much_memory_is_refused_and_the_next_one_is_not(tmp_path: Path) -> None:
    (large := tmp_path / "large.png").write_bytes(bombs()[1])
    fine = saved(tmp_path / "fine.png")
    async with PictureChild(PictureLimits(memory_bytes=150 * MIB), children=1) as pictures:
        error = await refusal(pictures, large)
        assert (error.reason, error.data["what"]) == (PictureReason.TOO_SLOW, "memory")
        await prepare(pictures, fine)
    async with PictureChild(PictureLimits(memory_bytes=2048 * MIB), children=1) as pictures:
        await prepare(pictures, large)  # the negative control


async def test_memory_that_earlier_pictures_left_taken_refuses_nobody(tmp_path: Path) -> None:
    (large := tmp_path / "large.png").write_bytes(bombs()[1])
    fine = saved(tmp_path / "fine.png")
    async with PictureChild(PictureLimits(memory_bytes=150 * MIB), children=1) as pictures:
        await prepare(pictures, fine, tmp_path / "fine-out.png")
        used = children()
        await prepare(pictures, fine, tmp_path / "fine-out.png")
        assert children() == used, "the negative control"
        assert (await refusal(pictures, large)).data["what"] == "memory"
        assert len(children()) == 1
        assert children() != used, "it was tried again in one that had read nothing before"


async def test_endless_scans_are_refused_before_they_are_decoded(pictures: PictureChild, tmp_path: Path) -> None:
    data = io.BytesIO()
    blobs(640, 480).save(data, "JPEG", progressive=True)
    (source := tmp_path / "p.jpg").write_bytes(many_scans(data.getvalue(), 2000))
    error = await refusal(pictures, source)
    assert (error.reason, error.data["what"]) == (PictureReason.TOO_SLOW, "scans")
    source.write_bytes(many_scans(data.getvalue(), 50))
    await prepare(pictures, source)  # the negative control


async def test_a_child_killed_while_idle_costs_nobody_a_picture(pictures: PictureChild, tmp_path: Path) -> None:
    source = saved(tmp_path / "p.png")
    await prepare(pictures, source)
    (child,) = children()
    child.kill()
    assert (await prepare(pictures, source)).width == DEMO.landscape[0]
    assert children() != [child]


async def test_a_child_that_died_long_ago_is_not_signalled(
    pictures: PictureChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signalled: list[int] = []
    real = os.killpg

    def killpg(group: int, number: int) -> None:
        signalled.append(group)
        real(group, number)

    monkeypatch.setattr(os, "killpg", killpg)
    await prepare(pictures, saved(tmp_path / "p.png"))
    (child,) = children()
    child.kill()
    await eventually(lambda: not child.is_running())
    await prepare(pictures, tmp_path / "p.png")
    assert child.pid not in signalled, "by now its number may be another group's"


async def test_a_child_killed_at_work_refuses_that_picture_alone(pictures: PictureChild, tmp_path: Path) -> None:
    (slow := tmp_path / "slow.png").write_bytes(bombs()[1])
    task = asyncio.create_task(prepare(pictures, slow))
    async with asyncio.timeout(30):
        while not task.done():  # each new child too: a picture that kills every child is refused, not tried for ever
            for child in children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if child.memory_info().rss > 60 * MIB:  # it has started and is at work
                        child.kill()
            await asyncio.sleep(0.005)
    with pytest.raises(PictureError) as caught:
        await task
    assert (caught.value.reason, caught.value.data["what"]) == (PictureReason.CORRUPT, "crash")
    assert terminal_sentence(caught.value).startswith("This picture is damaged: the decoder was ended by SIGKILL. Save")
    await prepare(pictures, saved(tmp_path / "p.png"))


async def test_a_cancelled_picture_does_not_answer_for_the_next_one(pictures: PictureChild, tmp_path: Path) -> None:
    (slow := tmp_path / "slow.png").write_bytes(bombs()[1])
    await prepare(pictures, saved(tmp_path / "p.png"))
    task = asyncio.create_task(prepare(pictures, slow))
    await asyncio.sleep(0.02)  # somewhere in its decoding; where does not matter
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await prepare(pictures, saved(tmp_path / "q.png", (333, 200)))).source_width == 333


async def test_a_target_that_cannot_be_written_is_not_the_pictures_fault(
    pictures: PictureChild, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="No such file"):
        await prepare(pictures, saved(tmp_path / "p.png"), tmp_path / "missing" / "out.png")
    (tmp_path / ".full.png.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        await prepare(pictures, tmp_path / "p.png", tmp_path / "full.png")
    assert not (tmp_path / "full.png").exists()


async def test_the_settings_of_a_clip_are_read_in_the_child(pictures: PictureChild, tmp_path: Path) -> None:
    (clip := tmp_path / "c.mp4").write_bytes(tiny_clip())
    assert await pictures.read_recipe(clip) == (None, False)
    write_recipe(clip, Format.MP4, make_recipe(ClipSettings(seed=7), DEMO))
    assert await pictures.read_recipe(clip) == (ClipSettings(seed=7), False)
    assert await pictures.read_recipe(tmp_path / "missing.mp4") == (None, False)
    await prepare(pictures, saved(tmp_path / "p.png"))
    assert len(children()) == 1


def test_the_calling_process_loads_no_picture_library() -> None:
    script = (
        "import sys, generator.picture.intake; "
        "print([name for name in ('PIL', 'numpy', 'torch') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, pathlib\n"
        "from generator.picture.intake import *\n"
        "from generator.variants import BUILT_IN\n"
        "async def main():\n"
        "    path = pathlib.Path(sys.argv[1])\n"
        "    async with PictureChild() as pictures:\n"
        "        await pictures.prepare(path, path.with_name('o.png'), BUILT_IN['demo'], Shape.AUTO, Framing.CROP)\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    source = saved(tmp_path / "p.png")
    with subprocess.Popen([sys.executable, "-c", script, str(source)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        left = psutil.Process(process.pid).children()
        assert left
        process.kill()
    _, alive = psutil.wait_procs(left, timeout=10)
    assert not alive


# -- hostile files


class Tally:
    """Counts what became of hostile files."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        self.peak_kib = 0
        self.address_space_kib = 0

    def watch_memory(self) -> None:
        for child in children():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{child.pid}/status").read_text()
                facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
                self.peak_kib = max(self.peak_kib, int(facts.get("VmHWM", "0 kB").split()[0]))
                self.address_space_kib = max(self.address_space_kib, int(facts.get("VmPeak", "0 kB").split()[0]))

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        return (
            f"{self.outcomes.total()} files: {shown}; slowest {self.slowest:.2f} s, peak of a child"
            f" {self.peak_kib / 1024:.0f} MiB resident, {self.address_space_kib / 1024:.0f} MiB address space"
        )


async def attack(folder: Path, files: AsyncIterator[bytes], pictures: PictureChild, tally: Tally, name: str) -> None:
    source, target = folder / name, folder / f"{name}.png"
    async for data in files:
        source.write_bytes(data)
        started = time.perf_counter()
        try:
            await pictures.prepare(source, target, DEMO, Shape.AUTO, Framing.SMART)
        except PictureError as error:
            outcome = f"{error.reason} ({error.data['what']})" if "what" in error.data else str(error.reason)
        else:
            outcome = "accepted"
            with Image.open(target) as image:
                assert image.size in (DEMO.landscape, DEMO.portrait, DEMO.square)
        took = time.perf_counter() - started
        tally.slowest = max(tally.slowest, took)
        tally.outcomes[outcome] += 1
        if outcome.endswith("(crash)"):
            (folder / f"crash-{tally.outcomes[outcome]}").write_bytes(data)
        if tally.outcomes.total() % 20 == 0 or took > 0.2:
            tally.watch_memory()


async def attacked(folder: Path, count: int, seed: int) -> Tally:
    tally, stream = Tally(), hostile_pictures(count, seed)

    async def shared() -> AsyncIterator[bytes]:
        for data in stream:
            yield data

    async with PictureChild(children=2) as pictures:
        await asyncio.gather(*(attack(folder, shared(), pictures, tally, f"p{i}") for i in range(2)))
        tally.watch_memory()
    print(tally)
    return tally


def assert_within_limits(tally: Tally, count: int, seconds: float) -> None:
    limits = PictureLimits()
    assert tally.outcomes.total() == count
    assert tally.outcomes["accepted"] > count * 0.05, "mutations that leave nothing to decode would test nothing"
    assert tally.outcomes["corrupt"] > count * 0.1
    assert tally.address_space_kib * 1024 <= limits.memory_bytes
    assert tally.slowest <= seconds


async def test_hostile_files_are_accepted_or_refused_within_the_limits(tmp_path: Path) -> None:
    assert_within_limits(await attacked(tmp_path, 300, seed=1), 300, NO_HANG_SECONDS + BUSY_SECONDS)


async def test_bombs_are_accepted_or_refused_within_the_limits(pictures: PictureChild, tmp_path: Path) -> None:
    tally = Tally()

    async def files() -> AsyncIterator[bytes]:
        for data in bombs():
            yield data

    await attack(tmp_path, files(), pictures, tally, "bomb")
    print(tally)
    assert tally.slowest <= NO_HANG_SECONDS + BUSY_SECONDS
    assert not [name for name in tally.outcomes if "crash" in name]
    assert not [note for note in tally.outcomes if note == "not-a-picture"], "every bomb is a picture at first sight"


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_twenty_thousand_hostile_files_are_accepted_or_refused_within_the_limits(tmp_path: Path) -> None:
    assert_within_limits(await attacked(tmp_path, 20_000, seed=2), 20_000, NO_HANG_SECONDS)
