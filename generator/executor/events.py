"""What the executor writes to the bot, and the in-flight requests that most events are about. Knows no device.

Tested in tests/generator/executor/test_main.py.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from generator.errors import Cancelled, RenderCrashed, RenderError
from generator.executor.renderer import RenderedFrames
from generator.protocol import Rendered, RenderRequest, to_line
from generator.video.encode import EncodedClip


@dataclass(slots=True, eq=False)
class InFlight:
    """A request in this process. `begun` and `cancelled` change under the executor's lock."""

    request: RenderRequest
    begun: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> tuple[int, int]:
        """Return what names the request on the pipe: job and attempt."""
        return self.request.job, self.request.attempt

    def check(self) -> None:
        """Raise Cancelled when the render was cancelled."""
        if self.cancelled.is_set():
            raise Cancelled.now()


class EventWriter:
    """Writes events, one at a time from any thread. Ends the process when nobody reads them any more."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, kind: str, payload: object = None, **extra: Any) -> None:
        """Write one event."""
        rest = memoryview(to_line(kind, payload, **extra))
        with self._lock:
            try:
                while rest:
                    rest = rest[self._stream.write(rest) :]
            except OSError:
                os._exit(0)

    def write_about(self, in_flight: InFlight, kind: str, payload: object = None, **extra: Any) -> None:
        """Write one event about a request."""
        self.write(kind, payload, job=in_flight.request.job, attempt=in_flight.request.attempt, **extra)


def failure_to_wire(error: BaseException) -> dict[str, Any]:
    """Return the error as a JSON object; what is no RenderError becomes RenderCrashed."""
    if not isinstance(error, RenderError):
        error = RenderCrashed(str(error), type=type(error).__name__)
    return error.to_wire()


def rendered_from(frames: RenderedFrames, clip: EncodedClip) -> Rendered:
    """Put together what the bot is told about a finished clip."""
    return Rendered(
        clip_path=clip.path,
        bytes=clip.bytes,
        width=clip.width,
        height=clip.height,
        frames=clip.frames,
        playback_fps=clip.playback_fps,
        seconds=frames.seconds,
        phase_seconds=frames.phase_seconds,
        master_path=clip.master_path,
        notes=frames.notes + clip.notes,
    )
