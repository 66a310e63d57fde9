"""The download of a variant's weights, with a progress bar. A child process loads what talks to the hub."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from generator.process.environment import model_environment
from generator.variants import Variant

GET = "generator.model.checkpoint.get"


class DownloadFailed(Exception):
    """The weights cannot be had now; the text says why and what to do."""


def download_weights(variant: Variant, console: Console) -> str:
    """Return the folder with the weights, fetched if they are not here yet. Raises DownloadFailed."""
    process = subprocess.Popen(
        [sys.executable, "-m", GET, json.dumps(dataclasses.asdict(variant))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=model_environment(),
        text=True,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    answer: dict[str, object] = {}
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f"weights of {variant.name}", total=None)
            assert process.stdout is not None
            for line in process.stdout:
                answer = _parsed(line)
                if "percent" in answer:
                    bar.update(task, completed=float(str(answer["percent"])), total=100)
    except BaseException:  # the person leaves: what has arrived stays in the cache
        process.terminate()
        raise
    finally:
        _, said = process.communicate()
    if "folder" in answer:
        return str(answer["folder"])
    if "remedy" in answer:
        raise DownloadFailed(f"The weights of {variant.name} cannot be had now ({answer['why']}). {answer['remedy']}")
    last = said.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
    raise DownloadFailed(f"The weights of {variant.name} cannot be fetched: {last[0]}")


def _parsed(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
