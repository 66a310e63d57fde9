"""Make the README's clips with the shipped demo model: `python -m scripts.clips`.

The photographs come with scikit-image: the cat (Stéfan van der Walt) and the cup (Pikolo Espresso Bar, Rachel Michetti)
are CC0, the astronaut (Eileen Collins, NASA) is in the public domain.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageOps
from skimage import data

from generator.variants import BUILT_IN

FOLDER = Path(__file__).parents[1] / "docs" / "clips"
DEMO = BUILT_IN["demo"]
SIZES = {"chelsea": DEMO.landscape, "coffee": DEMO.landscape, "astronaut": DEMO.portrait}
OPTIONS = "--variant demo --seed 1 --loop boomerang"


def main() -> None:
    """Write each picture and its clip, as WebP that GitHub plays."""
    FOLDER.mkdir(exist_ok=True)
    for name, size in SIZES.items():
        picture = FOLDER / f"{name}-picture.webp"
        ImageOps.fit(Image.fromarray(getattr(data, name)()), size).save(picture, quality=90)
        clip = FOLDER / f"{name}-clip.webp"
        command = [sys.executable, "-m", "generator", str(picture), "-o", str(clip), *OPTIONS.split()]
        subprocess.run(command, check=True)
        sys.stdout.write(f"{clip} {clip.stat().st_size // 1024} KiB\n")


if __name__ == "__main__":
    main()
