"""Where the time goes from a process's start to the first denoising step, seen from outside, for this code and another.

`python -m tests.benchmarks.gpu.start --before FOLDER` does without the models that the other sections need. FOLDER has
another commit's `generator`, as `git archive COMMIT generator | tar -x -C FOLDER` puts it there. Phases are told by
what the executor says on its pipe, so that any commit with this protocol can be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from generator.memory import MIB
from generator.protocol import PROTOCOL_VERSION, ExecutorConfig, RenderRequest, to_line
from generator.variants import Variant
from tests.benchmarks.full_size import random_modules
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.two_jobs import save_modules

PHASES = (
    *("imports", "torch, context", "more imports", "reading", "packing, pinning, kernels"),
    *("image encoder", "VAE", "UNet placed", "first step", "all"),
)
HERE = Path(__file__).parents[3]


@dataclass(frozen=True)
class Case:
    """One start: which code, which setting of memory, and where kernels are kept."""

    name: str
    code: Path
    memory: str
    state: Path


def start(bench: Bench, modules: Any, before: Path | None) -> None:
    """Measure starts of the executor for several plans and a switch of variants, then of the whole command."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        begun = time.perf_counter()
        variant = save_modules(bench, modules, folder / "model")
        del modules
        bench.note(start_saving_s=time.perf_counter() - begun)
        bench.picture().save(folder / "picture.png")
        warm = folder / "state"
        cases = [Case("fresh kernels", HERE, "full", warm), Case("full", HERE, "full", warm)]
        cases += [Case("full, before", before, "full", warm)] if before else []
        cases += [
            Case(plan, HERE, setting, warm) for plan, setting in (("resident", "model-offload"), ("minimal", "minimal"))
        ]
        bench.row("Start", "what", *PHASES)
        for case in cases:
            measure_start(bench, case, variant, folder)
        for name, code in (("now", HERE), ("before", before)):
            if code is not None:
                bench.note(**{f"start_command_{name}_s": _command(bench, code, folder)})


def measure_start(bench: Bench, case: Case, variant: Variant, folder: Path) -> None:
    """Start an executor with one request, cancel that after its first step, and send one for another variant."""
    other = Variant.from_json({**json.loads(to_line("variant", variant)), "name": "other"})
    config = ExecutorConfig(
        variants={variant.name: variant, "other": other},
        device=bench.device.type,
        memory=case.memory,
        state_folder=case.state,
    )
    begun = time.perf_counter()
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "generator.executor"],
            cwd=case.code,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            process_group=0,
        ) as child,
    ):
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(to_line("configure", config, protocol=PROTOCOL_VERSION, parent=os.getpid()))
        try:
            for job, name in ((1, variant.name), (2, "other")):
                if job == 2:
                    child.stdin.write(to_line("cancel", job=1, attempt=1))
                child.stdin.write(to_line("render", _request(bench, folder, job, name)))
                child.stdin.flush()
                told = {key: when - begun for key, when in _events_until_a_step(child.stdout)}
                row = f"{case.name}{', another variant' if job == 2 else ''}"
                bench.row("Start", row, *_seconds(told))
                bench.note(**{f"start_{row.replace(', ', '_').replace(' ', '_')}_s": told["step 1"]})
                begun = time.perf_counter()
        finally:
            child.kill()


def _request(bench: Bench, folder: Path, job: int, variant: str) -> RenderRequest:
    return RenderRequest(
        job=job,
        attempt=1,
        picture_path=folder / "picture.png",
        clip_path=folder / f"{job}.mp4",
        settings=bench.settings(variant=variant, steps=25),
        max_bytes=10 * MIB,
    )


def _events_until_a_step(lines: Any) -> Iterator[tuple[str, float]]:
    """Yield what the executor says, by a short name, and when; the last is the end of a first denoising step."""
    for line in lines:
        event = json.loads(line)
        name = event["type"]
        if name == "loading":
            name = f"loading {event['step']}/{event['of']}" if event["variant"] else "device"
        elif name == "ready" and event["facts"]["variant"] is None:
            name = "device ready"
        elif name == "progress":
            name = f"{'step' if event['phase'] == 'denoise' else event['phase']} {event['step']}"
        elif name in ("failed", "broken", "fatal"):
            raise RuntimeError(f"the executor said {event}")
        yield name, time.perf_counter()
        if name == "step 1":
            return
    raise RuntimeError("the executor ended")


def _seconds(told: dict[str, float]) -> list[float | str]:
    """Return the seconds of each phase; of a switch the first ones did not happen."""
    ends = (
        "hello",
        "device ready",
        "loading 0/3",
        "loading 3/3",
        "ready",
        "prepare 1",
        "prepare 2",
        "step 0",
        "step 1",
    )
    seconds: list[float | str] = []
    last = 0.0
    for name in ends:
        seconds.append(told[name] - last if name in told else "-")
        last = told.get(name, last)
    return [*seconds, last]


def _command(bench: Bench, code: Path, folder: Path) -> float:
    """Return the seconds of a whole `python -m generator` that makes a clip of one step."""
    command = [sys.executable, "-m", "generator", str(folder / "picture.png"), "-o", str(folder / "command.mp4")]
    command += ["--model", str(folder / "model"), "--steps", "1", "--device", bench.device.type, "--memory", "full"]
    command += ["--frames", str(bench.frames), "--size", "x".join(map(str, bench.size))]
    environment = {**os.environ, "TRITON_CACHE_DIR": str(folder / "state" / "kernels")}
    begun = time.perf_counter()
    subprocess.run(command, cwd=code, env=environment, check=True, timeout=120)
    (folder / "command.mp4").unlink()
    return time.perf_counter() - begun


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("start-figures"))
    parser.add_argument("--before", type=Path, help="a folder with another commit's generator/")
    chosen = parser.parse_args(arguments)
    bench = Bench(torch.device(chosen.device), chosen.tiny, chosen.out)
    start(bench, random_modules(bench.dtype, tiny=chosen.tiny), chosen.before)


if __name__ == "__main__":
    main(sys.argv[1:])
