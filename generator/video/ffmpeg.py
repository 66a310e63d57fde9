"""Run ffmpeg: raw frames in, a file or raw frames out, none of it held in memory. Knows no budgets and no loops.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from generator.errors import DiskFull, EncodingFailed
from generator.process.environment import child_environment

Frame = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
"""uint8, height x width x 3, RGB"""

OnWait = Callable[[], None]
"""called a few times a second while ffmpeg works; what it raises ends the wait"""

_THREADS = "4"
"""of each ffmpeg, where x264 would take one and a half for each core. It needs 0.57 s of CPU time for 25 frames of
1024x576 while a fast GPU decodes them in 0.6 s, and 2.1 s for a smaller version afterwards: 4 threads are enough for
both. More cut each frame into more slices: 16 gave 0.5 % more bytes. An executor renders one clip and encodes two at
once, so four executors have 48 such threads at most. And a clip is the same file on every machine."""
_QUIET = ("-hide_banner", "-loglevel", "error", "-nostdin", "-filter_threads", _THREADS, "-threads", _THREADS)
"""the last is for the decoder"""
_WAIT_SECONDS = 0.2
_READ_AHEAD = 4
"""frames of ffmpeg's output that are held while nobody takes them"""

_T = TypeVar("_T")


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


class _Process:
    """A running ffmpeg, and what it says about errors."""

    def __init__(self, arguments: Sequence[str], *, stdin: int, stdout: int) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [find_ffmpeg(), *_QUIET, *arguments]
        try:
            self._process = subprocess.Popen(
                command, env=child_environment(), stdin=stdin, stdout=stdout, stderr=self._errors
            )
        except FileNotFoundError as error:
            self._errors.close()
            raise _missing(error) from error
        self.stdin, self.stdout = self._process.stdin, self._process.stdout

    def end(self, on_wait: OnWait) -> None:
        """Wait until it has ended. Raises DiskFull or EncodingFailed, and what `on_wait` raises."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(_WAIT_SECONDS)
                break
            on_wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace")
        self._errors.close()
        _check(status, said)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._errors.close()


def _feed(stdin: IO[bytes], frames: Iterable[Frame]) -> None:
    """Write all frames, and take those that are left once ffmpeg is gone, so that nobody waits to give them."""
    is_there = True
    for frame in frames:
        if is_there:
            try:
                stdin.write(frame.data)
            except OSError:
                is_there = False
    with contextlib.suppress(OSError):
        stdin.close()


def _put(items: queue.Queue[_T], item: _T, on_wait: OnWait) -> None:
    while True:
        try:
            items.put(item, timeout=_WAIT_SECONDS)
            return
        except queue.Full:
            on_wait()


def _get(items: queue.Queue[_T], on_wait: OnWait) -> _T:
    while True:
        try:
            return items.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            on_wait()


def _ignore() -> None:
    pass


class FramePipe:
    """An ffmpeg process that encodes frames as they arrive. A thread writes to it."""

    def __init__(self, arguments: Sequence[str], path: Path, *, most_waiting: int = 0) -> None:
        """`arguments` begin with those of `raw_input`.

        `most_waiting` frames are held at most before `add` waits; with 0 it never does.
        """
        self._queue: queue.Queue[Frame | None] = queue.Queue(most_waiting)
        self._process = _Process(
            [*arguments, "-threads", _THREADS, "-y", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        self.done = 0
        """frames that ffmpeg has taken"""
        assert self._process.stdin is not None
        self._feeder = threading.Thread(target=_feed, args=(self._process.stdin, self._taken()), daemon=True)
        self._feeder.start()

    def _taken(self) -> Iterator[Frame]:
        while (frame := self._queue.get()) is not None:
            yield frame
            self.done += 1

    def add(self, frame: Frame, on_wait: OnWait = _ignore) -> None:
        """Add a contiguous frame, which must not change until `finish`. Raises what `on_wait` raises."""
        _put(self._queue, frame, on_wait)

    def finish(self, on_wait: OnWait = _ignore) -> None:
        """Wait until the file is written. Raises DiskFull or EncodingFailed, and what `on_wait` raises."""
        _put(self._queue, None, on_wait)
        while self._feeder.is_alive():
            self._feeder.join(_WAIT_SECONDS)
            on_wait()
        self._process.end(on_wait)

    def kill(self) -> None:
        """End ffmpeg at once. The caller has to delete what it wrote."""
        self._process.kill()
        while self._feeder.is_alive():  # it takes what is left
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=_WAIT_SECONDS)
            self._feeder.join(_WAIT_SECONDS)


def _check(status: int, said: str) -> None:
    """Raise DiskFull or EncodingFailed unless ffmpeg ended without an error."""
    if status == 0:
        return
    if "No space left on device" in said:
        raise DiskFull("ffmpeg found no room for the clip")
    raise EncodingFailed(f"ffmpeg ended with {status}: {said[-500:]}", why="ffmpeg-failed")


def raw_input(size: tuple[int, int], fps: float, *, planar: bool = False) -> list[str]:
    """Return ffmpeg's arguments for RGB frames of that width and height on stdin, or for the planes of nv12."""
    pixels, rate = "nv12" if planar else "rgb24", str(Fraction(fps).limit_denominator(1001))
    shape = f"{size[0]}x{size[1]}"
    return ["-f", "rawvideo", "-pix_fmt", pixels, "-s", shape, "-framerate", rate, "-i", "pipe:0"]


def stream_frames(
    arguments: Sequence[str], size: tuple[int, int], frames: Iterable[Frame] = (), on_wait: OnWait = _ignore
) -> Generator[Frame]:
    """Run ffmpeg with the frames on stdin and yield its frames of that width and height, one by one.

    Raises DiskFull or EncodingFailed, and what `on_wait` raises. Closing the iterator ends ffmpeg.
    """
    process = _Process(
        [*arguments, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    read: queue.Queue[bytes] = queue.Queue(_READ_AHEAD)
    is_wanted = threading.Event()
    is_wanted.set()
    width, height = size
    threads = [
        threading.Thread(target=_feed, args=(process.stdin, frames), daemon=True),
        threading.Thread(target=_read, args=(process.stdout, width * height * 3, read, is_wanted), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        while raw := _get(read, on_wait):
            yield np.frombuffer(raw, np.uint8).reshape(height, width, 3)
        process.end(on_wait)
    finally:
        is_wanted.clear()
        process.kill()
        for thread in threads:
            thread.join()
        process.stdout.close()


def _read(stdout: IO[bytes], size: int, frames: queue.Queue[bytes], is_wanted: threading.Event) -> None:
    """Put each whole frame into the queue, and an empty one at the end."""

    def stop_if_unwanted() -> None:
        if not is_wanted.is_set():
            raise EOFError

    with contextlib.suppress(EOFError):
        while len(raw := stdout.read(size)) == size:
            _put(frames, raw, stop_if_unwanted)
        _put(frames, b"", stop_if_unwanted)


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
