"""Four drafts of a clip beside each other, each with its number. Pillow and numpy, no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from generator.clip import DRAFTS, ClipSettings, draft_of
from generator.executor.frame_health import FrameHealth
from generator.protocol import Hooks, Phase, Progress
from generator.video.ffmpeg import Frame

RenderDraft = Callable[[ClipSettings, Hooks], Iterator[Frame]]

_COLUMNS = 2
_BADGE = 0.16
"""the height of a number's badge, of its draft's"""


def draft_sheet(picture: Image.Image, settings: ClipSettings, render: RenderDraft, hooks: Hooks) -> Iterator[Frame]:
    """Render all drafts, and yield the frames of the sheet, which has the picture's size.

    A draft that came out black, frozen or strobing is shown as the still picture. Raises what `render` raises.
    """
    tile = picture.width // _COLUMNS, picture.height // _COLUMNS
    still = picture.resize(tile)
    drafts: list[list[Image.Image]] = []
    for index in range(DRAFTS):
        health, frames = FrameHealth(np.asarray(still)), list[Image.Image]()
        for frame in render(draft_of(settings, index), _part(hooks, index)):
            frames.append(Image.fromarray(frame).resize(tile, Image.Resampling.LANCZOS))
            health.add(np.asarray(frames[-1]))
            hooks.check()
        drafts.append(frames if health.trouble() is None else [still] * len(frames))
    badges = [_badge(str(index + 1), round(tile[1] * _BADGE)) for index in range(DRAFTS)]
    for together in zip(*drafts, strict=True):
        sheet = Image.new("RGB", picture.size)
        for index, (draft, badge) in enumerate(zip(together, badges, strict=True)):
            corner = index % _COLUMNS * tile[0], index // _COLUMNS * tile[1]
            sheet.paste(draft, corner)
            sheet.paste(badge, (corner[0] + badge.height // 4, corner[1] + badge.height // 4))
        yield np.asarray(sheet)


def _badge(number: str, height: int) -> Image.Image:
    """Draw a number, white on a dark square."""
    badge = Image.new("RGB", (height, height), (24, 25, 28))
    font = ImageFont.load_default(size=max(8, round(height * 0.75)))
    ImageDraw.Draw(badge).text((height / 2, height / 2), number, (255, 255, 255), font, anchor="mm")
    return badge


def _part(hooks: Hooks, index: int) -> Hooks:
    """Return the hooks of one draft: its steps count as a part of all drafts' steps, and nothing goes back."""
    done, of = 0, 0

    def progress(item: Progress) -> None:
        nonlocal done, of
        if item.phase is Phase.DENOISE:
            done, of = index * item.of + item.step, DRAFTS * item.of
            hooks.progress(Progress(Phase.DENOISE, done, of))
        elif (index == 0 and not of) or (index == DRAFTS - 1 and of):
            hooks.progress(item)  # before the first draft, after the last one
        elif of:
            hooks.progress(Progress(Phase.DENOISE, done, of))  # a sign of life

    return Hooks(progress, hooks.check)
