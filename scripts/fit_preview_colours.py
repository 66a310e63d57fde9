"""Fit the linear map from a variant's latents to colours, for previews, by least squares over pictures.

`python -m scripts.fit_preview_colours demo PICTURE ...` prints the rows for `colours` in generator/variants.py. Each
picture is encoded with the variant's own autoencoder.

Tested in tests/generator/executor/test_previews.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from generator.clip import Shape
from generator.model.lean.encoders import encode_picture, encoder_weights, pack_module
from generator.model.weights import open_checkpoint
from generator.variants import BUILT_IN, Variant

Pixels = NDArray[np.float32]


@torch.no_grad()
def encode(variant: Variant, picture: Image.Image) -> tuple[Pixels, Pixels]:
    """Return a picture's latents as the model has them, and each cell's colour, -1 to 1: both height x width x n."""
    vae, device = open_checkpoint(variant).vae, torch.device("cpu")
    tensors = pack_module(vae.config, encoder_weights(vae.tensors), torch.float32, device)
    framed = ImageOps.fit(picture.convert("RGB"), variant.size(Shape.LANDSCAPE))
    pixels = torch.from_numpy(np.asarray(framed).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    encoded = encode_picture(tensors.on_device(device, torch.float32), vae.config, pixels)
    latents = (encoded * float(vae.config["scaling_factor"]))[0].permute(1, 2, 0)
    cells = torch.nn.functional.adaptive_avg_pool2d(pixels, (latents.shape[0], latents.shape[1]))[0].permute(1, 2, 0)
    return latents.numpy(), cells.numpy()


def fit(pairs: list[tuple[Pixels, Pixels]]) -> Pixels:
    """Return the map: a row of red, green and blue for each channel, and at last one that is added to all."""
    latents = np.concatenate([each.reshape(-1, each.shape[-1]) for each, _ in pairs])
    cells = np.concatenate([each.reshape(-1, 3) for _, each in pairs])
    found, *_ = np.linalg.lstsq(np.c_[latents, np.ones(len(latents))], cells, rcond=None)
    return np.asarray(found, np.float32)


def main(name: str, *paths: str) -> None:
    """Print the rows."""
    for row in fit([encode(BUILT_IN[name], Image.open(Path(path))) for path in paths]):
        sys.stdout.write(f"    ({', '.join(f'{value:.3f}' for value in row)}),\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
