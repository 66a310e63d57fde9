"""`python -m tests.benchmarks NAME [--json]`: each benchmark is a module here with `run() -> Report`."""

from __future__ import annotations

import importlib
import json
import sys

NAMES = ("queue", "delivery", "loop", "encode", "lean", "memory", "demo", "trip", "cluster")


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, print each report, and return 0 if every target was met, else 1."""
    as_json = "--json" in arguments
    names = [name for name in arguments if not name.startswith("-")]
    if not names or names == ["all"]:
        names = list(NAMES)
    met = True
    for name in names:
        report = importlib.import_module(f"tests.benchmarks.{name}").run()
        print(json.dumps(report.to_json()) if as_json else report.to_text(), flush=True)
        met = met and report.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
