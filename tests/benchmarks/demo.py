"""Measure the demo model on 24 photographs that it never saw: `python -m tests.benchmarks demo`.

Rendered by the real pipeline with what a person gets who chooses nothing, on two threads of the CPU.

`--checkpoint=` names the folder of another checkpoint: it is measured beside the shipped one, whose figures then begin
with `shipped_`. `--before=` names the folder of an older one that is measured beside the shipped one. `--mate=` is the
folder with the pictures of Debian's mate-backgrounds, where that is not installed.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr
from skimage import color
from skimage.registration import optical_flow_ilk

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.options import Options, resolve
from generator.memory import ClipSize, plan_memory
from generator.model.loaded import load_variant
from generator.model.pipeline import LoadedVariant
from generator.variants import BUILT_IN, Variant, variant_of_folder
from tests.benchmarks.clip_figures import ClipFigures, distinct, frame, judge, psnr
from tests.benchmarks.report import Report
from tests.support.photographs import MATE, Photograph, installed
from tests.support.registration import track
from tests.support.tiny_clip import SILENT

DEMO = BUILT_IN["demo"]
BUCKETS = (20, 80, 127, 200)
FOLLOWED = ("astronaut", "coffee", "china")
"""photographs that are moved by each bucket"""
SEEDED = "chelsea"
"""photograph that is moved with each seed"""
SEEDS = 10
FINE = (0.85, 1.2)
"""the last frame's fine detail as a share of the first's: what is as clean"""
TARGETS = {
    "photographs": ">= 24",
    "first_frame_psnr_median_db": ">= 30",
    "last_frame_psnr_median_db": ">= 28",
    "change_beyond_the_move_median_levels": "<= 1.5",
    "colour_drift_median_levels": "<= 1",
    "last_frames_as_clean_as_the_first": ">= 21",
    "uncovered_edges_error_ratio_median": "<= 1.3",
    "distinct_moves_of_10_seeds": ">= 5",
    "motion_follows_bucket_lowest_spearman": ">= 1",
    "default_clip_median_s": "<= 10",
    "checkpoint_mb": "<= 24",
}

Frames = NDArray[np.uint8]


def render(loaded: LoadedVariant, picture: Image.Image, **changes: Any) -> Frames:
    """Return the frames of a clip with what a person gets who chooses nothing, but for the `changes`."""
    usual = resolve(Options(seed=1), loaded.variant, GeneratorConfig())
    wanted = dataclasses.replace(usual, **changes)
    plan = plan_memory(None, DEMO, ClipSize(*picture.size, wanted.frames))
    return np.stack(list(loaded.pipeline.render(picture, wanted, plan, SILENT)))


def likeness(picture: Image.Image, first: NDArray[np.uint8]) -> float:
    """Return the PSNR of a frame against the picture, in dB."""
    return psnr(np.asarray(picture, np.float64), first.astype(np.float64))


def motion(frames: Frames) -> float:
    """Return the mean optical flow over a third of a clip, in pixels per frame.

    Neighbouring frames are too close to tell slow motion from noise, first and last too far for the flow to find.
    """
    grey = [color.rgb2gray(each) for each in frames[::4]]
    flows = [np.hypot(*optical_flow_ilk(one, other, radius=9)) for one, other in pairwise(grey)]
    return float(np.mean(flows)) / 4


def flicker(frames: Frames) -> float:
    """Return the standard deviation of the frames' mean brightness, in grey levels."""
    return float(frames.mean((1, 2, 3)).std())


def restlessness(frames: Frames) -> float:
    """Return the mean difference of neighbouring frames, in grey levels: where nothing moves, all of it is flicker."""
    return float(np.abs(np.diff(frames.astype(np.float32), axis=0)).mean())


