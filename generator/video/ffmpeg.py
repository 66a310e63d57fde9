"""Run ffmpeg: raw frames in, a file or raw frames out. Knows no budgets and no loops.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from generator.errors import DiskFull, EncodingFailed
from generator.process.environment import child_environment

Frame = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
"""uint8, height x width x 3, RGB"""

_QUIET = ("-hide_banner", "-loglevel", "error", "-nostdin")


def find_ffmpeg() -> str:
    """Return the path of imageio-ffmpeg's ffmpeg, or of the system's.

    Raises EncodingFailed (why="ffmpeg-missing") when there is none.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise _missing(error) from error


def _missing(error: Exception) -> EncodingFailed:
    return EncodingFailed(f"no ffmpeg: {error}", why="ffmpeg-missing")


class FramePipe:
    """An ffmpeg process that encodes frames as they arrive. A thread writes to it, so that `add` never waits."""

    def __init__(self, size: tuple[int, int], fps: float, arguments: Sequence[str], path: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._queue: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        command = [find_ffmpeg(), *_QUIET, *raw_input(size, fps), *arguments, "-y", str(path)]
        try:
            self._process = subprocess.Popen(
                command,
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
            )
        except FileNotFoundError as error:
            self._errors.close()
            raise _missing(error) from error
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def _feed(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # ffmpeg is gone; finish() sees why
            while (frame := self._queue.get()) is not None:
                self._process.stdin.write(frame.data)
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def add(self, frame: Frame) -> None:
        """Add a contiguous frame, which must not change until `finish`."""
        self._queue.put(frame)

    def finish(self) -> None:
        """Wait until the file is written. Raises DiskFull or EncodingFailed."""
        self._queue.put(None)
        self._feeder.join()
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace")
        self._errors.close()
        _check(status, said)

    def kill(self) -> None:
        """End ffmpeg at once. The caller has to delete what it wrote."""
        self._process.kill()
        self._queue.put(None)
        self._process.wait()
        self._feeder.join()
        self._errors.close()


def _check(status: int, said: str) -> None:
    """Raise DiskFull or EncodingFailed unless ffmpeg ended without an error."""
    if status == 0:
        return
    if "No space left on device" in said:
        raise DiskFull("ffmpeg found no room for the clip")
    raise EncodingFailed(f"ffmpeg ended with {status}: {said[-500:]}", why="ffmpeg-failed")


def raw_input(size: tuple[int, int], fps: float) -> list[str]:
    """Return ffmpeg's arguments for RGB frames of that width and height on stdin."""
    rate = str(Fraction(fps).limit_denominator(1001))
    return ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-framerate", rate, "-i", "pipe:0"]


def read_frames(path: Path) -> tuple[list[Frame], float]:
    """Return the frames of an MP4, GIF or WebP, and its playback fps. Raises EncodingFailed."""
    if path.suffix == ".mp4":
        return _read_mp4(path)
    with Image.open(path, formats=("GIF", "WEBP")) as image:
        frames, milliseconds = [], 0
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            milliseconds += int(frame.info["duration"])
    return frames, len(frames) * 1000 / max(1, milliseconds)


def _read_mp4(path: Path) -> tuple[list[Frame], float]:
    source = ["-i", str(path)]
    header = through_ffmpeg(source, (), ["-frames:v", "1", "-f", "yuv4mpegpipe"]).split(b"\n", 1)[0]
    facts = {chr(word[0]): word[1:].decode() for word in header.split()}
    width, height, rate = int(facts["W"]), int(facts["H"]), Fraction(facts["F"].replace(":", "/"))
    raw = through_ffmpeg(source, (), ["-f", "rawvideo", "-pix_fmt", "rgb24"])
    return list(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)), float(rate)


def through_ffmpeg(input_arguments: Sequence[str], frames: Iterable[Frame], arguments: Sequence[str]) -> bytes:
    """Run ffmpeg with the frames on stdin and return all of its stdout. Raises DiskFull or EncodingFailed."""
    command = [find_ffmpeg(), *_QUIET, *input_arguments, *arguments, "pipe:1"]
    try:
        raw = b"".join(frame.tobytes() for frame in frames)
        done = subprocess.run(command, env=child_environment(), input=raw, capture_output=True)
    except FileNotFoundError as error:
        raise _missing(error) from error
    _check(done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout
