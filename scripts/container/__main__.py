"""Build the image and try it: `python -m scripts.container --torch cpu`. It needs root and the tools in machine.py.

Tested in tests/test_container.py.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from scripts.container.image import Workshop, build, make_base, settings_of, sizes, unpack
from scripts.container.machine import lacking
from scripts.container.running import Image
from scripts.container.trials import TRIALS, Bench
from scripts.container.triton import kernels_without_a_compiler


def main() -> int:
    """Return 0 when every trial passed, 1 when one failed, 77 where the tools are missing."""
    parser = argparse.ArgumentParser(prog="python -m scripts.container", description=__doc__)
    parser.add_argument("--torch", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--folder", type=Path, help="keep base and image in this folder; by default all is deleted")
    options = parser.parse_args()
    if missing := lacking():
        print(f"NOT TRIED: the container: {missing}")  # noqa: T201
        return 77
    folder = options.folder or Path(tempfile.mkdtemp(prefix="vivant-container-"))
    workshop = Workshop(folder / "storage")
    try:
        return _build_and_try(workshop, folder, options.torch)
    finally:
        if options.folder is None:
            workshop.close()
            shutil.rmtree(folder)


def _build_and_try(workshop: Workshop, folder: Path, torch: str) -> int:
    began = time.monotonic()
    if not workshop.buildah("images", "--quiet", "--filter=reference=localhost/vivant-base"):
        make_base(workshop)
    name = build(workshop, torch)
    print(f"built {name} in {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    tree = unpack(workshop, name)
    for part, size in sizes(tree).items():
        print(f"{size / 1e6:8.0f} MB  {part}")  # noqa: T201
    bench = Bench(Image(tree, settings_of(workshop, name)), Path(tempfile.mkdtemp(prefix="trials-", dir=folder)))
    trials = (*TRIALS, *((kernels_without_a_compiler,) if torch == "cuda" else ()))
    failed = 0
    for trial in trials:
        try:
            print(f"OK      {trial.__name__}: {asyncio.run(trial(bench))}", flush=True)  # noqa: T201
        except Exception as error:  # noqa: BLE001 - whatever it is, the other trials are worth having
            failed += 1
            print(f"FAILED  {trial.__name__}: {error!r}", flush=True)  # noqa: T201
    print(f"{len(trials) - failed} passed, {failed} failed")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