@dataclass
class Measured:
    """What one checkpoint's clips are like."""

    checkpoint: Path
    clips: dict[str, ClipFigures] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    moves: int = 0
    ways: dict[str, list[float]] = field(default_factory=dict)
    """by photograph, how far the camera goes with each of the BUCKETS, in pixels"""

    def figures(self) -> dict[str, float | int | str]:
        """Return the figures, with those names that have TARGETS."""
        clips = list(self.clips.values())
        edges = [clip.edges for clip in clips if clip.edges is not None]
        orders = [float(spearmanr(BUCKETS, way).statistic) for way in self.ways.values()]
        low, high = FINE
        return {
            "photographs": len(clips),
            "first_frame_psnr_median_db": median(clip.first_db for clip in clips),
            "last_frame_psnr_median_db": median(clip.last_db for clip in clips),
            "last_frame_psnr_of_picture_median_db": median(clip.last_db_of_picture for clip in clips),
            "change_beyond_the_move_median_levels": median(clip.change_levels for clip in clips),
            "colour_drift_median_levels": median(clip.drift_levels for clip in clips),
            "fine_detail_last_to_first_median": median(clip.fine for clip in clips),
            "fine_detail_last_to_first_moved_median": median(clip.fine_moved for clip in clips),
            "last_frames_as_clean_as_the_first": sum(low <= clip.fine <= high for clip in clips),
            "clips_with_uncovered_edges": len(edges),
            "uncovered_edges_error_ratio_median": median(edges) if edges else 0.0,  # no edge, no error
            "move_median_pixels": median(clip.move.size for clip in clips),
            "distinct_moves_of_10_seeds": self.moves,
            "motion_follows_bucket_lowest_spearman": min(orders, default=0.0),
            "default_clip_median_s": median(self.seconds),
            "checkpoint_mb": _bytes(self.checkpoint) / 1e6,
        }

    def table(self, title: str) -> list[str]:
        """Return a line for each photograph."""
        told = "first, last dB; change, drift levels; fine detail, and beside the first moved; edges; move in pixels"
        rows = [f"  {title}: {told}"]
        for name, clip in self.clips.items():
            edges = "   -" if clip.edges is None else f"{clip.edges:4.2f}"
            rows.append(
                f"  {name:18s} {clip.first_db:5.1f} {clip.last_db:5.1f}   {clip.change_levels:4.2f} "
                f"{clip.drift_levels:5.2f}   {clip.fine:4.2f} {clip.fine_moved:4.2f}   {edges}   {clip.move.size:5.1f}"
            )
        return rows


def measure(variant: Variant, pictures: list[Photograph]) -> Measured:
    """Render all clips of one checkpoint and judge them."""
    loaded = load_variant(variant, torch.device("cpu"))
    measured = Measured(Path(variant.source))
    by_name = {each.name: frame(each.open(), variant.landscape) for each in pictures}
    for seed, (name, framed) in enumerate(by_name.items()):
        began = time.perf_counter()
        frames = render(loaded, framed.picture, seed=seed)
        measured.seconds.append(time.perf_counter() - began)
        measured.clips[name] = judge(frames, framed)
        sys.stderr.write(f"{variant.source}: {name}\n")
    cat = by_name[SEEDED].picture
    measured.moves = distinct([track(render(loaded, cat, seed=seed))[1] for seed in range(SEEDS)])
    for name in FOLLOWED:
        clips = (render(loaded, by_name[name].picture, motion_bucket=bucket) for bucket in BUCKETS)
        measured.ways[name] = [track(clip)[1].size for clip in clips]
    return measured


def run(checkpoint: str = "", before: str = "", mate: str = "") -> Report:
    """Measure the shipped checkpoint, and another one beside it."""
    torch.set_num_threads(2)
    here, absent = installed(Path(mate) if mate else MATE)
    report = Report("demo", libraries=("torch", "diffusers"), targets=TARGETS)
    if absent:
        packages = ", ".join(sorted({each.package for each in absent}))
        report.tables.append(f"  NOT MEASURED: {len(absent)} photographs are not here. Install {packages}.")
    variants = {"": DEMO}
    if checkpoint:
        variants = {"": variant_of_folder(Path(checkpoint)), "shipped_": DEMO}
    elif before:
        variants |= {"before_": variant_of_folder(Path(before))}
    for prefix, variant in variants.items():
        found = measure(variant, here)
        report.figures |= {prefix + name: value for name, value in found.figures().items()}
        report.tables += found.table(variant.source)
    return report


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.suffix in {".safetensors", ".json"})
