"""Paint pictures to train on: layered shapes and 1/f textures, in batches, on any device.

Occluding shapes with power-law sizes ("dead leaves") over 1/f noise have much of a photograph's statistics: edges,
flat regions, fine grain and shading. Values are from -1 to 1, in float32.

Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAVES = 36
"""shapes in a picture; with fewer it looks like a poster, with more like gravel"""


class Dice:
    """Random numbers on one device from one seed."""

    def __init__(self, device: torch.device, seed: int) -> None:
        self.device = device
        self.rng = torch.Generator(device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return numbers between low and high, float32 of that shape."""
        return low + (high - low) * torch.rand(*shape, generator=self.rng, device=self.device)

    def normal(self, *shape: int) -> Tensor:
        """Return numbers from the standard normal distribution."""
        return torch.randn(*shape, generator=self.rng, device=self.device)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """Return 1.0 with the probability, else 0.0."""
        return (torch.rand(*shape, generator=self.rng, device=self.device) < probability).float()

    def integers(self, high: int, *shape: int) -> Tensor:
        """Return integers from 0 up to, not including, high."""
        return torch.randint(high, shape, generator=self.rng, device=self.device)


def paint_pictures(dice: Dice, pictures: int, height: int, width: int) -> Tensor:
    """Return a batch of new pictures (pictures, 3, height, width), from -1 to 1."""
    texture = _texture(dice, pictures, height, width)
    palette = _palette(dice, pictures)
    painted = (_colour(dice, palette) + dice.uniform(0.1, 0.5, pictures, 1, 1, 1) * texture).tanh()
    plane = _Plane(height, width, dice.device)
    for leaf in range(LEAVES):
        mask = plane.shape(dice, pictures, smallest=0.03, largest=0.6)
        painted = painted + mask * (_fill(dice, plane, palette, texture.roll(leaf + 1, 0)) - painted)
    lettering = _lettering(dice, pictures, height, width)
    painted = painted + lettering * (_colour(dice, palette) - painted)
    contrast = dice.uniform(0.6, 1.3, pictures, 1, 1, 1)
    light = dice.uniform(-0.2, 0.2, pictures, 1, 1, 1)
    return (painted * contrast + light).clamp(-1, 1)


class _Plane:
    """Pixel coordinates, in units of the picture's height."""

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        y = (torch.arange(height, device=device) + 0.5) / height - 0.5
        x = ((torch.arange(width, device=device) + 0.5) - width / 2) / height
        self.y, self.x = torch.meshgrid(y, x, indexing="ij")
        self.aspect = width / height
        self.pixel = 1 / height

    def turned(self, dice: Dice, pictures: int) -> tuple[Tensor, Tensor]:
        """Return coordinates about a random centre and angle, each (pictures, height, width)."""
        centre_x = dice.uniform(-0.5, 0.5, pictures, 1, 1) * self.aspect
        centre_y = dice.uniform(-0.5, 0.5, pictures, 1, 1)
        angle = dice.uniform(0, math.pi, pictures, 1, 1) * dice.chance(0.7, pictures, 1, 1)
        x, y = self.x - centre_x, self.y - centre_y
        return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()

    def shape(self, dice: Dice, pictures: int, smallest: float, largest: float) -> Tensor:
        """Return the mask (pictures, 1, height, width) of one ellipse, box, bar or blob in each picture."""
        u, v = self.turned(dice, pictures)
        # P(size > r) ~ 1/r^2: at an edge, every size is equally likely.
        chance = dice.uniform(0, 1, pictures, 1, 1)
        size = (smallest**-2 + chance * (largest**-2 - smallest**-2)) ** -0.5
        squash = dice.uniform(0.5, 3.0, pictures, 1, 1)
        ripple = dice.uniform(0, 0.3, pictures, 1, 1) * dice.chance(0.4, pictures, 1, 1)
        lobes = dice.integers(7, pictures, 1, 1) + 2
        around = torch.atan2(v * squash, u)
        ellipse = (u**2 + (v * squash) ** 2).sqrt() * (1 + ripple * (around * lobes).sin()) - size
        box = torch.maximum(u.abs(), (v * squash).abs()) - size
        bar = v.abs() - size * 0.12
        kind = dice.uniform(0, 1, pictures, 1, 1)
        distance = torch.where(kind < 0.5, ellipse, torch.where(kind < 0.9, box, bar))
        soft = self.pixel * 10 ** dice.uniform(-0.7, 0.9, pictures, 1, 1)
        return torch.sigmoid(-distance / soft)[:, None]


