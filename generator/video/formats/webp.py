"""Write an animated WebP of pictures that are encoded by themselves, two at once, each different one once.

libwebp's own animations join frames that look alike, all of them where hardly anything moves. Each frame by itself
takes as many bytes where everything moves. Tested in tests/generator/video/test_encoders.py.
"""

from __future__ import annotations

import bisect
import io
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from PIL import Image

from generator.variants import Size
from generator.video.ffmpeg import Frame, OnWait
from generator.video.frames import resized, scaled
from generator.video.size_ladder import SizeStep

_THREADS = 2
_MOST_WAITING = 8
"""frames that wait to be encoded before the next one is made: a long clip is never in memory as a whole"""
_WAIT_SECONDS = 0.2
_EFFORT = 1
"""of libwebp, 0 to 6: 2 takes 17 % more time and, for frames that are not still, more bytes"""
_FRAMES_ASKED = 3
_SURE = 0.95
"""of the budget, for a size that is guessed from so few frames"""


def encode_picture(frame: Frame, size: Size, quality: int) -> bytes:
    """Return a frame as the chunk of a lossy WebP."""
    file = io.BytesIO()
    Image.fromarray(resized(frame, size)).save(file, "WEBP", quality=quality, method=_EFFORT)
    return file.getvalue()[12:]  # after RIFF, a size and WEBP


def guess_step(steps: Sequence[SizeStep], frames: Sequence[Frame], count: int, max_bytes: int) -> int:
    """Return the index of the first step, from 1 on, on which a clip of `count` such frames fits; else the last one.

    A few of the frames tell: each takes its bytes by itself.
    """
    some = frames[:: max(1, len(frames) // _FRAMES_ASKED)][:_FRAMES_ASKED]
    height, width, _ = some[0].shape

    def takes(index: int) -> int:
        step = steps[index]
        size = scaled((width, height), step.scale)
        sizes = [len(encode_picture(frame, size, step.quality)) for frame in some]
        return sum(sizes) * -(-count // step.every) // len(some)

    fits = bisect.bisect_left(range(1, len(steps)), True, key=lambda index: takes(index) <= _SURE * max_bytes)
    return min(1 + fits, len(steps) - 1)


class WebpEncoder:
    """Encodes frames as they come and writes the file at the end."""

    def __init__(self, size: Size, fps: float, quality: int, path: Path) -> None:
        self._size, self._fps, self._quality, self._path = size, fps, quality, path
        self._pool = ThreadPoolExecutor(_THREADS)
        self._pictures: list[Future[bytes]] = []
        self._known: dict[int, tuple[weakref.ref[Frame], Future[bytes]]] = {}
        self.done = 0

    def add(self, frame: Frame, on_wait: OnWait) -> None:
        """Add the next frame, which must not change until the file is written. Raises what `on_wait` raises."""
        seen, picture = self._known.get(id(frame), (lambda: None, None))
        if picture is None or seen() is not frame:
            picture = self._pool.submit(encode_picture, frame, self._size, self._quality)
            self._known[id(frame)] = weakref.ref(frame), picture
        self._pictures.append(picture)
        self._await_all_but(_MOST_WAITING, on_wait)

    def finish(self, on_wait: OnWait) -> None:
        """Write the file. Raises OSError, and what `on_wait` raises."""
        self._await_all_but(0, on_wait)
        self._pool.shutdown()
        times = [round(index * 1000 / self._fps) for index in range(len(self._pictures) + 1)]
        canvas = _three(self._size[0] - 1) + _three(self._size[1] - 1)
        chunks = [_chunk(b"VP8X", b"\x02\0\0\0" + canvas), _chunk(b"ANIM", bytes(6))]
        for picture, start, end in zip(self._pictures, times, times[1:], strict=False):
            # at the corner, for so many milliseconds, instead of what was there
            chunks.append(_chunk(b"ANMF", bytes(6) + canvas + _three(end - start) + b"\x02" + picture.result()))
        size = 4 + sum(map(len, chunks))
        with self._path.open("wb") as file:
            file.writelines([b"RIFF", size.to_bytes(4, "little"), b"WEBP", *chunks])

    def kill(self) -> None:
        """Stop at once. The caller has to delete what was written."""
        self._pool.shutdown(cancel_futures=True)

    def _await_all_but(self, waiting: int, on_wait: OnWait) -> None:
        while self.done < len(self._pictures) - waiting:
            if wait([self._pictures[self.done]], _WAIT_SECONDS).done:
                self.done += 1
            else:
                on_wait()


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + len(payload).to_bytes(4, "little") + payload + bytes(len(payload) % 2)
