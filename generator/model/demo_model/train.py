"""Train the demo model from nothing: `python -m generator.model.demo_model.train --photographs FOLDER`.

It can be stopped at any time; the next call with the same state folder goes on. The finished checkpoint is written to
the model folder, the state to its own. On several GPUs: `torchrun --nproc-per-node 4 -m generator.model...`.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from torch import distributed as dist

from generator.model.demo_model.architecture import Networks, build_networks, save_checkpoint
from generator.model.demo_model.autoencoder import train_autoencoder
from generator.model.demo_model.denoiser import finish, train_denoiser
from generator.model.demo_model.films.plates import Plates
from generator.model.demo_model.motion import train_motion
from generator.model.demo_model.scenes import Dice
from generator.model.demo_model.training_loop import Clock, Report, is_first, read_state

_HERE = Path(__file__).parent / "checkpoint"
STAGES: dict[str, Callable[..., None]] = {
    "autoencoder": train_autoencoder,
    "motion": train_motion,
    "denoiser": train_denoiser,
    "finish": finish,
}


def main(
    autoencoder: Annotated[float, typer.Option(help="Minutes of the first stage, earlier runs counted.")] = 3.0,
    motion: Annotated[float, typer.Option(help="Minutes of the second stage.")] = 4.0,
    denoiser: Annotated[float, typer.Option(help="Minutes of the third stage.")] = 6.0,
    last: Annotated[float, typer.Option(help="Minutes of the fourth stage.")] = 2.0,
    photographs: Annotated[Path | None, typer.Option(help="Folder of JPEG photographs; none: painted only.")] = None,
    seed: int = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda; empty: the GPU if there is one.")] = "",
    batch: Annotated[int, typer.Option(help="Clips per step and GPU; 0: what suits the device.")] = 0,
    state_dir: Annotated[Path, typer.Option(help="Where training state is kept between runs.")] = Path(".train"),
    model_dir: Annotated[Path, typer.Option(help="Where the checkpoint goes.")] = _HERE,
) -> None:
    """Train the stages, or what is left of them, and save the checkpoint in fp16."""
    console = Console()
    chosen = _join(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    minutes = {"autoencoder": autoencoder, "motion": motion, "denoiser": denoiser, "finish": last}
    plan = Plan(minutes, photographs, seed, batch or (4 if chosen.type == "cuda" else 1), state_dir)
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "log.jsonl").open("a") as log:

        def report(stage: str, progress: float, figures: dict[str, float]) -> None:
            if is_first():
                line = json.dumps({"stage": stage, "progress": round(progress, 4)} | figures)
                log.write(line + "\n")
                log.flush()
                console.print(line)

        for stage, trained in train(plan, chosen, report):
            if is_first():
                size = save_checkpoint(trained, model_dir) / 1e6
                console.print(f"{stage}: saved {size:.2f} MB in {model_dir}")
    if dist.is_initialized():
        dist.destroy_process_group()


def _join(device: str) -> torch.device:
    """Return this process's device, after joining the others that `torchrun` has started, if any."""
    if "LOCAL_RANK" not in os.environ:
        return torch.device(device)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    return torch.device(device, torch.cuda.current_device()) if device == "cuda" else torch.device(device)


@dataclass(frozen=True)
class Plan:
    """One training: how long each stage lasts, its photographs, seed and batch size, and the folder of its state."""

    minutes: dict[str, float]
    photographs: Path | None
    seed: int
    batch: int
    state_dir: Path

    def state_path(self, stage: str) -> Path:
        """Return the file of a stage's state."""
        return self.state_dir / f"{stage}.pt"


def train(plan: Plan, device: torch.device, report: Report) -> Iterator[tuple[str, Networks]]:
    """Train all stages, or what is left of them; yield each one's name and the networks, in float32."""
    trained = build_networks(plan.seed)
    networks = (trained.vae, trained.unet, trained.image_encoder)
    for network in networks:
        network.to(device)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.benchmark_limit = 4  # of the kernels to try for each shape
    steps = sum(int(saved["step"]) for saved in map(read_state, map(plan.state_path, STAGES)) if saved)
    plates = Plates(Dice(device, _seed(plan.seed, steps)), plan.photographs)
    for name, minutes in plan.minutes.items():
        if minutes > 0:
            _train_stage(name, trained, plates, plan, report)
            yield name, trained


def _train_stage(name: str, trained: Networks, plates: Plates, plan: Plan, report: Report) -> None:
    path = plan.state_path(name)
    saved: dict[str, Any] = read_state(path) or {"seconds": 0.0}
    clock = Clock(60 * plan.minutes[name], float(saved["seconds"]))
    if name == "autoencoder":
        train_autoencoder(trained.vae, clock, plates, 12 * plan.batch, path, report)
    elif name == "motion":
        train_motion(trained, clock, plates, 2 * plan.batch, path, report)
    else:
        STAGES[name](trained, clock, plates, plan.batch, path, report)


def _seed(seed: int, steps: int) -> int:
    """Return a seed that differs in each process and after each restart, so that no clips are made again."""
    return seed * 1_000_003 + steps + 7_919 * (dist.get_rank() if dist.is_initialized() else 0)


if __name__ == "__main__":
    typer.run(main)
