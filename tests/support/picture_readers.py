"""Independent readers of pictures, to compare ours with: Chromium, and libvips where it is installed."""

from __future__ import annotations

import base64
import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from generator.clip import Framing
from generator.errors import PictureError
from generator.picture.image import frame_picture, probe
from generator.picture.limits import PictureLimits
from tests.support.browser import FLAGS, NAMES
from tests.support.picture_files import Array

_BACKGROUNDS = (255, 32)
"""what we lay transparent pictures over"""
_DRAW = """async ([data, mime]) => {
  const image = new Image();
  image.src = `data:${mime};base64,${data}`;
  try { await image.decode(); } catch (error) { return null; }
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = '';
  for (let i = 0; i < pixels.length; i += 8192) text += String.fromCharCode(...pixels.subarray(i, i + 8192));
  return [canvas.width, canvas.height, btoa(text)];
}"""


class BrowserReader:
    """Chromium, as people see pictures."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def shown(self, data: bytes, mime: str) -> Array | None:
        """Return height x width x RGBA, turned and in sRGB; None for what it does not show."""
        answer = self._page.evaluate(_DRAW, [base64.b64encode(data).decode(), mime])
        if answer is None:
            return None
        width, height, pixels = answer
        return np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)


@contextmanager
def browser_reader() -> Iterator[BrowserReader]:
    """Start Chromium; skip the test with a message in capitals where there is none."""
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, NAMES)), playwright.chromium.executable_path)
        if not Path(found).exists():
            pytest.skip("NO BROWSER: pictures are NOT compared with it here. Install one: apt-get install chromium")
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS, "--force-color-profile=srgb"])
        page = browser.new_page()
        page.goto("about:blank")
        yield BrowserReader(page)
        browser.close()


def libvips() -> Any:
    """Return pyvips, or skip the test with a message in capitals."""
    try:
        return importlib.import_module("pyvips")
    except (ImportError, OSError):
        pytest.skip("NO LIBVIPS: pictures are NOT compared with it here. Install it: make dev")


def read_by_libvips(data: bytes) -> Array:
    """Return height x width x RGBA as libvips reads it, turned and in sRGB. Raises pyvips.Error."""
    vips = libvips()
    image = vips.Image.new_from_buffer(data, "", fail_on="error").autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="perceptual")
    pixels = np.asarray(image.colourspace("srgb").cast("uchar")).reshape(image.height, image.width, -1)
    alpha = pixels[..., -1:] if image.hasalpha() else np.full_like(pixels[..., :1], 255)
    colours = pixels[..., : 3 if pixels.shape[2] >= 3 else 1]
    return np.dstack([np.broadcast_to(colours, (*colours.shape[:2], 3)), alpha])


def read_by_us(path: Path) -> Array | PictureError:
    """Return height x width x RGB as the intake reads it, framed at its own size, or why it refuses."""
    limits = PictureLimits()
    try:
        facts = probe(path, limits)
        picture, _ = frame_picture(path, (facts.width, facts.height), Framing.CROP, limits)
    except PictureError as error:
        return error
    return np.asarray(picture)


def difference(ours: Array, shown: Array) -> Array:
    """Return each pixel's largest difference in levels; what is transparent in `shown` counts as we lay it over."""
    alpha = shown[..., 3:] / 255
    laid = [np.round(shown[..., :3] * alpha + behind * (1 - alpha)) for behind in _BACKGROUNDS]
    return min((np.abs(ours.astype(int) - each).max(2) for each in laid), key=lambda levels: float(levels.mean()))
