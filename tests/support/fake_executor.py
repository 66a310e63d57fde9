"""The real executor loop around a device without torch that plays faults: `python -m tests.support.fake_executor -h`.

It starts in a tenth of a second, so that most fault tests need no torch.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource  # noqa: F401 - another user may not read Python's own folder, where it is found when needed
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from generator.clip import ClipSettings
from generator.errors import BadFrames, WeightsUnavailable
from generator.executor import __main__ as executor
from generator.memory import GIB, MemoryPlan
from generator.protocol import Hooks, Phase, Progress
from generator.variants import Variant
from generator.video.ffmpeg import Frame

NOBODY = 65534


class SimulatedFatal(Exception):
    """Simulates an error after which a device is lost."""


class FakeDevice:
    """Moves a light strip over the picture; plays `--fault` at `--at-step`."""

    def __init__(self, options: argparse.Namespace, raw_stdout: int = 1) -> None:
        self._options = options
        self._raw_stdout = raw_stdout
        self._used_gib = 1.0
        self._variant: str | None = None
        self._safe = False
        self._played = self._skipped = 0
        if options.fault == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def load(self, variant: Variant, on_progress: Callable[[Progress], None]) -> None:
        on_progress(Progress(Phase.LOAD, 0, 1))
        loaded_at = time.monotonic() + self._options.load_seconds
        while time.monotonic() < loaded_at:
            if self._options.load_moves_bytes:
                Path(os.devnull).write_bytes(bytes(1024 * 1024))
            time.sleep(0.05)
        if self._options.fault == "no-weights" and self._due():
            raise WeightsUnavailable("none", variant=variant.name, why="missing", remedy="Put them there.")
        self._variant = variant.name

    def facts(self) -> dict[str, Any]:
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
        threads = {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")}
        process = {"environment": sorted(os.environ), "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)}
        return {
            "name": "Fake",
            "vram_gib": 24.0,
            "used_gib": self._used_gib,
            "variant": self._variant,
            "pid": os.getpid(),
            "gpu": gpu,
            **process,
        } | {"threads": threads}

    def free_bytes(self) -> int | None:
        return int(self._options.free_gib * GIB)

    def frames(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        self._used_gib = 6.0
        for step in range(settings.steps):
            hooks.check()
            preview = hooks.preview(lambda: np.zeros((9, 16, 16), np.float32))
            hooks.progress(Progress(Phase.DENOISE, step, settings.steps, preview))
            time.sleep(self._options.step_seconds)
            if step == self._options.at_step:
                self._fault(plan)
        base = np.asarray(picture).astype(np.int16)
        for index in range(settings.frames):
            hooks.progress(Progress(Phase.DECODE, index, settings.frames))
            yield self._frame(base, index, settings)

    def make_safer(self) -> str | None:
        if self._options.unsafest or self._safe:
            return None
        self._safe = True
        return "fp32"

    def reclaim(self) -> None:
        pass

    def is_out_of_memory(self, error: BaseException) -> bool:
        return isinstance(error, MemoryError)

    def is_fatal(self, error: BaseException) -> bool:
        return isinstance(error, SimulatedFatal)

    def canary(self) -> None:
        if self._options.fault == "dead-canary" and self._played:
            raise RuntimeError("no sum")

    def _due(self) -> bool:
        """Tell whether the fault shall be played now: at most `--times`, over several processes with `--marks`."""
        marks: Path | None = self._options.marks
        if self._skipped < self._options.skip:
            self._skipped += 1
            return False
        played = len(list(marks.iterdir())) if marks else self._played
        if played >= self._options.times:
            return False
        self._played += 1
        if marks:
            (marks / f"{os.getpid()}-{self._played}").touch()
        return True

    def _fault(self, plan: MemoryPlan) -> None:
        if self._options.fault in (None, "no-weights") or not self._due():
            return
        self._raise(plan)
        self._harm_the_process()

    def _raise(self, plan: MemoryPlan) -> None:
        """Play a fault that is an error of the renderer."""
        match self._options.fault:
            case "oom":
                raise MemoryError(f"simulated on rung {plan.rung}")
            case "crash" | "dead-canary":
                raise ZeroDivisionError("simulated")
            case "fatal":
                raise SimulatedFatal("CUDA error: an illegal memory access was encountered")
            case "nan":
                raise BadFrames("nan", kind="nan")

    def _harm_the_process(self) -> None:
        """Play a fault of the process: its end, its silence, or something wrong on its pipes."""
        match self._options.fault:
            case "sigkill" | "sigsegv" | "sigstop" as name:
                os.kill(os.getpid(), getattr(signal, name.upper()))
            case "garbage":
                os.write(self._raw_stdout, b"Loading checkpoint shards: 100%\n")
                time.sleep(60)
            case "wrong-fields":
                os.write(self._raw_stdout, b'{"type": "progress", "job": "seventeen"}\n')
                time.sleep(60)
            case "exit-0":
                os._exit(0)
            case "hang" | "stubborn":
                time.sleep(3600)
            case "prints":
                print("a stray print")
                os.write(1, b"a stray write to descriptor 1\n")
            case "child":  # simulates an ffmpeg that reads from a file
                child = subprocess.Popen(["sleep", "600"])
                self._options.pids.write_text(f"{os.getpid()} {child.pid}")
                time.sleep(600)

    def _frame(self, base: Any, index: int, settings: ClipSettings) -> Frame:
        bad = self._options.frames if not self._safe or self._options.unsafest else None
        if bad and self._options.good_seed == settings.seed:
            bad = None
        if self._options.bad_motion not in (None, settings.motion_bucket):
            bad = None
        if bad == "black":
            return np.zeros(base.shape, np.uint8)
        frame = base // 2
        if bad == "strobing":
            frame = frame + 110 * (index % 2)
        if bad != "frozen":
            frame[:, index * 3 : index * 3 + 8] += 100
        shown: Frame = np.clip(frame, 0, 255).astype(np.uint8)
        return shown


class InTurn(threading.Thread):
    """A thread that is none when it encodes."""

    def start(self) -> None:
        if self.name.startswith("encoder"):
            self.run()
        else:
            super().start()


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault")
    parser.add_argument("--at-step", type=int, default=1)
    parser.add_argument("--times", type=int, default=10**9, help="play the fault at most so many times")
    parser.add_argument("--skip", type=int, default=0, help="do not play it the first so many times")
    parser.add_argument("--marks", type=Path, help="folder that counts the faults over all processes")
    parser.add_argument("--step-seconds", type=float, default=0.01)
    parser.add_argument("--load-seconds", type=float, default=0.0)
    parser.add_argument("--load-moves-bytes", action="store_true", help="as a download does")
    parser.add_argument("--ordinary-user", action="store_true", help="run without root's rights, where root tests")
    parser.add_argument("--frames", choices=("black", "frozen", "strobing"))
    parser.add_argument("--good-seed", type=int, help="the seed with which the frames are good")
    parser.add_argument("--bad-motion", type=int, help="the motion bucket with which alone the frames are bad")
    parser.add_argument("--free-gib", type=float, default=24.0)
    parser.add_argument("--unsafest", action="store_true", help="there is no safer precision")
    parser.add_argument("--encodes-in-turn", action="store_true", help="render nothing meanwhile: a negative control")
    parser.add_argument("--pids", type=Path, help="where the fault `child` writes its process ids")
    parser.add_argument("--deaf", action="store_true", help="outlive the parent and read nothing: a negative control")
    return parser.parse_args(arguments)


def _become_ordinary() -> None:
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as the program of an ordinary user starts


def main() -> None:
    options = read_options(sys.argv[1:])
    raw_stdout = os.dup(1)
    if options.deaf:
        sys.stdin.buffer.readline()
        os.write(1, b'{"type": "hello", "protocol": 1}\n')
        options.pids.write_text(str(os.getpid()))
        time.sleep(600)
    if options.encodes_in_turn:
        threading.Thread = InTurn  # type: ignore[misc]
    if options.ordinary_user and os.getuid() == 0:
        _become_ordinary()
    executor.main(lambda config: FakeDevice(options, raw_stdout), pulse_seconds=0.2)


if __name__ == "__main__":
    main()
