"""Write contact sheets of the demo model's clips: `python -m scripts.demo_sheets`.

A row for each of the photographs that the model never saw: the picture, then the first, a middle and the last frame of
the clip that a person gets who chooses nothing. `--before FOLDER` puts the same of another checkpoint to the left. With
`--blind KEY` the sides are drawn by lot for each row, and the file KEY says which is which.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image

from generator.model.loaded import load_variant
from generator.model.pipeline import LoadedVariant
from generator.variants import BUILT_IN, variant_of_folder
from tests.benchmarks.clip_figures import frame
from tests.benchmarks.demo import render
from tests.support.photographs import MATE, Photograph, installed

FOLDER = Path(__file__).parents[1] / "docs" / "demo-model"
ROWS = 6
SHOWN = (256, 150)
"""pixels of each frame in a sheet"""
GAP = 4


def main(
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the sheets.")] = FOLDER,
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint's folder, instead of the shipped one.")] = None,
    before: Annotated[Path | None, typer.Option(help="Another checkpoint's folder, to the left.")] = None,
    blind: Annotated[Path | None, typer.Option(help="Mix the sides, and write here which is which.")] = None,
    mate: Annotated[Path, typer.Option(help="The pictures of Debian's mate-backgrounds.")] = MATE,
) -> None:
    """Write the sheets and a page that names each photograph's author and licence."""
    torch.set_num_threads(2)
    out.mkdir(parents=True, exist_ok=True)
    cpu = torch.device("cpu")
    folders = {"before": before, "now": checkpoint} if before else {"now": checkpoint}
    variants = {name: variant_of_folder(folder) if folder else BUILT_IN["demo"] for name, folder in folders.items()}
    loaded = {name: load_variant(variant, cpu) for name, variant in variants.items()}
    here, absent = installed(mate)
    if absent:
        typer.echo(f"LEFT OUT, not installed: {', '.join(each.name for each in absent)}", err=True)
    sides: dict[str, list[str]] = {}
    page = ["# The demo model's clips", "", *_legend(list(loaded), blind=blind is not None)]
    for start in range(0, len(here), ROWS):
        some = here[start : start + ROWS]
        rows = []
        for seed, photograph in enumerate(some, start):
            order = list(loaded)
            if blind:
                random.shuffle(order)
            sides[photograph.name] = order
            rows.append(_row(photograph, [loaded[name] for name in order], seed))
            typer.echo(photograph.name)
        name = f"sheet-{start // ROWS + 1}.jpg"
        _stack(rows, down=True).save(out / name, quality=88)
        page += ["", f"![{', '.join(each.name for each in some)}]({name})", "", *map(_credit, some)]
    if blind:
        blind.write_text(json.dumps(sides, indent=2) + "\n")
    (out / "README.md").write_text("\n".join(page) + "\n")


def _legend(names: list[str], *, blind: bool) -> list[str]:
    shown = "the picture, then the first, a middle and the last frame of a clip"
    known = " Two models; which is left was drawn by lot." if blind else " Left: the model before. Right: the new one."
    both = known if len(names) > 1 else ""
    command = "Made by `python -m scripts.demo_sheets` with the settings of somebody who chooses nothing."
    return [
        f"Each row: {shown}.{both} {command}",
        "The model never saw these photographs. "
        "Each sheet is under the licences of its photographs, not under that of the code.",
    ]


def _credit(photograph: Photograph) -> str:
    return f"- {photograph.name}: {photograph.author}, {photograph.licence}, from {photograph.package}"


def _row(photograph: Photograph, loaded: list[LoadedVariant], seed: int) -> Image.Image:
    opened = photograph.open()
    pictures = [frame(opened, loaded[-1].variant.landscape).picture]
    for each in loaded:
        made = render(each, frame(opened, each.variant.landscape).picture, seed=seed)
        pictures += [Image.fromarray(made[index]) for index in (0, len(made) // 2, -1)]
    return _stack([picture.resize(SHOWN, Image.Resampling.LANCZOS) for picture in pictures], down=False)


def _stack(images: list[Image.Image], *, down: bool) -> Image.Image:
    """Return the images, all of one size, below each other or side by side."""
    width, height = images[0].size
    step = (0, height + GAP) if down else (width + GAP, 0)
    last = len(images) - 1
    sheet = Image.new("RGB", (width + last * step[0], height + last * step[1]), "white")
    for index, image in enumerate(images):
        sheet.paste(image, (index * step[0], index * step[1]))
    return sheet


if __name__ == "__main__":
    typer.run(main)
