"""Show what a training has reached: `python -m generator.model.demo_model.look CHECKPOINT PICTURES -o SHEET.png`.

Of each picture two clips are made in one step; where each pixel should come from is known, so the sheet and the figures
compare with the truth. The first two rows of a clip are the decoded frames, and what they should be.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import torch
import typer
from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
from PIL import Image, ImageOps
from rich.console import Console
from torch import Tensor
from torch.nn import functional
from transformers import CLIPVisionModelWithProjection

from generator.model.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR, Networks
from generator.model.demo_model.camera_motion import follow, read_numbers, ways
from generator.model.demo_model.films.clips import see
from generator.model.demo_model.motion import SIGMA_MAX

SIZE = (384, 224)
FRAMES = 14


def main(
    checkpoint: Path,
    pictures: Path,
    output: Annotated[Path, typer.Option("-o")],
    bucket: float = 127.0,
    device: str = "",
) -> None:
    """Write a sheet and print the figures as JSON."""
    console = Console()
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    networks = load(checkpoint, chosen)
    rows: list[Tensor] = []
    figures: list[dict[str, float]] = []
    for index, file in enumerate(sorted(pictures.glob("*.png"))):
        picture = torch.from_numpy(np.asarray(ImageOps.fit(Image.open(file).convert("RGB"), SIZE)).copy())
        pixels = picture.permute(2, 0, 1)[None].to(chosen).float() / 127.5 - 1
        for seed in (index, index + 100):
            made, truth, inside, coded = animate(networks, pixels, seed, bucket)
            figures.append(compare(made, truth, inside, pixels, coded))
            console.print(file.stem, seed, json.dumps(figures[-1]))
            rows += [made[[0, 4, 9, 13]], truth[[0, 4, 9, 13]]]
    sheet = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
    image = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(image).save(output, quality=90)
    console.print("medians", {name: round(median(each[name] for each in figures), 3) for name in figures[0]})


def load(folder: Path, device: torch.device) -> Networks:
    """Return the networks of a checkpoint, in float32 on the device."""
    kinds = (AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel, CLIPVisionModelWithProjection)
    names = ("vae", "unet", "image_encoder")
    loaded = [kind.from_pretrained(folder / name).float().to(device) for kind, name in zip(kinds, names, strict=True)]
    return Networks(*loaded)


@torch.no_grad()
def animate(networks: Networks, pixels: Tensor, seed: int, bucket: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a clip of one step, the true one, what of it the picture shows, and the picture coded and decoded."""
    device, (height, width) = pixels.device, pixels.shape[-2:]
    shape = (1, FRAMES, LATENT_CHANNELS, height // LATENT_FACTOR, width // LATENT_FACTOR)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
    ids = torch.tensor([[6.0, bucket, 0.02]], device=device)
    condition = networks.vae.encode(pixels).latent_dist.mode()
    predicted = networks.unet(
        torch.cat([noise, condition[:, None].expand(-1, FRAMES, -1, -1, -1)], 2),
        torch.tensor(SIGMA_MAX, device=device).log() / 4,
        networks.image_encoder(see(pixels).float()).image_embeds[:, None],
        added_time_ids=ids,
    ).sample
    latents = noise / SIGMA_MAX - predicted
    made = _decode(networks.vae, latents[0])
    fps, motion, augmentation = ids[:, 0] + 1, ids[:, 1], ids[:, 2]
    way = ways(motion, fps, augmentation, FRAMES)
    across, along = follow(read_numbers(noise), way, height, width, 1)
    x = (torch.arange(width, device=device) + 0.5 + across[0]) * 2 / width - 1
    y = ((torch.arange(height, device=device) + 0.5)[:, None] + along[0]) * 2 / height - 1
    grid = torch.stack([x, y], -1)
    truth = functional.grid_sample(
        pixels.expand(FRAMES, -1, -1, -1), grid, mode="bicubic", padding_mode="border", align_corners=False
    ).clamp(-1, 1)
    return made, truth, (x.abs() < 1) & (y.abs() < 1), _decode(networks.vae, condition)


def _decode(vae: Any, latents: Tensor) -> Tensor:
    frames = [vae.decode(each[None], num_frames=1).sample[0] for each in latents]
    return torch.stack(frames).clamp(-1, 1)


def compare(made: Tensor, truth: Tensor, inside: Tensor, pixels: Tensor, coded: Tensor) -> dict[str, float]:
    """Return one clip's figures: PSNR in dB, and the last frame's fine detail as a share of the first's."""

    def psnr(one: Tensor, other: Tensor) -> float:
        return round(float(10 * torch.log10(4 / (one - other).square().mean())), 2)

    last = inside[-1]
    fine = [float((frame - functional.avg_pool2d(frame, 3, 1, 1))[:, 4:-4, 4:-4].square().mean()) for frame in made]
    true = [float((frame - functional.avg_pool2d(frame, 3, 1, 1))[:, 4:-4, 4:-4].square().mean()) for frame in truth]
    return {
        "coded": psnr(coded[0], pixels[0]),
        "first": psnr(made[0], pixels[0]),
        "middle": psnr(made[7][:, inside[7]], truth[7][:, inside[7]]),
        "last": psnr(made[-1][:, last], truth[-1][:, last]),
        "unmoved": psnr(pixels[0][:, last], truth[-1][:, last]),
        "detail": round(fine[-1] / fine[0], 3),
        "detail_of_picture": round(fine[0] / true[0], 3),
        "colour": round(float((made[-1][:, last].mean(1) - truth[-1][:, last].mean(1)).abs().max() * 127.5), 2),
    }


if __name__ == "__main__":
    typer.run(main)
