"""A step with each way to give Triton what it needs a C compiler for: `python -m tests.benchmarks.gpu.compilers`.

Each way in a process of its own with an empty cache: the compiler on the PATH, `CC` naming one, what the container's
image brings in place of one (from Triton 3.7 on: 3.6 compiles a file for each kind of kernel), and none at all, which
leaves plain torch. `--image FOLDER` names a folder that `deploy/image/triton.sh` made elsewhere, for a machine without
gcc. `--tiny --device cpu` shows that it runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from generator.model.lean.fused.choice import operations
from tests.benchmarks.gpu.bench import Bench, measure
from tests.benchmarks.gpu.models import Models, plan

_IMAGE = Path(__file__).parents[3] / "deploy" / "image"


def one(bench: Bench) -> None:
    """Print a line of JSON: which operations there are, seconds until the first step's end, seconds a step."""
    with torch.no_grad():
        models = Models(bench)
        began = time.monotonic()
        chosen = operations(torch.empty(0, device=bench.device))
        step = models.lean_step(plan(50))
        step()
        first = time.monotonic() - began
        seconds = measure(bench, step).seconds
    name = getattr(chosen, "__name__", "?").rpartition(".")[2]
    print(json.dumps({"operations": name, "first_step_s": first, "step_s": seconds}))


def ways(folder: Path, image: Path | None) -> dict[str, dict[str, str]]:
    """Return each way's name with what it sets in the environment."""
    bare = folder / "bare"
    bare.mkdir()
    found = {"none": {"PATH": str(bare)}}
    if gcc := shutil.which("gcc"):
        beside = folder / "beside"  # gcc looks for its assembler and linker on the PATH
        beside.mkdir()
        for tool in ("as", "ld"):
            (beside / tool).symlink_to(shutil.which(tool) or tool)
        found |= {"on the PATH": {}, "CC=gcc": {"PATH": str(beside), "CC": gcc}}
    if image is None and gcc and (nvidia := _nvidia()):
        image = folder / "image"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # triton.sh asks `python` for its headers
        command = ["sh", str(_IMAGE / "triton.sh"), str(nvidia), str(image)]
        subprocess.run(command, check=True, env=os.environ | {"PATH": path})
    if image is not None:
        # A shell script needs dirname, cmp and cp, which every image has; no compiler is among them here.
        for tool in ("dirname", "cmp", "cp"):
            (bare / tool).symlink_to(shutil.which(tool) or tool)
        found["as in the image"] = {"PATH": str(bare), "CC": str(image.absolute() / "cc")}
    return found


def _nvidia() -> Path | None:
    spec = importlib.util.find_spec("triton")
    folder = Path(spec.origin).parent / "backends" / "nvidia" if spec and spec.origin else None
    return folder if folder and (folder / "driver.c").exists() else None


def main(arguments: list[str]) -> int:
    """Try each way, print a table; return 1 when a way that brings a compiler, or what it makes, has no kernels."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--only", default="", help="the ways whose names begin with this")
    parser.add_argument("--one", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.one:
        one(Bench(torch.device(chosen.device), chosen.tiny, Path(tempfile.mkdtemp())))
        return 0
    lacking = 0
    with tempfile.TemporaryDirectory() as name:
        tried = {way: sets for way, sets in ways(Path(name), chosen.image).items() if way.startswith(chosen.only)}
        for way, sets in tried.items():
            ours = {key: value for key, value in os.environ.items() if key not in ("CC", "CXX")}
            cache = {"TRITON_CACHE_DIR": str(Path(name) / "cache" / way)}
            command = [sys.executable, "-m", "tests.benchmarks.gpu.compilers", "--one", *arguments]
            done = subprocess.run(command, env=ours | sets | cache, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                print(f"{way:16s} FAILED {done.stderr[-500:]}")
                lacking += 1
                continue
            seen = json.loads(done.stdout.splitlines()[-1])
            print(f"{way:16s} {seen['operations']:8s} first {seen['first_step_s']:.2f} s, then {seen['step_s']:.4f} s")
            if seen["operations"] != "kernels":
                print(f"{'':16s} {done.stderr.strip()[-200:]}")
            lacking += way != "none" and chosen.device == "cuda" and seen["operations"] != "kernels"
    return min(lacking, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
