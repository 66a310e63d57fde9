"""The executor's own side of the pipe, spoken to without the backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generator.protocol import ExecutorConfig, RenderRequest, to_line
from generator.variants import BUILT_IN
from tests.support.fakes import FAKE_EXECUTOR, a_request

CONFIG = ExecutorConfig(variants=BUILT_IN, preload="demo")


class Pipe:
    """A child's stdin and stdout."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def configure(self, parent: int | None = None) -> None:
        self.send(to_line("configure", CONFIG, protocol=1, parent=parent or os.getpid()))

    def hear(self, *kinds: str) -> dict[str, Any]:
        """Return the next event of one of these kinds."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["type"] in kinds:
                return event
        raise AssertionError(f"the child ended with {self.process.wait(5)} before it said any of {kinds}")

    def hang_up(self) -> int:
        """Close the child's stdin and return its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(10)


@contextmanager
def child(*options: str) -> Iterator[Pipe]:
    process = subprocess.Popen(
        [*FAKE_EXECUTOR, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    with process:
        try:
            yield Pipe(process)
        finally:
            process.kill()


def render(request: RenderRequest) -> bytes:
    return to_line("render", request)


def test_it_says_hello_then_loads_then_is_ready() -> None:
    with child() as pipe:
        pipe.configure()
        assert pipe.hear("hello", "loading", "ready") == {"type": "hello", "protocol": 1}
        assert pipe.hear("loading", "ready") == {"type": "loading", "variant": "demo", "step": 0, "of": 0}
        assert pipe.hear("ready")["facts"]["variant"] == "demo"
        assert pipe.hang_up() == 0


def test_end_of_file_ends_it_in_the_middle_of_a_step(tmp_path: Path) -> None:
    with child("--step-seconds", "60") as pipe:
        pipe.configure()
        pipe.send(render(a_request(tmp_path)))
        pipe.hear("progress")
        began = time.monotonic()
        assert pipe.hang_up() == 0
        assert time.monotonic() - began < 1.0


def test_end_of_file_before_any_configuration_ends_it() -> None:
    with child() as pipe:
        assert pipe.hang_up() == 0


def test_a_child_whose_parent_is_somebody_else_ends_itself() -> None:
    with child() as pipe:
        pipe.configure(parent=1)
        assert pipe.process.wait(10) == 0


def test_nonsense_on_its_stdin_is_fatal() -> None:
    with child() as pipe:
        pipe.configure()
        pipe.hear("ready")
        pipe.send(b"rendre\n")
        assert "cannot read" in pipe.hear("fatal")["text"]
        assert pipe.process.wait(10) == 70


def test_an_unknown_request_of_a_newer_bot_is_ignored() -> None:
    with child() as pipe:
        pipe.configure()
        pipe.send(b'{"type": "from-the-future"}\n')
        pipe.send(to_line("preload", variant="svd"))
        assert [pipe.hear("ready")["facts"]["variant"] for _ in range(2)] == ["demo", "svd"]


def test_a_variant_is_loaded_once_for_many_jobs_and_again_when_it_changes(tmp_path: Path) -> None:
    with child() as pipe:
        pipe.configure()
        for job, variant in enumerate(["demo", "demo", "svd", "svd", "demo"]):
            request = a_request(tmp_path, job, frames=3, steps=1, variant=variant)
            pipe.send(render(request))
        readies, rendered = 0, 0
        while rendered < 5:
            event = pipe.hear("ready", "rendered")
            readies += event["type"] == "ready"
            rendered += event["type"] == "rendered"
        assert readies == 3


def test_a_conditioning_image_that_is_gone_fails_that_job_alone(tmp_path: Path) -> None:
    lost, found = a_request(tmp_path, 1), a_request(tmp_path, 2)
    with child() as pipe:
        pipe.configure()
        pipe.send(to_line("render", lost, picture_path=str(tmp_path / "gone.png")))
        pipe.send(render(found))
        error = pipe.hear("failed")
        assert (error["job"], error["error"]["data"]) == (1, {"type": "FileNotFoundError"})
        assert pipe.hear("rendered")["job"] == 2


def test_a_cancel_for_a_job_that_is_not_there_is_ignored(tmp_path: Path) -> None:
    with child() as pipe:
        pipe.configure()
        pipe.send(to_line("cancel", job=99, attempt=1))
        pipe.send(render(a_request(tmp_path)))
        assert pipe.hear("rendered", "cancelled")["type"] == "rendered"


def test_without_torch_it_says_so_and_ends(tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = None; from generator.executor.__main__ import main; main()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        pipe = Pipe(process)
        pipe.configure()
        assert "torch cannot be imported" in pipe.hear("fatal")["text"]
        assert process.wait(10) == 70
