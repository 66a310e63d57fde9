"""What is tried of each way to install: the commands of its page, then the doctor and the demo of what they installed.

Tested in tests/test_paths.py.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from scripts.container.machine import pip_settings, run
from scripts.install import CPU_INDEX
from scripts.paths.bare import WORK, Failed, Machine, unpack
from scripts.paths.configured import serve_one_clip
from scripts.site.shown import blocks

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "docs/vivant.service"
TOOLS_OF_THE_TESTS = "pytest|mypy|mkdocs|playwright|ruff|hypothesis"
MOST_EXPOSURE = 3.0
"""of ten, by systemd-analyze security"""
IN_THE_WHEEL = (
    "bot/sandbox/page/static/demo.js",
    "bot/queue/opening/versions/schema.sql",
    "generator/model/demo_model/checkpoint/unet/",
)


@dataclass(frozen=True)
class Bench:
    """What every trial works with: the archive of a bare Debian, and a folder for its machines."""

    archive: Path
    folder: Path

    def machine(self, name: str) -> Machine:
        """Return a new machine with a photograph in its working folder."""
        machine = unpack(self.archive, self.folder / name)
        Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(machine.work / "photo.jpg")
        return machine

    @property
    def wheel(self) -> Path:
        """Return the wheel that the trial of the source has made. Raises Failed where there is none."""
        found = list(self.folder.glob("vivant-*.whl"))
        if not found:
            raise Failed("the trial of the source made no wheel")
        return found[0]

    @cached_property
    def reaches_pytorch(self) -> bool:
        """Whether PyTorch's own index is reached."""
        return _reached(CPU_INDEX)

    @property
    def small_torch(self) -> dict[str, str]:
        """Return the variables by which pip takes the versions that are tested, and torch for the CPU: 1 GB, not 6.

        Where PyTorch's index is not reached, torch comes from where pip finds it here.
        """
        tested = {"PIP_CONSTRAINT": f"/{WORK}/constraints.txt"}
        return tested | ({"PIP_EXTRA_INDEX_URL": CPU_INDEX, "TORCH_INDEX": CPU_INDEX} if self.reaches_pytorch else {})


def _reached(index: str) -> bool:
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=10):
            return True
    except (urllib.error.URLError, OSError):
        return False


def shown(page: str, trial: str) -> str:
    """Return the commands that a page shows for a trial. Raises Failed when it shows none."""
    text = (ROOT / page).read_text()
    found = [block.text for block in blocks(page, text) if block.how == "tried" and block.which == trial]
    if not found:
        raise Failed(f"{page} shows nothing to try for {trial}")
    return "\n".join(found)


# -- the trials --------------------------------------------------------------------------------------------------------


def source(bench: Bench) -> str:
    """Follow the pages on the start and on the source to a clip of the demo and of a bot, and make the wheel."""
    machine = bench.machine("source")
    _copy_source(machine.work)
    machine.run(shown("docs/start.md", "source"))
    machine.run(shown("docs/install/source.md", "source"))
    if not list((machine.work / "demo-out").glob("*.mp4")):
        raise Failed("the demo made no clip")
    tools = machine.run(f"ls .venv/lib/python3*/site-packages | grep -Ex '{TOOLS_OF_THE_TESTS}' || true")
    if tools:
        raise Failed(f"a server gets {tools.split()}")
    if (machine.work / "config.toml").stat().st_mode & 0o077:
        raise Failed("the configuration is open to others")
    checks = _doctor(machine, ".venv/bin/python -m bot")
    served = asyncio.run(serve_one_clip(machine, ".venv/bin/python -m bot"))
    machine.run(shown("docs/install/wheel.md", "wheel"))
    (wheel,) = (machine.work / "dist").glob("*.whl")
    shutil.copy(wheel, bench.folder)
    size = wheel.stat().st_size / 1e6
    return f"the demo's clip; {checks} checks; {served}; a wheel of {size:.1f} MB; no tools of the tests"


def wheel(bench: Bench) -> str:
    """See that the wheel holds what a start and the demo need, and no tests."""
    with zipfile.ZipFile(bench.wheel) as packed:
        names = packed.namelist()
    missing = [name for name in IN_THE_WHEEL if not any(item.startswith(name) for item in names)]
    extra = [name for name in names if re.match(r"(tests|scripts|docs)/", name)]
    if missing or extra:
        raise Failed(f"it lacks {missing} and has {extra[:5]}")
    return f"{len(names)} files"


