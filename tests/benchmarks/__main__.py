"""`python -m tests.benchmarks NAME [--json] [--OPTION=VALUE ...]`: each is a module here with `run() -> Report`.

The options are those of the benchmark's `run`; today `scale` has sizes, `demo` has folders, and `drafts` has a number.
`all` leaves `scale` out, because it takes minutes.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

from generator.process.share import executor_environment

NAMES = ("queue", "delivery", "loop", "encode", "lean", "memory", "demo", "drafts", "trip", "cluster", "filter")


def parse(arguments: list[str]) -> tuple[list[str], bool, dict[str, int | str]]:
    """Return the names, whether JSON is wanted, and the options; those that look like numbers as numbers."""
    given = dict(argument[2:].split("=", 1) for argument in arguments if argument.startswith("--") and "=" in argument)
    names = [name for name in arguments if not name.startswith("-")]
    unknown = [each for each in arguments if each.startswith("-") and "=" not in each and each != "--json"]
    unknown += [name for name in names if name not in (*NAMES, "scale", "all")]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}. The benchmarks: {', '.join(NAMES)}, scale")
    options = {name: int(value) if value.isdecimal() else value for name, value in given.items()}
    return names, "--json" in arguments, options


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, print each report, and return 0 if every target was met, else 1."""
    os.environ |= {
        name: os.environ.get(name, value) for name, value in executor_environment(0, 1, on_gpu=False).items()
    }
    if {"-h", "--help"} & set(arguments):
        named = [importlib.import_module(f"tests.benchmarks.{name}").__doc__ for name in NAMES if name in arguments]
        print("\n".join(text or "" for text in named or [__doc__]))
        return 0
    names, as_json, options = parse(arguments)
    if not names or names == ["all"]:
        names = list(NAMES)
    met = True
    for name in names:
        report = importlib.import_module(f"tests.benchmarks.{name}").run(**options)
        print(json.dumps(report.to_json()) if as_json else report.to_text(), flush=True)
        met = met and report.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
