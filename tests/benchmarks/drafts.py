"""Compare the demo model's clips with their drafts: `python -m tests.benchmarks drafts`.

Twelve photographs that the model never saw, each with the seeds of one sheet (`--drafts=` how many of them, four unless
told), otherwise with what a person gets who chooses nothing. How the camera went is estimated from the frames, of clip
and draft alike at the size that a draft has on the sheet. Each draft is also rendered from noise that was drawn afresh
at its size: that moves in another way, and shows that the figures can be bad.

Seconds are the processor's, so that other work on the machine does not count.

Tested in tests/benchmarks/test_drafts.py.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
from statistics import mean, median

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.options import Options, resolve
from generator.clip import DRAFTS, ClipSettings, chosen_draft, draft_bucket, draft_of
from generator.memory import ClipSize, plan_memory
from generator.model.loaded import load_variant
from generator.model.pipeline import LoadedVariant
from generator.variants import BUILT_IN
from tests.benchmarks.clip_figures import frame
from tests.benchmarks.report import Report
from tests.support.photographs import photographs
from tests.support.registration import Move, track
from tests.support.tiny_clip import SILENT

DEMO = BUILT_IN["demo"]
PICTURES = 12
LOOKED_AT = 2
"""every so many frames the camera is looked for: it goes less than a pixel from one to the next"""
TARGETS = {
    "pictures": f">= {PICTURES}",
    "direction_correlation": "> 0.9",
    "pan_correlation": "> 0.9",
    "size_correlation": "> 0.9",
    "size_factor_median": "<= 1.33",
    "four_drafts_to_one_clip_s": "<= 1",
    "afresh_direction_correlation": "< 0.5",
}

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """How the camera goes in a clip and in its draft, by fields of displacements of one size."""

    name: str
    clip: Move
    draft: Move


def compare(pairs: list[Pair]) -> dict[str, float]:
    """Return how well the drafts foretell the clips.

    `direction`: the mean correlation of a clip's displacements with its draft's, wherever in the frame, whatever their
    sizes. `pan`: the correlation, over all pairs, of where the frame goes as a whole. `size`: that of the sizes.
    `size_factor`: by what the two sizes of a pair differ, in the median; 1 is not at all.
    """
    sizes = np.array([(pair.clip.size, pair.draft.size) for pair in pairs])
    pans = np.array([[(move.across.mean(), move.along.mean()) for move in (pair.clip, pair.draft)] for pair in pairs])
    return {
        "direction": mean(pair.clip.likeness(pair.draft) for pair in pairs),
        "pan": float(np.corrcoef(pans[:, 0].ravel(), pans[:, 1].ravel())[0, 1]),
        "size": float(np.corrcoef(sizes.T)[0, 1]),
        "size_factor": float(np.exp(np.median(np.abs(np.log(sizes[:, 0] / sizes[:, 1]))))),
    }


def see(frames: Frames, tile: tuple[int, int]) -> Move:
    """Return the camera's move from a clip's first frame to its last, as it looks at the size `tile`, in pixels."""
    few = [*frames[:-1:LOOKED_AT], frames[-1]]
    shown = [np.asarray(Image.fromarray(each).resize(tile, Image.Resampling.LANCZOS)) for each in few]
    return track(np.stack(shown))[1]


@dataclass
class Compared:
    """What was rendered so far, in pairs, and how long it took."""

    loaded: LoadedVariant
    drafts: list[Pair] = field(default_factory=list)
    afresh: list[Pair] = field(default_factory=list)
    """with drafts whose noise has nothing to do with the clip's"""
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"clip": [], "draft": [], "afresh": []})

    def add(self, name: str, picture: Image.Image, sheet: ClipSettings, index: int) -> None:
        """Render one draft of a sheet, the clip that its button makes, and the draft of other noise."""
        tile = picture.width // 2, picture.height // 2
        chosen, draft = chosen_draft(sheet, index), draft_of(sheet, index)
        clip = see(self._render("clip", picture, chosen), tile)
        small = self._render("draft", picture, draft)
        size = small.shape[2], small.shape[1]
        other = replace(draft, drafts=False, motion_bucket=draft_bucket(draft, picture.size, size))
        self.drafts.append(Pair(name, clip, see(small, tile)))
        self.afresh.append(Pair(name, clip, see(self._render("afresh", picture.resize(size), other), tile)))

    def _render(self, what: str, picture: Image.Image, settings: ClipSettings) -> Frames:
        plan = plan_memory(None, DEMO, ClipSize(*picture.size, settings.frames))
        began = time.process_time()
        frames = np.stack(list(self.loaded.pipeline.render(picture, settings, plan, SILENT)))
        self.seconds[what].append(time.process_time() - began)
        return frames

    def figures(self) -> dict[str, float | int | str]:
        """Return the figures, with those names that have TARGETS."""
        told, control = compare(self.drafts), compare(self.afresh)
        clip_s, draft_s = (median(self.seconds[what]) for what in ("clip", "draft"))
        return {
            "pictures": len({pair.name for pair in self.drafts}),
            "clips": len(self.drafts),
            "direction_correlation": told["direction"],
            "direction_correlation_lowest": min(pair.clip.likeness(pair.draft) for pair in self.drafts),
            "pan_correlation": told["pan"],
            "size_correlation": told["size"],
            "size_factor_median": told["size_factor"],
            "clip_median_s": clip_s,
            "draft_median_s": draft_s,
            "four_drafts_to_one_clip_s": DRAFTS * draft_s / clip_s,
            "afresh_direction_correlation": control["direction"],
            "afresh_pan_correlation": control["pan"],
            "afresh_size_correlation": control["size"],
        }

    def table(self) -> list[str]:
        """Return a line for each clip."""
        rows = ["  correlation of the displacements, afresh; size of the clip's and the draft's move, in pixels"]
        for pair, other in zip(self.drafts, self.afresh, strict=True):
            likeness = [each.clip.likeness(each.draft) for each in (pair, other)]
            sizes = f"{pair.clip.size:5.1f} {pair.draft.size:5.1f}"
            rows.append(f"  {pair.name:18s} {likeness[0]:5.2f} {likeness[1]:5.2f}   {sizes}")
        return rows


def run(drafts: int = DRAFTS) -> Report:
    """Render sheets and the clips of their drafts, and compare them."""
    torch.set_num_threads(2)
    compared = Compared(load_variant(DEMO, torch.device("cpu")))
    for number, photograph in enumerate(photographs()[:PICTURES]):
        picture = frame(photograph.open(), DEMO.landscape).picture
        sheet = resolve(Options(seed=DRAFTS * number, drafts=True), DEMO, GeneratorConfig())
        for index in range(drafts):
            compared.add(photograph.name, picture, sheet, index)
            sys.stderr.write(f"{compared.table()[-1]}\n")
    return Report("drafts", compared.figures(), TARGETS, ("torch",), compared.table())
