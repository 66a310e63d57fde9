"""The shipped demo model in the real pipeline, on photographs that were not in its training.

A clip's noise says where the camera goes, so the true frames are known. Few clips are denoised, most of them short, and
only those frames decoded that a test looks at: the decoder works on each by itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch.nn import functional

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.options import Options, resolve
from generator.clip import ClipSettings
from generator.memory import ClipSize, plan_memory
from generator.model.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR
from generator.model.demo_model.camera_motion import follow, read_numbers, ways
from generator.model.lean.render import LeanPipeline
from generator.model.loaded import load_variant
from generator.model.sampling import draw_noise
from generator.variants import BUILT_IN, DEMO_MODEL_FOLDER
from tests.benchmarks.clip_figures import psnr
from tests.support.photographs import photographs
from tests.support.registration import find_move
from tests.support.tiny_clip import SILENT

pytestmark = pytest.mark.timeout(300)  # cores may be shared

DEMO = BUILT_IN["demo"]
LARGEST_BYTES = 24_000_000
Levels = NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """Some frames of a clip, and what a perfect model would have made of the picture."""

    picture: Image.Image
    settings: ClipSettings
    frames: dict[int, Levels]
    """by number, in levels; -1 is the last one"""
    numbers: torch.Tensor
    """what the noise says on the move"""

    @property
    def pixels(self) -> Levels:
        return np.asarray(self.picture, np.float64)

    def truth(self, numbers: torch.Tensor | None = None) -> tuple[Levels, NDArray[np.bool_], float]:
        """Return the true last frame, what of it the picture shows, and how far the camera went, in pixels."""
        width, height = self.picture.size
        asked = (self.settings.motion_bucket, self.settings.conditioning_fps, self.settings.noise_augmentation)
        bucket, fps, augmentation = (torch.tensor([float(value)]) for value in asked)
        way = ways(bucket, fps, augmentation, self.settings.frames)
        across, along = (
            each[0, -1] for each in follow(self.numbers if numbers is None else numbers, way, height, width, 1)
        )
        x = (torch.arange(width) + 0.5 + across) * 2 / width - 1
        y = (torch.arange(height)[:, None] + 0.5 + along) * 2 / height - 1
        pixels = torch.from_numpy(self.pixels).float().permute(2, 0, 1)[None]
        grid = torch.stack([x, y], -1)[None]
        seen = functional.grid_sample(pixels, grid, mode="bicubic", padding_mode="border", align_corners=False)
        shown = ((x.abs() < 1) & (y.abs() < 1)).numpy()
        return seen[0].permute(1, 2, 0).double().numpy(), shown, float((across**2 + along**2).mean().sqrt())

    def likeness(self, numbers: torch.Tensor | None = None) -> float:
        """Return how like the last frame is to the true one, or to that of other numbers, in dB."""
        seen, shown, _ = self.truth(numbers)
        return psnr(seen[shown], self.frames[-1][shown])

    def unmoved(self) -> float:
        """Return how like the last frame is to the picture as it stands."""
        shown = self.truth()[1]
        return psnr(self.pixels[shown], self.frames[-1][shown])


@cache
def pipeline() -> LeanPipeline:
    found = load_variant(DEMO, torch.device("cpu")).pipeline
    assert isinstance(found, LeanPipeline)
    return found


@cache
def clip(name: str, size: tuple[int, int] = DEMO.landscape, shown: tuple[int, ...] = (-1,), **changes: Any) -> Made:
    """Return some frames of a photograph's clip with all defaults, but for the `changes`; each is made once."""
    (photograph,) = [each for each in photographs() if each.name == name]
    picture = ImageOps.fit(photograph.open(), size)
    settings = dataclasses.replace(resolve(Options(seed=1), DEMO, GeneratorConfig()), **changes)
    plan = plan_memory(None, DEMO, ClipSize(*size, settings.frames))
    latents = pipeline().denoise(picture, settings, plan, SILENT)
    frames = pipeline().decode(latents[list(shown)], settings, plan, SILENT)
    width, height = size
    shape = (1, settings.frames, LATENT_CHANNELS, height // LATENT_FACTOR, width // LATENT_FACTOR)
    _, noise, _ = draw_noise(settings.seed, (1, 3, height, width), shape)
    some = {number: frame.astype(np.float64) for number, frame in zip(shown, frames, strict=True)}
    return Made(picture, settings, some, read_numbers(noise))


def cat() -> Made:
    """Return the clip that a person gets who chooses nothing."""
    return clip("chelsea", shown=(0, 1, 7, -1))


def others() -> list[Made]:
    """Return clips of other photographs with other moves, standing, square and lying."""
    standing = clip("astronaut", DEMO.portrait, (0, -1), seed=2)
    square = clip("coffee", DEMO.square, (0, -1), seed=3)
    return [standing, square, clip("rocket", shown=(0, -1), seed=4)]


def test_the_checkpoint_is_small_and_complete() -> None:
    files = [file for file in DEMO_MODEL_FOLDER.rglob("*") if file.suffix in {".safetensors", ".json"}]
    assert sum(file.stat().st_size for file in files) <= LARGEST_BYTES
    card = (DEMO_MODEL_FOLDER / "README.md").read_text()
    headings = ("**Data.**", "**Photographs.**", "**Training.**", "**Limits.**", "**Licence.**")
    assert all(heading in card for heading in headings)


def test_the_first_frame_is_the_picture() -> None:
    found = [psnr(each.pixels, each.frames[0]) for each in (cat(), *others())]
    print(f"demo model: first frame against {len(found)} photographs: {', '.join(f'{db:.1f}' for db in found)} dB")
    assert median(found) >= 32
    assert min(found) >= 30
    # Control: the same figure for another photograph's clip is far below.
    assert psnr(cat().pixels, others()[-1].frames[0]) < 15


def test_the_last_frame_is_the_picture_where_the_camera_has_gone_and_nearly_as_sharp() -> None:
    made = [cat(), *others()]
    last, unmoved = [each.likeness() for each in made], [each.unmoved() for each in made]
    print(f"demo model: last frame {', '.join(f'{db:.1f}' for db in last)} dB, unmoved {max(unmoved):.1f} at most")
    assert median(last) >= 30
    assert min(here - there for here, there in zip(last, unmoved, strict=True)) > 3
    assert cat().truth()[2] > 3.5, "the camera goes that many pixels"
    assert last[0] > unmoved[0] + 10


def test_the_seed_decides_the_move() -> None:
    """Each clip is like the truth of its own seed, and not like that of any other."""
    made = [cat(), *others()]
    for each in made:
        rest = [each.likeness(other.numbers) for other in made if other is not each]
        assert each.likeness() > max(rest) + 2


def test_the_seed_decides_every_pixel() -> None:
    one, other = (clip("rocket", seed=seed, frames=2) for seed in (1, 2))
    again = clip.__wrapped__("rocket", seed=2, frames=2)
    assert np.array_equal(other.frames[-1], again.frames[-1])
    assert not np.array_equal(one.frames[-1], other.frames[-1])


def test_the_higher_the_bucket_the_further_the_camera_goes() -> None:
    went = []
    for bucket in (0, 20, 80, 127):
        made = clip("chelsea", motion_bucket=bucket)
        true = made.truth()[2]
        move = find_move(made.pixels.astype(np.uint8), made.frames[-1].astype(np.uint8))
        went.append(move.size)
        assert move.size == pytest.approx(true, rel=0.1, abs=0.25)
    print(f"demo model: pixels in 14 frames at buckets 0, 20, 80, 127: {', '.join(f'{way:.2f}' for way in went)}")
    assert went[0] < 0.25
    assert went[0] < went[1] < went[2] < went[3]


def test_a_short_clip_moves_as_well() -> None:
    made = clip("chelsea", frames=4, motion_bucket=160)
    move = find_move(made.pixels.astype(np.uint8), made.frames[-1].astype(np.uint8))
    assert made.truth()[2] > 2
    assert 0.85 < move.size / made.truth()[2] < 1.15


@pytest.mark.parametrize("changes", [{"conditioning_fps": 12}, {"noise_augmentation": 0.3}])
def test_the_other_settings_change_the_way_as_they_should(changes: dict[str, float]) -> None:
    usual, made = (clip("chelsea", frames=4, motion_bucket=200, **more) for more in (dict[str, float](), changes))
    sizes = [find_move(each.pixels.astype(np.uint8), each.frames[-1].astype(np.uint8)).size for each in (usual, made)]
    assert sizes[1] / sizes[0] == pytest.approx(made.truth()[2] / usual.truth()[2], rel=0.2)
    assert sizes[1] / sizes[0] != pytest.approx(1, rel=0.2)


def test_brightness_and_colours_stay() -> None:
    frames = [cat().frames[number] for number in (0, 1, 7)]
    means = np.array([frame.mean((0, 1)) for frame in frames])
    assert np.ptp(means, axis=0).max() <= 2.5, "levels, while the picture moves"
    assert np.abs(frames[1] - frames[0]).mean() < 6
    seen, shown, _ = cat().truth()
    assert np.abs(seen[shown].mean(0) - cat().frames[-1][shown].mean(0)).max() <= 1.5
