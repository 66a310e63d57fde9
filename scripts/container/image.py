"""The image: a base from Debian's packages, the build of the Dockerfile on it, and what it takes on the disk."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.container.machine import local_paths, make_debian, pip_file, pip_settings, run

ROOT = Path(__file__).parents[2]
BASE = "localhost/vivant-base"
BASE_PACKAGES = "ca-certificates,python3"
"""what stands in for Docker's python:3.12-slim"""
BUILD_PACKAGES = "gcc libc6-dev python3-dev python3-venv"


@dataclass(frozen=True)
class Workshop:
    """A folder with the storage of images, which is emptied by `close`."""

    folder: Path

    def __post_init__(self) -> None:
        """Write the settings of the storage: vfs works everywhere, overlay is quicker and takes a third of the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        driver = os.environ.get("STORAGE_DRIVER", "overlay")
        lines = (f'driver = "{driver}"', f'graphroot = "{self.folder}/images"', f'runroot = "{self.folder}/run"')
        self._settings.write_text("\n".join(("[storage]", *lines, "")))

    @property
    def _settings(self) -> Path:
        return self.folder / "storage.conf"

    def buildah(self, *command: str | Path) -> str:
        """Run buildah on this storage, without a daemon and without namespaces."""
        environment = {"CONTAINERS_STORAGE_CONF": str(self._settings), "BUILDAH_ISOLATION": "chroot"}
        return run("buildah", *command, environment=environment).strip()

    def close(self) -> None:
        """Delete every container and every image."""
        with suppress(RuntimeError):
            self.buildah("rm", "--all")
        self.buildah("rmi", "--all", "--force")


def make_base(workshop: Workshop) -> None:
    """Make the base image from Debian's packages."""
    tree = workshop.folder / "base.tar"
    make_debian(tree, BASE_PACKAGES)
    container = workshop.buildah("from", "scratch")
    workshop.buildah("add", container, tree, "/")
    workshop.buildah("commit", "--quiet", "--rm", container, BASE)
    tree.unlink()


def build(workshop: Workshop, torch: str) -> str:
    """Build the Dockerfile on that base and return the image's name. `torch` is cuda or cpu."""
    settings = pip_settings()
    pip = workshop.folder / "pip.conf"
    pip.write_text(pip_file(settings))
    seen = [f"--volume={pip}:/etc/pip.conf:ro", *(f"--volume={path}:{path}:ro" for path in local_paths(settings))]
    name = f"localhost/vivant-{torch}"
    arguments = (f"BASE={BASE}", f"TORCH={torch}", f"BUILD_PACKAGES={BUILD_PACKAGES}")
    workshop.buildah(
        *("build", "--format=docker", "--tag", name, *seen),  # the OCI format has no health check
        *(f"--build-arg={argument}" for argument in arguments),
        ROOT,
    )
    return name


def settings_of(workshop: Workshop, image: str) -> dict[str, Any]:
    """Return what the image says of itself: Env, User, Entrypoint, Healthcheck, ..."""
    found: dict[str, Any] = json.loads(workshop.buildah("inspect", "--type=image", image))["Docker"]["config"]
    return found


def unpack(workshop: Workshop, image: str) -> Path:
    """Return a folder with the image's files."""
    return Path(workshop.buildah("mount", workshop.buildah("from", image)))


def sizes(tree: Path) -> dict[str, int]:
    """Return how many bytes the image's parts take: the whole, Debian's part, and each Python package above 20 MB."""
    (packages,) = (tree / "opt/vivant/lib").glob("python3*/site-packages")
    parts = {folder.name: _bytes(folder) for folder in packages.iterdir() if folder.is_dir()}
    whole, ours = _bytes(tree), _bytes(tree / "opt/vivant")
    large = {name: size for name, size in sorted(parts.items(), key=lambda part: -part[1]) if size > 20_000_000}
    rest = ours - sum(large.values())
    return {"the whole image": whole, "Debian and Python": whole - ours, **large, "other packages": rest}


def _bytes(folder: Path) -> int:
    return int(run("du", "--summarize", "--block-size=1", folder).split()[0])
