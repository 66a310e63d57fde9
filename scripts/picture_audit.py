"""Run a folder of files through the intake: `make audit PICTURES=folder`.

Prints what was accepted, what was refused and why, the slowest, the largest memory of the picture child, and where an
independent reader sees something else: Chromium, and libvips for what no browser shows. Those are laid side by side in
a contact sheet, ours at the left. Nothing is written beside the pictures, and none leaves this machine.

Tested in tests/test_picture_audit.py.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image, ImageDraw

from generator.clip import Framing, Shape
from generator.errors import PictureError
from generator.memory import MIB
from generator.picture.image import allow_formats
from generator.picture.intake import PictureChild
from generator.picture.limits import PictureLimits
from generator.variants import BUILT_IN
from tests.support.picture_files import Array
from tests.support.picture_readers import (
    BrowserReader,
    browser_reader,
    difference,
    libvips,
    read_by_libvips,
    read_by_us,
)

Pair = tuple[str, Array, Array]
"""a picture's name, what we see, what the other reader sees"""
Reader = Callable[[bytes], Array | None]

FAR = 12
"""levels by which a picture may differ on the average: encoders' losses and dithering stay below"""
_COMPARED_BYTES, _COMPARED_PIXELS = 8 * MIB, 12_000_000
"""beyond these a comparison would take longer than it tells"""
_SHOWN = 25
"""the slowest, and so on, that are printed"""
_THUMBNAIL, _MOST_PAIRS = 256, 100
_MIMES = {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png", b"GI": "image/gif", b"BM": "image/bmp", b"RI": "image/webp"}


@dataclass(slots=True)
class Audit:
    """What became of the files."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    seconds: list[tuple[float, str]] = field(default_factory=list)
    peaks: list[tuple[int, str]] = field(default_factory=list)
    """bytes of address space that the child had reached after each file"""
    agree: int = 0
    alone: int = 0
    """pictures that no other reader showed"""
    differ: list[Pair] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the report."""
        total = self.accepted + self.refused.total()
        yield f"{total} files: {self.accepted} accepted, {self.refused.total()} refused"
        yield from (f"  {count:6} {reason}" for reason, count in self.refused.most_common())
        yield "slowest:"
        yield from (f"  {seconds:6.2f} s  {name}" for seconds, name in sorted(self.seconds, reverse=True)[:_SHOWN])
        largest = max(self.peaks, default=(0, "-"))
        yield f"largest memory of a picture child: {largest[0] / MIB:.0f} MiB, {largest[1]}"
        yield f"compared with an independent reader: {self.agree} agree, {len(self.differ)} differ"
        yield f"read by us alone: {self.alone}"
        yield from (f"  {name}" for name, _, _ in self.differ)


async def take_in(folder: Path, report: Audit) -> list[Path]:
    """Run every file below a folder through the picture child, and return the accepted ones."""
    limits, files = PictureLimits(), sorted(item for item in folder.rglob("*") if item.is_file())
    with tempfile.TemporaryDirectory() as scratch:
        async with PictureChild(limits, children=1) as child:
            target = Path(scratch) / "out.png"
            names = {path: str(path.relative_to(folder)) for path in files}
            return [path for path in files if await _taken(child, path, target, names[path], report)]


async def _taken(child: PictureChild, path: Path, target: Path, name: str, report: Audit) -> bool:
    started = time.perf_counter()
    try:
        await child.prepare(path, target, BUILT_IN["svd-xt"], Shape.AUTO, Framing.SMART)
        report.accepted += 1
        return True
    except PictureError as error:
        what = f" ({error.data['what']})" if "what" in error.data else ""
        report.refused[f"{error.reason}{what}"] += 1
        return False
    finally:
        report.seconds.append((time.perf_counter() - started, name))
        report.peaks.append((_peak(), name))


def _peak() -> int:
    """Return the most address space that the picture child has had; 0 where the system does not tell."""
    peaks = [0]
    for process in psutil.Process().children():
        with contextlib.suppress(OSError, psutil.Error):
            status = Path(f"/proc/{process.pid}/status").read_text()
            if "generator.picture.intake" in process.cmdline():
                peaks += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmPeak")]
    return max(peaks)


def compare(path: Path, name: str, readers: list[Reader], report: Audit) -> None:
    """Compare a picture with what the first reader that knows it sees, at the picture's own size."""
    if path.stat().st_size > _COMPARED_BYTES:
        return
    ours = read_by_us(path)
    if isinstance(ours, PictureError) or ours.shape[0] * ours.shape[1] > _COMPARED_PIXELS:
        return
    data = path.read_bytes()
    theirs = next((shown for reader in readers if (shown := reader(data)) is not None), None)
    if theirs is None:
        report.alone += 1
    elif theirs.shape[:2] == ours.shape[:2] and difference(ours, theirs).mean() <= FAR:
        report.agree += 1
    else:
        report.differ.append((name, ours, theirs))


def contact_sheet(pairs: list[Pair]) -> Image.Image:
    """Return pairs of small pictures with their names: ours at the left, the other reader's at the right."""
    pairs, row, line = pairs[:_MOST_PAIRS], _THUMBNAIL + 24, 12
    sheet = Image.new("RGB", (2 * _THUMBNAIL + 8, max(1, len(pairs)) * row), (96, 96, 96))
    draw = ImageDraw.Draw(sheet)
    for number, (name, *pictures) in enumerate(pairs):
        draw.text((4, number * row + 4), name[-80:], fill=(255, 255, 255))
        for column, pixels in enumerate(pictures):
            small = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGBA")
            small.thumbnail((_THUMBNAIL, _THUMBNAIL))
            sheet.paste(small, (column * (_THUMBNAIL + 8), number * row + line + 8), small)
    return sheet


@contextlib.contextmanager
def independent_readers() -> Iterator[list[Reader]]:
    """Yield the readers that are installed, and say which are not."""
    with contextlib.ExitStack() as stack:
        readers: list[Reader] = []
        try:
            readers.append(partial(_by_browser, stack.enter_context(browser_reader())))
        except pytest.skip.Exception as missing:
            sys.stdout.write(f"{missing}\n")
        try:
            readers.append(partial(_by_libvips, libvips()))
        except pytest.skip.Exception as missing:
            sys.stdout.write(f"{missing}\n")
        yield readers


def _by_browser(browser: BrowserReader, data: bytes) -> Array | None:
    mime = _MIMES.get(data[:2]) or ("image/avif" if data[4:8] == b"ftyp" else None)
    return browser.shown(data, mime) if mime else None


def _by_libvips(vips: Any, data: bytes) -> Array | None:
    try:
        return read_by_libvips(data)
    except vips.Error:
        return None


def main(arguments: list[str] | None = None) -> None:
    """Audit a folder and print the report."""
    parser = argparse.ArgumentParser(description="Run a folder of files through the intake.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sheet", type=Path, default=Path("picture-audit.png"), help="where the contact sheet goes")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error("give a folder: make audit PICTURES=folder")
    report = Audit()
    accepted = asyncio.run(take_in(options.folder, report))
    allow_formats(max_pixels=PictureLimits().max_pixels)
    with independent_readers() as readers:
        for path in accepted:
            compare(path, str(path.relative_to(options.folder)), readers, report)
    for line in report.lines():
        sys.stdout.write(line + "\n")
    if report.differ:
        contact_sheet(report.differ).save(options.sheet)
        sys.stdout.write(f"look at {options.sheet}: ours at the left, the other reader's at the right\n")


if __name__ == "__main__":
    main()
