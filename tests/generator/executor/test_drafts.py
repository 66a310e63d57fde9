"""A sheet of drafts: its tiles, its numbers, its progress, and what is wrong with one draft."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from generator.clip import DRAFTS, ClipSettings, Quality, chosen_draft, draft_of
from generator.errors import Cancelled
from generator.executor.drafts import draft_sheet
from generator.protocol import Hooks, Phase, Progress
from generator.video.ffmpeg import Frame

SETTINGS = ClipSettings(frames=3, seed=2**32 - 2, steps=25, max_guidance=3.0, drafts=True)
PICTURE = Image.fromarray((np.indices((72, 128)).sum(0) % 200)[..., None].repeat(3, 2).astype(np.uint8))
NOBODY = Hooks(lambda item: None, lambda: None)


def flat(level: int, count: int = 3) -> Iterator[Frame]:
    """Yield frames of half the picture's size that move a little around one level."""
    for k in range(count):
        frame = np.full((40, 64, 3), level, np.uint8)
        frame[16:32, 20 + 4 * k : 40 + 4 * k] += 40
        yield frame


def test_each_draft_has_its_place_its_number_and_its_seed() -> None:
    asked: list[ClipSettings] = []

    def render(settings: ClipSettings, hooks: Hooks) -> Iterator[Frame]:
        asked.append(settings)
        return flat(40 * len(asked))

    sheets = list(draft_sheet(PICTURE, SETTINGS, render, NOBODY))
    assert [(sheet.shape, str(sheet.dtype)) for sheet in sheets] == [((72, 128, 3), "uint8")] * 3
    tiles = [sheets[0][row : row + 36, column : column + 64] for row in (0, 36) for column in (0, 64)]
    assert [round(float(np.median(tile)) / 40) for tile in tiles] == [1, 2, 3, 4]
    badges = [tile[1:7, 1:7].astype(int) for tile in tiles]
    assert all(np.abs(one - other).max() > 20 for one, other in itertools.pairwise(badges)), "numbers differ"
    assert [each.seed for each in asked] == [2**32 - 2, 2**32 - 1, 0, 1]
    assert {(each.quality, each.steps, each.max_guidance, each.drafts) for each in asked} == {
        (Quality.FAST, 8, 1.0, True)
    }


def test_the_chosen_clip_has_the_drafts_seed_and_all_else_as_it_was_asked_for() -> None:
    for index in range(DRAFTS):
        chosen, draft = chosen_draft(SETTINGS, index), draft_of(SETTINGS, index)
        assert chosen.seed == draft.seed
        assert (chosen.drafts, chosen.steps, chosen.max_guidance, chosen.quality) == (False, 25, 3.0, SETTINGS.quality)


def test_progress_goes_on_over_all_drafts_and_never_back() -> None:
    told: list[Progress] = []

    def render(settings: ClipSettings, hooks: Hooks) -> Iterator[Frame]:
        hooks.progress(Progress(Phase.PREPARE, 1, 2))
        for step in range(3):
            hooks.progress(Progress(Phase.DENOISE, step, 2))
        for index, frame in enumerate(flat(90)):
            hooks.progress(Progress(Phase.DECODE, index + 1, 3))
            yield frame

    list(draft_sheet(PICTURE, SETTINGS, render, Hooks(told.append, lambda: None)))
    order = [Phase.PREPARE, Phase.DENOISE, Phase.DECODE]
    places = [(order.index(item.phase), item.step) for item in told]
    assert places == sorted(places)
    assert {item.of for item in told if item.phase is Phase.DENOISE} == {8}
    assert (Phase.DENOISE, 8) in {(item.phase, item.step) for item in told}


@pytest.mark.parametrize("level", [0, 90])
def test_a_draft_without_a_picture_stands_still_and_the_others_move(level: int) -> None:
    count = 0

    def render(settings: ClipSettings, hooks: Hooks) -> Iterator[Frame]:
        nonlocal count
        count += 1
        if count == 2:
            return iter([np.full((40, 64, 3), level, np.uint8)] * 3)
        return flat(90)

    first, *_, last = draft_sheet(PICTURE, SETTINGS, render, NOBODY)
    assert np.array_equal(first[:36, 64:], last[:36, 64:]) and first[10:36, 64:].std() > 10
    assert not np.array_equal(first[:36, :64], last[:36, :64])


def test_drafts_can_be_left_in_between() -> None:
    def check() -> None:
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        list(draft_sheet(PICTURE, SETTINGS, lambda settings, hooks: flat(90), Hooks(lambda item: None, check)))
