"""The shipped demo model on photographs it never saw: seconds per clip, the first frame's likeness, motion per bucket.

Rendered by the real pipeline with the variant's own defaults, on two threads of the CPU.
"""

from __future__ import annotations

import time
from itertools import pairwise
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from skimage import data
from skimage.metrics import peak_signal_noise_ratio
from sklearn.datasets import load_sample_image

from generator.clip import DEFAULT_STEPS, ClipSettings, Quality
from generator.memory import plan_memory
from generator.pipeline import Hooks, LoadedVariant, load_variant, render_frames
from generator.variants import BUILT_IN
from tests.benchmarks.report import Report

DEMO = BUILT_IN["demo"]
BUCKETS = (20, 80, 127, 200)
MOVED = ("chelsea",)
"""the photographs rendered at every bucket; the others only at the middle one"""

GROWTH = 1.1
"""least ratio of the motion at neighbouring buckets: noise without a picture "moves" a little differently each time"""


def photographs() -> dict[str, Image.Image]:
    """Give photographs that the two libraries carry, framed to the demo model's size."""
    pictures = {name: getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}
    pictures |= {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    return {name: ImageOps.fit(Image.fromarray(picture), DEMO.landscape) for name, picture in pictures.items()}


def render(loaded: LoadedVariant, picture: Image.Image, motion_bucket: int) -> NDArray[np.uint8]:
    """Give the frames of a clip with the demo model's own defaults."""
    quality = DEMO.quality or Quality.QUALITY
    settings = ClipSettings(
        variant=DEMO.name,
        frames=DEMO.frames,
        motion_bucket=motion_bucket,
        quality=quality,
        steps=DEFAULT_STEPS[quality],
        max_guidance=DEMO.max_guidance or ClipSettings().max_guidance,
        seed=1,
    )
    plan = plan_memory(None, DEMO, *picture.size, settings.frames)
    hooks = Hooks(progress=lambda progress: None, check=lambda: None)
    return np.stack(list(render_frames(loaded, picture, settings, plan, hooks)))


def motion(frames: NDArray[np.uint8]) -> float:
    """Give the mean absolute difference of neighbouring frames, in grey levels."""
    return float(np.abs(np.diff(frames.astype(np.float32), axis=0)).mean())


def run() -> Report:
    """Render the photographs and compare."""
    torch.set_num_threads(2)
    loaded = load_variant(DEMO, torch.device("cpu"))
    pictures = photographs()
    seconds, likeness = [], {}
    moved: dict[int, list[float]] = {bucket: [] for bucket in BUCKETS}
    for name, picture in pictures.items():
        for bucket in BUCKETS if name in MOVED else (127,):
            began = time.perf_counter()
            frames = render(loaded, picture, bucket)
            seconds.append(time.perf_counter() - began)
            if bucket == 127:
                likeness[name] = float(peak_signal_noise_ratio(np.asarray(picture), frames[0]))
            if name in MOVED:
                moved[bucket].append(motion(frames))
    steps = list(pairwise(moved.values()))
    growing = [all(GROWTH * less[index] < more[index] for less, more in steps) for index in range(len(MOVED))]
    report = Report("demo", libraries=("torch", "diffusers"))
    report.figures = {
        "clip_of_14_frames_median_s": median(seconds),
        "first_frame_psnr_median_db": median(likeness.values()),
        **{f"motion_at_{bucket}_grey_levels": float(np.mean(found)) for bucket, found in moved.items()},
        "share_of_pictures_with_growing_motion": sum(growing) / len(growing),
    }
    report.targets = {
        "clip_of_14_frames_median_s": "<= 20",
        "first_frame_psnr_median_db": ">= 20",
        "share_of_pictures_with_growing_motion": ">= 1",
    }
    report.tables = [f"  {name:10s} first frame {value:5.2f} dB" for name, value in likeness.items()]
    return report
