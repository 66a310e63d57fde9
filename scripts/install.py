"""Install into .venv and say what is downloaded and how long each part took: `python3 -m scripts.install demo`.

It runs before anything is installed, so it needs the standard library alone. `dev` installs what the tests need, too.
`cuda` replaces a torch for the CPU by the one for NVIDIA cards. TORCH_INDEX names the package index for torch
("default": pip's own). Without it, a machine without an NVIDIA card takes torch from PyTorch's index for the CPU: a
download of 200 MB, where the one with CUDA and all it needs takes more than 5 GB of disk.

Tested in tests/test_install.py.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv"
REPORT = "installed.json"
"""in the virtual environment: what was installed and how long it took; the demo prints it beside its own times"""
_QUICK = ("--no-compile",)
"""Python compiles what is imported when it is imported: a part of torch and diffusers, not all of them"""
_QUICK_TO_GIVE_UP = ("--retries", "1", "--timeout", "20")
"""for PyTorch's index: where it cannot be reached, pip's own has torch, too"""


@dataclass(frozen=True, slots=True)
class Torch:
    """Where torch comes from, and the sentence that says why."""

    index: str | None
    """None: pip's own"""
    why: str


def has_nvidia_card() -> bool:
    """Tell whether the NVIDIA driver is loaded here, or nvidia-smi finds a card."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    smi = shutil.which("nvidia-smi")
    return smi is not None and subprocess.run([smi, "-L"], capture_output=True, check=False).returncode == 0


def choose_torch(environment: Mapping[str, str], system: str, *, nvidia: bool) -> Torch:
    """Choose torch's package index for this machine; `system` is platform.system()."""
    wanted = environment.get("TORCH_INDEX")
    if wanted:
        index = None if wanted == "default" else wanted
        return Torch(index, f"TORCH_INDEX is {wanted}.")
    if environment.get("PIP_INDEX_URL"):
        return Torch(None, "PIP_INDEX_URL names your own package index, so torch comes from there.")
    if nvidia:
        return Torch(None, "An NVIDIA card is here: torch comes with CUDA, about 5 GB on the disk.")
    if system == "Linux":
        return Torch(CPU_INDEX, "No NVIDIA card is here: torch is the one for the CPU, about 200 MB to download.")
    return Torch(None, "torch is the one for this system.")


@dataclass(slots=True)
class Installation:
    """One installation: `python` is the interpreter in it. Each part's seconds are noted under its name."""

    python: Path
    constraints: Path = ROOT / "constraints.txt"
    seconds: dict[str, float] = field(default_factory=dict)
    small: bool = False
    """whether torch came from an index of its own, which is the one for the CPU"""

    def run(self, part: str, command: Sequence[str | Path]) -> bool:
        """Run a command, show what it prints, and note its time under a part's name. Return whether it succeeded."""
        started = time.monotonic()
        done = subprocess.run([str(word) for word in command], check=False)
        self.seconds[part] = self.seconds.get(part, 0) + time.monotonic() - started
        return done.returncode == 0

    def pip(self, part: str, *words: str) -> bool:
        """Run `pip install` with the constraints."""
        return self.run(part, [self.python, "-m", "pip", "install", *_QUICK, "--constraint", self.constraints, *words])

    def torch(self, torch: Torch, *also: str) -> bool:
        """Install torch. From PyTorch's index comes torch alone: what it needs comes with the rest from pip's own."""
        say(torch.why)
        if torch.index is not None:
            if self.pip("torch", "--no-deps", "--index-url", torch.index, *_QUICK_TO_GIVE_UP, *also, "torch"):
                self.small = True
                return True
            say(f"{torch.index} does not answer. pip's own index has torch, too; there it may come with CUDA.")
        return self.pip("torch", *also, "torch")


def install(extra: str, environment: Mapping[str, str]) -> bool:
    """Install everything into .venv. Return whether it succeeded."""
    work = Installation(VENV / ("Scripts" if os.name == "nt" else "bin") / "python")
    if extra == "cuda":
        # The two versions count as the same one for pip, so it has to be told to replace the one that is there.
        return work.pip("torch", "--force-reinstall", "--no-deps", "torch") and work.pip("torch", "torch")
    chosen = choose_torch(environment, platform.system(), nvidia=has_nvidia_card())
    done = (
        work.run("virtual environment", [sys.executable, "-m", "venv", VENV])
        and work.torch(chosen)
        and work.pip("everything else", "--editable", f"{ROOT}[{extra}]")
    )
    if done:
        (VENV / REPORT).write_text(json.dumps({"extra": extra, "seconds": work.seconds}))
        say(f"Installed in {sum(work.seconds.values()):.0f} s: {describe(work.seconds)}.")
        if work.small:
            say("With an NVIDIA card, later: make cuda")
    return done


def describe(seconds: Mapping[str, float]) -> str:
    """Return the parts and their seconds in one line."""
    return ", ".join(f"{part} {taken:.0f} s" for part, taken in seconds.items())


def say(text: str) -> None:
    """Print a line at once: the commands between the lines print for themselves."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(not install(sys.argv[1], os.environ))
