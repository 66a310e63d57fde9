"""Compare our clips with diffusers' exporters, ffmpeg's palettegen and plain Pillow: seconds, bytes and SSIM.

The frames are the same for all: a camera move over a photo with film grain, 25 of 1024x576, for each of two photos. A
figure is the worse of the two. SSIM is scikit-image's, against the source frames at the size of the file. Beside them:
how long each change of a finished clip's file takes.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.utils import export_to_gif, export_to_video
from diffusers.video_processor import VideoProcessor
from PIL import Image
from skimage.metrics import structural_similarity
from sklearn.datasets import load_sample_image

from generator.clip import ClipSettings, Format, Loop
from generator.memory import MIB
from generator.video.anew.again import encode_again
from generator.video.clip_file import ClipFormat
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import find_ffmpeg
from generator.video.frames import resized
from tests.benchmarks.report import Report
from tests.support.inspect_clip import read_frames
from tests.support.scenes import Frames, pan

SIZE, POSTED, FPS, COUNT = (1024, 576), (512, 288), 7, 25

PACE_SECONDS = 0.1
"""between two frames: decoding one is 7 TFLOP, and an RTX 4090 computes about 70 TFLOP a second"""

PHOTOS = ("china.jpg", "flower.jpg")
ROUNDS = 2


@dataclass(frozen=True)
class Row:
    """One encoder's result on one clip; the time is the best of ROUNDS."""

    photo: str
    name: str
    seconds: float
    bytes: int
    ssim: float

    @property
    def per_mb(self) -> float:
        return self.ssim / (self.bytes / 1e6)

    def __str__(self) -> str:
        return (
            f"  {self.photo:11s} {self.name:38s} {self.seconds:7.2f} s {self.bytes / 1e6:7.3f} MB"
            f"   SSIM {self.ssim:.4f}   per MB {self.per_mb:.4f}"
        )


def run() -> Report:
    """Measure everything and return the report."""
    torch.set_num_threads(2)
    report = Report("encode", libraries=("diffusers", "pillow", "numpy", "imageio-ffmpeg", "scikit-image"))
    rows, waits, changes = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for photo in PHOTOS:
            frames = pan(COUNT, *SIZE, photo=Image.fromarray(load_sample_image(photo)))
            rows += mp4_rows(photo, frames, Path(folder)) + gif_rows(photo, frames, Path(folder))
            changes.append(changed_files(frames, Path(folder)))
            waits.append(wait_after_last_frame(frames, Path(folder) / "wait.mp4"))
    by_name = {name: [row for row in rows if row.name == name] for name in dict.fromkeys(row.name for row in rows)}
    ours, stock = by_name["GIF ours"], by_name["GIF export_to_gif, posted size"]
    pairs = list(zip(ours, stock, strict=True))
    report.figures = {
        "wait_after_last_frame_s": max(waits),
        "stock_wait_after_last_frame_s": max(row.seconds for row in by_name["MP4 export_to_video with its PIL step"]),
        "mp4_all_frames_at_once_s": max(row.seconds for row in by_name["MP4 ours"]),
        "mp4_ssim": min(row.ssim for row in by_name["MP4 ours"]),
        "stock_mp4_ssim": min(row.ssim for row in by_name["MP4 export_to_video"]),
        "gif_s": max(row.seconds for row in ours),
        "gif_speed_ratio": min(theirs.seconds / mine.seconds for mine, theirs in pairs),
        "gif_ssim_per_byte_ratio": min(mine.per_mb / theirs.per_mb for mine, theirs in pairs),
        "gif_ssim": min(row.ssim for row in ours),
        "stock_gif_ssim": min(row.ssim for row in stock),
        **{name: max(each[name] for each in changes) for name in changes[0]},
    }
    report.targets = {
        "wait_after_last_frame_s": "<= 0.1",
        "gif_speed_ratio": ">= 5",
        "gif_ssim_per_byte_ratio": ">= 1",
        **dict.fromkeys(changes[0], "<= 3"),
    }
    report.tables = [str(row) for row in rows]
    return report


def mp4_rows(photo: str, frames: Frames, folder: Path) -> list[Row]:
    """Measure MP4; diffusers starts from what its pipeline returns, and once more from the tensor it decodes to."""
    path = folder / "c.mp4"
    pictures = [Image.fromarray(frame) for frame in frames]
    tensor = torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    processor = VideoProcessor()

    def with_pil_step() -> None:
        export_to_video(processor.postprocess_video(tensor, output_type="pil")[0], str(path), fps=FPS)

    jobs: dict[str, Callable[[], object]] = {
        "MP4 ours": lambda: ours(frames, path, Format.MP4),
        "MP4 export_to_video": lambda: export_to_video(pictures, str(path), fps=FPS),
        "MP4 export_to_video with its PIL step": with_pil_step,
    }
    return [measured(photo, name, job, path, frames[::6], step=6) for name, job in jobs.items()]


