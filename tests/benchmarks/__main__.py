"""`python -m tests.benchmarks NAME [--json] [--SIZE=NUMBER ...]`: each is a module here with `run() -> Report`.

The sizes are those of the benchmark's `run`; today `scale` has some. `all` leaves it out, because it takes minutes.
"""

from __future__ import annotations

import importlib
import json
import sys

NAMES = ("queue", "delivery", "loop", "encode", "lean", "memory", "demo", "trip", "cluster", "filter")


def parse(arguments: list[str]) -> tuple[list[str], bool, dict[str, int]]:
    """Return the names, whether JSON is wanted, and the sizes."""
    sizes = dict(argument[2:].split("=") for argument in arguments if argument.startswith("--") and "=" in argument)
    names = [name for name in arguments if not name.startswith("-")]
    return names, "--json" in arguments, {name: int(value) for name, value in sizes.items()}


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, print each report, and return 0 if every target was met, else 1."""
    names, as_json, sizes = parse(arguments)
    if not names or names == ["all"]:
        names = list(NAMES)
    met = True
    for name in names:
        report = importlib.import_module(f"tests.benchmarks.{name}").run(**sizes)
        print(json.dumps(report.to_json()) if as_json else report.to_text(), flush=True)
        met = met and report.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
