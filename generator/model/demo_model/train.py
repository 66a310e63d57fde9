"""Train the demo model from nothing: `python -m generator.model.demo_model.train --minutes 120`.

It can be stopped at any time; the next call with the same state folder goes on. The finished checkpoint is written to
the model folder, the state to its own.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from generator.model.demo_model.architecture import Networks, build_networks, save_checkpoint
from generator.model.demo_model.autoencoder import train_autoencoder
from generator.model.demo_model.denoiser import train_denoiser
from generator.model.demo_model.scenes import Dice
from generator.model.demo_model.training_loop import Clock, Report, read_state

_HERE = Path(__file__).parent / "checkpoint"


def main(
    minutes: Annotated[float, typer.Option(help="Training time in all, earlier runs counted.")] = 120.0,
    autoencoder_share: Annotated[float, typer.Option(help="The first stage's share of it.")] = 0.25,
    seed: int = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda; empty: the GPU if there is one.")] = "",
    batch: Annotated[int, typer.Option(help="Clips per step; 0: what suits the device.")] = 0,
    state_dir: Annotated[Path, typer.Option(help="Where training state is kept between runs.")] = Path(".train"),
    model_dir: Annotated[Path, typer.Option(help="Where the checkpoint goes.")] = _HERE,
) -> None:
    """Train the autoencoder, then the denoiser, and save the checkpoint in fp16."""
    console = Console()
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    plan = Plan(60 * minutes, autoencoder_share, seed, batch or (12 if chosen.type == "cuda" else 2), state_dir)
    console.print(f"training on {chosen}, {minutes:g} minutes, batches of {plan.batch}, state in {state_dir}")
    state_dir.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars, (state_dir / "log.jsonl").open("a") as log:
        tasks = {stage: bars.add_task(stage, total=1.0) for stage in ("autoencoder", "denoiser")}

        def report(stage: str, progress: float, figures: dict[str, float]) -> None:
            shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            bars.update(tasks[stage], completed=progress, description=f"{stage}  {shown}")
            log.write(json.dumps({"stage": stage, "progress": round(progress, 4)} | figures) + "\n")
            log.flush()

        trained = train(plan, chosen, report)
    console.print(f"saved {save_checkpoint(trained, model_dir) / 1e6:.2f} MB in {model_dir}")


@dataclass(frozen=True)
class Plan:
    """One training: how long it lasts, its seed and batch size, and the folder of its state."""

    seconds: float
    autoencoder_share: float
    seed: int
    batch: int
    state_dir: Path


def train(plan: Plan, device: torch.device, report: Report) -> Networks:
    """Train both stages, or what is left of them, and return the networks, on the CPU in float32."""
    trained = build_networks(plan.seed)
    networks = (trained.vae, trained.unet, trained.image_encoder)
    for network in networks:
        network.to(device)
    first, second = plan.state_dir / "autoencoder.pt", plan.state_dir / "denoiser.pt"
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    clock = _clock(first, plan.seconds * plan.autoencoder_share, finished=second.exists())
    train_autoencoder(trained.vae, clock, _dice(plan, device, first), plan.batch, first, report)
    clock = _clock(second, plan.seconds * (1 - plan.autoencoder_share))
    train_denoiser(trained, clock, _dice(plan, device, second), plan.batch, second, report)
    for network in networks:
        network.to("cpu")
    return trained


def _clock(state_path: Path, budget_seconds: float, finished: bool = False) -> Clock:
    """Return a clock that goes on from the time already spent; a stage is finished once the next one has begun."""
    saved = read_state(state_path)
    spent = float(saved["seconds"]) if saved else 0.0
    return Clock(spent if finished else budget_seconds, spent)


def _dice(plan: Plan, device: torch.device, state_path: Path) -> Dice:
    """Return random numbers that differ after each restart, so that the same clips are not painted again."""
    saved = read_state(state_path)
    return Dice(device, plan.seed * 1_000_003 + (int(saved["step"]) if saved else 0))


if __name__ == "__main__":
    typer.run(main)
