"""The pictures to train on: plates, larger than a frame, that are painted or cut from photographs, kept on the device.

What a frame or a crop shows is sampled from a plate at twice its size and averaged, so that all are equally sharp,
wherever the camera is.

Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from generator.model.demo_model.camera_motion import REACH
from generator.model.demo_model.scenes import Dice, paint_pictures

HEIGHT, WIDTH = 608, 896
"""of a plate: a frame of 384x224 at 1.69 pixels per pixel, with a border that the camera does not enter"""
KEPT = 96
PAINTED_TOGETHER = 4
PHOTOGRAPHS = 0.5
"""share of the plates, where there are photographs"""
SUPERSAMPLED = 2
SMALL = 1000
"""pixels: photographs with a shorter longer side are blurred when they fill a plate, and are used half as often"""


class Plates:
    """A pool of plates (KEPT, 3, HEIGHT, WIDTH), from -1 to 1 in half precision on a GPU, that is slowly replaced."""

    def __init__(self, dice: Dice, folder: Path | None) -> None:
        self.dice = dice
        files = sorted(folder.glob("*.jpg")) if folder else []
        self._photographs = [_read(file, dice.device) for file in files]
        self._weights = torch.tensor([1.0 if max(each.shape) >= SMALL else 0.5 for each in self._photographs])
        dtype = torch.float16 if dice.device.type == "cuda" else torch.float32
        self._pool = torch.empty(KEPT, 3, HEIGHT, WIDTH, device=dice.device, dtype=dtype)
        self._next = 0
        for _ in range(KEPT // PAINTED_TOGETHER):
            self.renew()

    def renew(self) -> None:
        """Replace the oldest few plates."""
        photographs = self._photographs and float(self.dice.uniform(0, 1, 1)) < PHOTOGRAPHS
        new = self._cut() if photographs else paint_pictures(self.dice, PAINTED_TOGETHER, HEIGHT, WIDTH)
        self._pool[self._next : self._next + PAINTED_TOGETHER] = new
        self._next = (self._next + PAINTED_TOGETHER) % KEPT

    def _cut(self) -> Tensor:
        chosen = torch.multinomial(self._weights, PAINTED_TOGETHER, replacement=True).tolist()
        cuts = torch.stack([self._one_cut(self._photographs[index]) for index in chosen])
        contrast = self.dice.uniform(0.75, 1.2, PAINTED_TOGETHER, 1, 1, 1)
        tint = self.dice.uniform(-0.12, 0.12, PAINTED_TOGETHER, 3, 1, 1)
        return (cuts * contrast + tint).clamp(-1, 1)

    def _one_cut(self, photograph: Tensor) -> Tensor:
        """Return a random part of a photograph as a plate, sometimes mirrored."""
        tall, wide = photograph.shape[1:]
        fit = min(tall / HEIGHT, wide / WIDTH)
        size = fit * (1 - 0.45 * float(self.dice.uniform(0, 1, 1)) ** 2)
        height, width = int(size * HEIGHT), int(size * WIDTH)
        top, left = (int(self.dice.integers(free + 1, 1)) for free in (tall - height, wide - width))
        cut = photograph[None, :, top : top + height, left : left + width].float() / 127.5 - 1
        if float(self.dice.uniform(0, 1, 1)) < 0.5:
            cut = cut.flip(-1)
        return functional.interpolate(cut, (HEIGHT, WIDTH), mode="bicubic", antialias=True)[0].clamp(-1, 1)

    def crops(self, count: int, size: int) -> Tensor:
        """Return square crops (count, 3, size, size) at random scales, from -1 to 1."""
        return self.views(size, torch.eye(2, 3, device=self.dice.device).expand(1, count, 2, 3))[:, 0]

    def views(self, size: int, moves: Tensor) -> Tensor:
        """Return several views of each of some square crops, (crops, views, 3, size, size), all equally sharp.

        `moves` (views, crops, 2, 3) tells where a view's pixels come from, as affine maps in units of half a crop.
        """
        dice, count = self.dice, moves.shape[1]
        scale = dice.uniform(1.0, 2.2, count, 1, 1) * size / 2
        x = dice.uniform(-1, 1, count, 1, 1) * (WIDTH / 2 - scale)
        y = dice.uniform(-1, 1, count, 1, 1) * (HEIGHT / 2 - scale)
        plates = self._pick(count)
        grids = [functional.affine_grid(each, [count, 1, 2 * size, 2 * size], align_corners=False) for each in moves]
        seen = [self._sample(plates, x + scale * grid[..., 0], y + scale * grid[..., 1]) for grid in grids]
        return sharpened(dice, torch.stack(seen, 1))

    def films(self, count: int, across: Tensor, along: Tensor) -> Tensor:
        """Return clips (count, frames, 3, height, width) whose pixels come from elsewhere in the first frame.

        `across` and `along` are the displacements, (count, frames, 2 * height, 2 * width) in pixels of the frame.
        """
        frames, tall, wide = across.shape[1:]
        height, width = tall // SUPERSAMPLED, wide // SUPERSAMPLED
        margin = 2 * REACH * (height * width) ** 0.5
        scale = min(WIDTH / (width + margin), HEIGHT / (height + margin))
        x = (torch.arange(wide, device=across.device) + 0.5) / SUPERSAMPLED - width / 2
        y = (torch.arange(tall, device=across.device) + 0.5) / SUPERSAMPLED - height / 2
        plates = self._pick(count)
        seen = [
            self._sample(plates, scale * (across[:, time] + x), scale * (along[:, time] + y[:, None]))
            for time in range(frames)
        ]
        return sharpened(self.dice, torch.stack(seen, 1))

    def stills(self, count: int, height: int, width: int) -> Tensor:
        """Return single pictures of a size, (count, 3, height, width)."""
        unmoved = torch.zeros(count, 1, SUPERSAMPLED * height, SUPERSAMPLED * width, device=self.dice.device)
        return self.films(count, unmoved, unmoved)[:, 0]

    def _pick(self, count: int) -> Tensor:
        return self._pool[self.dice.integers(KEPT, count)]

    def _sample(self, plates: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return what lies at (x, y) in pixels from the plates' centres, averaged to half the grid's size."""
        grid = torch.stack([x * 2 / WIDTH, y * 2 / HEIGHT], -1)
        found = functional.grid_sample(
            plates.float(), grid, mode="bicubic", padding_mode="reflection", align_corners=False
        )
        return functional.avg_pool2d(found, SUPERSAMPLED)


def sharpened(dice: Dice, pictures: Tensor) -> Tensor:
    """Sharpen each picture, or each clip as a whole, by a random amount, as photographs often are."""
    shape = pictures.shape
    flat = pictures.flatten(0, -4)
    amount = dice.uniform(-0.1, 0.9, shape[0], *[1] * (len(shape) - 1)).expand(shape).reshape(flat.shape)
    blurred = functional.avg_pool2d(functional.pad(flat, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return (flat + amount * (flat - blurred)).clamp(-1, 1).view(shape)


def _read(file: Path, device: torch.device) -> Tensor:
    pixels = np.asarray(Image.open(file).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous().to(device)
