"""Measure the demo model on photographs that it never saw: seconds per clip, likeness, motion, stillness and flicker.

Rendered by the real pipeline with the variant's own defaults, on two threads of the CPU.
"""

from __future__ import annotations

import time
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.stats import spearmanr
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio
from skimage.registration import optical_flow_ilk
from sklearn.datasets import load_sample_image

from generator.clip import DEFAULT_STEPS, ClipSettings, Quality
from generator.memory import ClipSize, plan_memory
from generator.model.loaded import load_variant
from generator.model.pipeline import LoadedVariant
from generator.variants import BUILT_IN
from tests.benchmarks.report import Report
from tests.support.tiny_clip import SILENT

DEMO = BUILT_IN["demo"]
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "china", "flower")
BUCKETS = (20, 80, 127, 200)
STILL = 0

Frames = NDArray[np.uint8]


def photograph(name: str) -> Image.Image:
    """Return one of the PHOTOGRAPHS, which scikit-image and scikit-learn carry."""
    inside = getattr(data, name, None)
    return Image.fromarray(inside() if inside else load_sample_image(f"{name}.jpg"))


def photographs() -> dict[str, Image.Image]:
    """Return all of them, framed to the demo model's size."""
    return {name: ImageOps.fit(photograph(name), DEMO.landscape) for name in PHOTOGRAPHS}


def render(loaded: LoadedVariant, picture: Image.Image, motion_bucket: int = 127, **changes: Any) -> Frames:
    """Return the frames of a clip with the demo model's own defaults, but for the `changes`."""
    quality = DEMO.quality or Quality.QUALITY
    settings: dict[str, Any] = {
        "variant": DEMO.name,
        "frames": DEMO.frames,
        "motion_bucket": motion_bucket,
        "quality": quality,
        "steps": DEFAULT_STEPS[quality],
        "max_guidance": DEMO.max_guidance or ClipSettings().max_guidance,
        "seed": 1,
    }
    wanted = ClipSettings(**(settings | changes))
    plan = plan_memory(None, DEMO, ClipSize(*picture.size, wanted.frames))
    return np.stack(list(loaded.pipeline.render(picture, wanted, plan, SILENT)))


def likeness(picture: Image.Image, frame: NDArray[np.uint8]) -> float:
    """Return the PSNR of a frame against the picture, in dB."""
    return float(peak_signal_noise_ratio(np.asarray(picture), frame))


def motion(frames: Frames) -> float:
    """Return the mean optical flow over a third of a clip, in pixels per frame.

    Neighbouring frames are too close to tell slow motion from noise, first and last too far for the flow to find.
    """
    grey = [color.rgb2gray(frame) for frame in frames[::4]]
    flows = [np.hypot(*optical_flow_ilk(one, other, radius=9)) for one, other in pairwise(grey)]
    return float(np.mean(flows)) / 4


def flicker(frames: Frames) -> float:
    """Return the standard deviation of the frames' mean brightness, in grey levels."""
    return float(frames.mean((1, 2, 3)).std())


def restlessness(frames: Frames) -> float:
    """Return the mean difference of neighbouring frames, in grey levels: where nothing moves, all of it is flicker."""
    return float(np.abs(np.diff(frames.astype(np.float32), axis=0)).mean())


def run() -> Report:
    """Render every photograph at every motion bucket and compare."""
    torch.set_num_threads(2)
    loaded = load_variant(DEMO, torch.device("cpu"))
    seconds, still, first, orders, brightness = [], [], {}, [], []
    moved: dict[int, list[float]] = {bucket: [] for bucket in BUCKETS}
    for name, picture in photographs().items():
        for bucket in (STILL, *BUCKETS):
            began = time.perf_counter()
            frames = render(loaded, picture, bucket)
            seconds.append(time.perf_counter() - began)
            if bucket == STILL:
                still.append(restlessness(frames))
                continue
            moved[bucket].append(motion(frames))
            if bucket == 127:
                first[name] = likeness(picture, frames[0])
                brightness.append(flicker(frames))
        orders.append(float(spearmanr(BUCKETS, [found[-1] for found in moved.values()]).statistic))
    report = Report("demo", libraries=("torch", "diffusers"))
    report.figures = {
        "clip_of_14_frames_median_s": median(seconds),
        "first_frame_psnr_median_db": median(first.values()),
        **{f"motion_at_{bucket}_pixels_per_frame": median(found) for bucket, found in moved.items()},
        "motion_follows_bucket_lowest_spearman": min(orders),
        "change_at_bucket_0_worst_grey_levels": max(still),
        "brightness_flicker_worst_grey_levels": max(brightness),
    }
    report.targets = {
        "clip_of_14_frames_median_s": "<= 20",
        "first_frame_psnr_median_db": ">= 20",
        "motion_follows_bucket_lowest_spearman": ">= 0.9",
        "motion_at_20_pixels_per_frame": "<= 0.2",
        "change_at_bucket_0_worst_grey_levels": "<= 3",
        "brightness_flicker_worst_grey_levels": "<= 2",
    }
    report.tables = [f"  {name:10s} first frame {value:5.2f} dB" for name, value in first.items()]
    return report
