"""Say whether a variant's weights are here and whole, or can be fetched. The doctor runs it; it changes nothing.

Tested in tests/generator/model/checkpoint/test_hub.py and tests/bot/doctor/test_rendering.py.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from huggingface_hub import HfApi, constants

from generator.errors import WeightsUnavailable
from generator.model.checkpoint.download import HUB_SECONDS, wanted_files
from generator.model.checkpoint.hub import find_cached, local_folder
from generator.model.checkpoint.layout import MODULES, check_pipeline, read_module, read_scheduler, unavailable
from generator.model.checkpoint.troubles import USUAL_HUB, Wanted, bad_endpoint, explain, no_room
from generator.variants import Variant

Finding = dict[str, str]
"""status, seen and remedy of a check"""


def look(variant: Variant) -> Finding:
    """Look at the variant's own source, and at its distilled UNet's. The worst is what counts."""
    found = [_look(Wanted(variant.source, variant.revision), whole=True)]
    if variant.turbo_unet:
        found.append(_look(Wanted(variant.turbo_unet, None), whole=False))
    return max(found, key=lambda item: ("ok", "warning", "problem").index(item["status"]))


def _look(wanted: Wanted, *, whole: bool) -> Finding:
    try:
        here = local_folder(wanted.source)
        folder = here or find_cached(wanted, whole=whole)
        if folder is None:
            return _ask(wanted)
        _check(folder, whole=whole)
    except WeightsUnavailable as error:
        return {
            "status": "problem",
            "seen": f"they cannot be loaded ({error.data['why']})",
            "remedy": error.data["remedy"],
        }
    return {"status": "ok", "seen": str(here) if here else f"{wanted.source} is in the cache", "remedy": ""}


def _check(folder: Path, *, whole: bool) -> None:
    """Read every configuration and every header. Raises WeightsUnavailable."""
    if not whole:
        read_module(folder / "unet" if (folder / "unet").is_dir() else folder)
        return
    check_pipeline(folder)
    read_scheduler(folder)
    for name in MODULES:
        read_module(folder / name)


def _ask(wanted: Wanted) -> Finding:
    """Ask the hub whether the repository can be fetched. Raises WeightsUnavailable."""
    if bad := bad_endpoint():
        raise unavailable(*bad)
    try:
        api = HfApi()
        found = api.model_info(wanted.source, revision=wanted.revision, timeout=HUB_SECONDS, files_metadata=True)
        if found.gated and hasattr(api, "auth_check"):  # it shows its list to everybody
            api.auth_check(wanted.source)
    except Exception as error:
        raise unavailable(*explain(error, wanted)) from error
    sizes = {item.rfilename: int(item.size or 0) for item in found.siblings or ()}
    total = sum(sizes[name] for name in wanted_files(list(sizes)))
    cache = Path(constants.HF_HUB_CACHE).absolute()
    existing = next(parent for parent in (cache, *cache.parents) if parent.exists())
    if shutil.disk_usage(existing).free < total:
        raise unavailable(*no_room(str(cache), total))
    remedy = f"The first start fetches {total / 1e9:.1f} GB from {USUAL_HUB}/{wanted.source}"
    return {"status": "warning", "seen": "not downloaded yet", "remedy": remedy}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(Variant.from_json(json.loads(sys.argv[1])))) + "\n")