def pipx(bench: Bench) -> str:
    """Follow the page on the wheel with pipx."""
    return _follow(bench, bench.machine("pipx"), Way("pipx", "vivant", bench.small_torch))


def uv(bench: Bench) -> str:
    """Follow the page on the wheel with uv. Where PyTorch's index is not reached, torch comes from where pip has it."""
    machine = bench.machine("uv")
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "uv")
        shutil.copy(Path(folder) / "bin/uv", machine.tree / "usr/local/bin/uv")
    machine.run("apt-get update\napt-get install --yes python3")
    settings = pip_settings()
    variables = {
        "SSL_CERT_FILE": settings.get("cert", "/etc/ssl/certs/ca-certificates.crt"),
        "UV_CONSTRAINT": f"/{WORK}/constraints.txt",
    }
    if bench.reaches_pytorch:
        return _follow(bench, machine, Way("uv", "vivant", variables))
    variables |= {"UV_FIND_LINKS": settings["find-links"]} if "find-links" in settings else {}
    said = _follow(bench, machine, Way("uv", "vivant", variables, leave_out="--torch-backend auto "))
    return f"{said}; without --torch-backend, since PyTorch's index is not reached here"


def pip(bench: Bench) -> str:
    """Follow the page on the wheel with pip."""
    machine = bench.machine("pip")
    machine.run("apt-get update\napt-get install --yes python3-venv")
    return _follow(bench, machine, Way("pip", "vivant/bin/vivant", bench.small_torch))


def systemd(bench: Bench) -> str:
    """Let systemd read the service and say how exposed it is, and make a clip under its system calls."""
    exposure = exposure_of(UNIT)
    if exposure >= MOST_EXPOSURE:
        raise Failed(f"its exposure is {exposure}")
    out = bench.folder / "under-systemd"
    picture = bench.folder / "photo.jpg"
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(picture)
    demo = (sys.executable, "-m", "bot", "demo", "--picture", picture, "--out", out)
    run(sys.executable, "-m", "scripts.paths.filtered", UNIT, *demo)
    if not list(out.glob("*.mp4")):
        raise Failed("under the service's system calls the demo made no clip")
    return f"exposure {exposure}, and a clip under its system calls"


def exposure_of(unit: Path) -> float:
    """Return how exposed systemd-analyze finds a service, of ten. Raises Failed when it says nothing."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level[^:]*: ([\d.]+)", done.stdout)
    if found is None:
        raise Failed(f"systemd-analyze says no exposure: {(done.stdout + done.stderr)[-400:]}")
    return float(found[1])


Trial = Callable[[Bench], str]
TRIALS: dict[str, Trial] = {trial.__name__: trial for trial in (source, wheel, pipx, uv, pip, systemd)}


# -- what they share ---------------------------------------------------------------------------------------------------


def _copy_source(folder: Path) -> None:
    """Copy what git knows of or would add: what a clone would have."""
    listed = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


@dataclass(frozen=True)
class Way:
    """How the page on the wheel is followed: the trial's name there, the command it brings, with which variables."""

    name: str
    vivant: str
    variables: Mapping[str, str]
    leave_out: str = ""
    """of the commands: what cannot be had here"""


def _follow(bench: Bench, machine: Machine, way: Way) -> str:
    shutil.copy(bench.wheel, machine.work)
    shutil.copy(ROOT / "constraints.txt", machine.work)
    machine.run(shown("docs/install/wheel.md", way.name).replace(way.leave_out, ""), way.variables)
    vivant = way.vivant
    checks = _doctor(machine, vivant)
    machine.run(f"{vivant} demo --picture photo.jpg --out out")
    clips = list((machine.work / "out").glob("*.mp4"))
    if not clips:
        raise Failed("the demo made no clip")
    version = machine.run(f"{vivant} --version").strip()
    return f"{version}: {checks} checks, a clip"


def _doctor(machine: Machine, vivant: str) -> int:
    """Let the doctor look without a token; see that it finds nothing else wrong, and return the number of checks."""
    demo = {"VIVANT_GENERATOR__VARIANT": "demo"}
    said = machine.run(f"{vivant} doctor --json || test $? = 1", demo)
    checks = json.loads(said.splitlines()[-1])["checks"]
    problems = {check["name"]: check["seen"] for check in checks if check["status"] == "problem"}
    if set(problems) != {"Discord token"}:
        raise Failed(f"doctor sees {problems}")
    return len(checks)
