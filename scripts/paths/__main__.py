"""Follow the pages that install, each in a bare Debian: `python -m scripts.paths [NAME ...]`.

It needs root, Debian's mmdebstrap, and systemd's own tools. Tested in tests/test_paths.py.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

from scripts.container.machine import make_debian
from scripts.paths.bare import TOOLS
from scripts.paths.trials import TRIALS, Bench


def lacking() -> str:
    """Say what is missing here; nothing when all is there."""
    missing = [tool for tool in (*TOOLS, "systemd-analyze") if shutil.which(tool) is None]
    if missing:
        return f"there is no {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "it needs root"


def main() -> int:
    """Return 0 when every trial passed, 1 when one failed, 77 where the tools are missing."""
    parser = argparse.ArgumentParser(prog="python -m scripts.paths", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TRIALS, []], help="the trials; all of them by default")
    names = parser.parse_args().names or list(TRIALS)
    if missing := lacking():
        print(f"NOT TRIED: the ways to install: {missing}")  # noqa: T201
        return 77
    folder = Path(tempfile.mkdtemp(prefix="vivant-paths-"))
    try:
        make_debian(folder / "debian.tar", "ca-certificates")
        return _try(Bench(folder / "debian.tar", folder), names)
    finally:
        shutil.rmtree(folder)


def _try(bench: Bench, names: list[str]) -> int:
    failed = 0
    for name in names:
        began = time.monotonic()
        try:
            print(f"OK      {name}: {TRIALS[name](bench)} ({time.monotonic() - began:.0f} s)", flush=True)  # noqa: T201
        except Exception as error:  # noqa: BLE001 - whatever it is, the other trials are worth having
            failed += 1
            print(f"FAILED  {name}: {error}", flush=True)  # noqa: T201
        shutil.rmtree(bench.folder / name, ignore_errors=True)
    print(f"{len(names) - failed} passed, {failed} failed")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