def _fill(dice: Dice, plane: _Plane, palette: Tensor, texture: Tensor) -> Tensor:
    """Return what fills a shape, (pictures, 3, height, width): a colour, shading, some texture, sometimes stripes."""
    pictures = len(palette)
    u, v = plane.turned(dice, pictures)
    shading = dice.uniform(-0.8, 0.8, pictures, 1, 1) * u
    wave = (v / plane.pixel * dice.uniform(0.2, 1.6, pictures, 1, 1)).sin()
    stripes = 0.3 * dice.chance(0.12, pictures, 1, 1) * wave
    grain = dice.uniform(0, 0.45, pictures, 1, 1, 1) ** 1.5 * texture
    return (_colour(dice, palette) + (shading + stripes)[:, None] + grain).clamp(-1.1, 1.1)


def _palette(dice: Dice, pictures: int) -> Tensor:
    """Return six colours (pictures, 6, 3) that belong together, mostly muted."""
    light = dice.uniform(-0.9, 0.9, pictures, 6, 1)
    shared = dice.normal(pictures, 1, 3) * dice.uniform(0.05, 0.4, pictures, 1, 1)
    tint = shared + dice.normal(pictures, 6, 3) * dice.uniform(0.02, 0.4, pictures, 1, 1)
    return (light + tint).clamp(-1, 1)


def _colour(dice: Dice, palette: Tensor) -> Tensor:
    """Return one of each picture's colours, (pictures, 3, 1, 1)."""
    pictures, colours, _ = palette.shape
    pick = dice.integers(colours, pictures)
    return palette[torch.arange(pictures, device=palette.device), pick][:, :, None, None]


def _texture(dice: Dice, pictures: int, height: int, width: int) -> Tensor:
    """Return 1/f noise of unit deviation (pictures, 3, height, width), some stretched in one direction like hair."""
    spectrum = torch.fft.rfft2(dice.normal(pictures, 3, height, width))
    fy = torch.fft.fftfreq(height, device=dice.device)[:, None]
    fx = torch.fft.rfftfreq(width, device=dice.device)[None]
    angle = dice.uniform(0, math.pi, pictures, 1, 1)
    stretch = 1 + 5 * dice.uniform(0, 1, pictures, 1, 1) * dice.chance(0.4, pictures, 1, 1)
    along = fx * angle.cos() + fy * angle.sin()
    across = (fy * angle.cos() - fx * angle.sin()) * stretch
    radius = (along**2 + across**2).sqrt().clamp_min(1 / max(height, width))
    slope = dice.uniform(0.6, 1.6, pictures, 1, 1)
    noise = torch.fft.irfft2(spectrum / (radius**slope)[:, None], s=(height, width))
    noise = noise / noise.std((1, 2, 3), keepdim=True)
    mix = 0.25 * dice.normal(pictures, 3, 3) + 0.55
    return torch.einsum("nij,njhw->nihw", mix, noise)


def _lettering(dice: Dice, pictures: int, height: int, width: int) -> Tensor:
    """Return a mask (pictures, 1, height, width) of rows of small blocks, like print, in a third of the pictures."""
    cell = 2 + int(dice.integers(3, 1))
    rows, columns = -(-height // cell), -(-width // cell)
    blocks = dice.chance(0.5, pictures, 1, rows, columns)
    lines = (torch.arange(rows, device=dice.device) % 4 != 0).float()[:, None]
    mask = (blocks * lines).repeat_interleave(cell, 2).repeat_interleave(cell, 3)[..., :height, :width]
    top = dice.uniform(0, 0.6, pictures, 1, 1) * height
    left = dice.uniform(0, 0.6, pictures, 1, 1) * width
    y = torch.arange(height, device=dice.device).view(1, -1, 1)
    x = torch.arange(width, device=dice.device).view(1, 1, -1)
    inside = (y > top) & (y < top + height / 4) & (x > left) & (x < left + width / 3)
    return mask * inside[:, None] * dice.chance(0.33, pictures, 1, 1, 1)