def gif_rows(photo: str, frames: Frames, folder: Path) -> list[Row]:
    """Measure GIFs. All start from the full-size frames, so that resizing them is measured as well."""
    path = folder / "c.gif"
    pictures = [Image.fromarray(frame) for frame in frames]

    def small() -> list[Image.Image]:
        return [picture.resize(POSTED, Image.Resampling.LANCZOS) for picture in pictures]

    def palettegen(dither: str) -> None:
        scale = f"scale={POSTED[0]}:{POSTED[1]}:flags=lanczos"
        graph = f"{scale},split[a][b];[a]palettegen[p];[b][p]paletteuse=dither={dither}"
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(FPS), "-i", "-"]
        command = [find_ffmpeg(), "-v", "error", *source, "-filter_complex", graph, "-y", str(path)]
        subprocess.run(command, input=b"".join(frame.tobytes() for frame in frames), check=True)

    def plain_pillow() -> None:
        palette = small()[0].quantize(256)
        flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in small()]
        flat[0].save(path, save_all=True, append_images=flat[1:], duration=1000 // FPS, loop=0)

    jobs: dict[str, Callable[[], object]] = {
        "GIF ours": lambda: ours(frames, path, Format.GIF),
        "GIF export_to_gif, posted size": lambda: export_to_gif(small(), str(path), fps=FPS),
        "GIF ffmpeg palettegen, bayer": lambda: palettegen("bayer"),
        "GIF ffmpeg palettegen, sierra2_4a": lambda: palettegen("sierra2_4a"),
        "GIF Pillow, first frame's palette": plain_pillow,
    }
    posted = [resized(frame, POSTED) for frame in frames]
    return [measured(photo, name, job, path, posted[::3], step=3) for name, job in jobs.items()]


def ours(frames: Frames, path: Path, format: Format) -> None:
    """Encode as the executor does, with all frames there at once."""
    clip = ClipFormat(format=format, width=SIZE[0], height=SIZE[1], playback_fps=FPS, max_bytes=10 * MIB)
    with ClipWriter(path, clip) as writer:
        for frame in frames:
            writer.add(frame)
        assert not writer.finish().notes


def wait_after_last_frame(frames: Frames, path: Path) -> float:
    """Return the seconds from the last frame to the finished file when frames come every PACE_SECONDS."""
    waits = []
    for _ in range(ROUNDS):
        clip = ClipFormat(format=Format.MP4, width=SIZE[0], height=SIZE[1], playback_fps=FPS, max_bytes=10 * MIB)
        with ClipWriter(path, clip) as writer:
            for frame in frames:
                time.sleep(PACE_SECONDS)
                writer.add(frame)
            started = time.perf_counter()
            writer.finish()
            waits.append(time.perf_counter() - started)
    return min(waits)


def changed_files(frames: Frames, folder: Path) -> dict[str, float]:
    """Return the seconds that each change of a finished clip's file takes, from its kept frames."""
    ours(frames, folder / "kept.mp4", Format.MP4)
    changes: dict[str, dict[str, Any]] = {
        "smooth": {"smooth": True},
        "slower": {"playback_fps": 3},
        **{str(format): {"format": format} for format in (Format.GIF, Format.WEBP)},
        **{str(loop): {"loop": loop} for loop in Loop if loop is not Loop.NONE},
    }
    return {
        f"changed_to_{name}_s": min(changed_within(folder / "kept.mp4", ClipSettings(frames=COUNT, **change)))
        for name, change in changes.items()
    }


def changed_within(kept: Path, settings: ClipSettings) -> list[float]:
    """Return the seconds that making a file anew of the kept frames took each time."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        encode_again(kept, kept.with_name(f"changed.{settings.format}"), settings, 10 * MIB)
        seconds.append(time.perf_counter() - started)
    return seconds


def measured(photo: str, name: str, job: Callable[[], object], path: Path, source: Frames, *, step: int) -> Row:
    """Run a job ROUNDS times and compare its frames with every `step`-th source frame."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - started)
    got, _ = read_frames(path)
    assert len(got) == COUNT, f"{name} wrote {len(got)} frames"
    scores = [structural_similarity(a, b, channel_axis=2) for a, b in zip(got[::step], source, strict=True)]
    return Row(photo, name, best, path.stat().st_size, float(np.mean(scores)))
