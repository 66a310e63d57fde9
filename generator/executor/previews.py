"""Small pictures of what a clip will be about, while it is denoised: the clean latents through a linear map of colours.

Knows no torch. A preview may cost a render no more than COST_SHARE of its time, whatever it costs here.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generator.protocol import TakeLatents
from generator.variants import Colours

SECONDS = 4.0
"""between two previews: a card is not edited more often"""
COST_SHARE = 0.005
COLOURS_KEPT = 64
"""in a preview's palette: latents are noisy, so a PNG of all their colours takes 20 kB"""


@dataclass(slots=True)
class Previews:
    """The previews of one render."""

    colours: Colours
    monotonic: Callable[[], float] = time.monotonic
    _due: float | None = None

    def look(self, take: TakeLatents) -> str:
        """Return a preview as `Progress.preview` when it is time for one, else an empty text."""
        began = self.monotonic()
        if self._due is None:
            self._due = began  # the first step shows too little
            return ""
        if began < self._due:
            return ""
        picture = draw(take(), self.colours)
        cost = self.monotonic() - began
        self._due = began + max(SECONDS, cost / COST_SHARE)
        return picture


def draw(latents: NDArray[np.float32], colours: Colours) -> str:
    """Draw latents, height x width x channels, as a PNG of that size in base64. What is not finite is black."""
    *rows, base = np.asarray(colours, np.float32)
    pixels = np.nan_to_num(latents @ np.stack(rows) + base, nan=-1.0)
    image = Image.fromarray(((pixels.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8))
    file = io.BytesIO()
    image.quantize(COLOURS_KEPT, method=Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
