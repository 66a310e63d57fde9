"""Fetch a variant's weights before the bot runs, as its first start would. Prints JSON lines: percent, then the end.

`python -m generator.model.checkpoint.get VARIANT-AS-JSON`. Tested in tests/bot/doctor/setup/test_weights.py.
"""

from __future__ import annotations

import json
import sys

from generator.errors import WeightsUnavailable
from generator.model.checkpoint.hub import fetch_weights
from generator.protocol import Progress
from generator.variants import Variant


def get(variant: Variant) -> dict[str, str]:
    """Fetch what the variant is made of, its distilled UNet too. Return the folder, or why it cannot be had."""
    try:
        folder = fetch_weights(variant, on_progress=_say)
        if variant.turbo_unet:
            fetch_weights(variant, variant.turbo_unet, on_progress=_say)
    except WeightsUnavailable as error:
        return {"why": str(error.data["why"]), "remedy": str(error.data["remedy"])}
    return {"folder": str(folder)}


def _say(progress: Progress) -> None:
    _print({"percent": progress.step})


def _print(line: dict[str, str] | dict[str, int]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _print(get(Variant.from_json(json.loads(sys.argv[1]))))
