"""The child's loop: a request is rendered, then encoded, then answered once. Knows the pipe and the threads, no torch.

The reader's thread takes requests and cancels, the main thread holds the device, and each clip is finished on a thread
of its own while the main thread renders the next: a long one keeps no other waiting. End of file on stdin ends the
process at once.

Tested in tests/generator/executor/test_main.py.
"""

from __future__ import annotations

import functools
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from generator.errors import Cancelled, RenderError, WeightsUnavailable
from generator.executor.device import Device
from generator.executor.events import EventWriter, failure_to_wire
from generator.executor.pulse import Pulse
from generator.executor.renderer import RenderedFrames, Renderer
from generator.executor.rungs import Planner, RememberedRungs
from generator.protocol import (
    ExecutorConfig,
    Hooks,
    Phase,
    Progress,
    Rendered,
    RenderRequest,
    from_line,
    request_from_wire,
)
from generator.video.clip_file import EncodedClip

log = logging.getLogger(__name__)

FATAL_STATUS = 70  # EX_SOFTWARE: the device is unusable in this process, a new one may mend it


@dataclass(slots=True, eq=False)
class InFlight:
    """A request in this process. `begun` and `cancelled` change under the lock of the Executor."""

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
            raise Cancelled("cancelled")


class Executor:
    """Renders the requests that the reader's thread takes, one at a time, until the pipe ends."""

    _renderer: Renderer

    def __init__(self, config: ExecutorConfig, events: EventWriter, pulse: Pulse) -> None:
        self._config = config
        self._events = events
        self._pulse = pulse
        self._lock = threading.Lock()
        self._in_flight: dict[tuple[int, int], InFlight] = {}
        self._to_do: queue.SimpleQueue[InFlight | str] = queue.SimpleQueue()
        """requests to render, and names of variants to preload"""

    def run(self, make_device: Callable[[ExecutorConfig], Device]) -> None:
        """Work for ever. The device is made here, on the thread that holds it, while the reader runs already."""
        self._events.write("loading", variant=self._config.preload, step=0, of=0)
        try:
            device = make_device(self._config)
        except ImportError as error:
            self._die(f"torch cannot be imported ({error}); install the project again as the README says")
        remembered = RememberedRungs(self._config.state_folder, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        self._renderer = Renderer(self._config, device, Planner(self._config, device, remembered))
        self._preload(self._config.preload)
        while True:
            item = self._to_do.get()
            if isinstance(item, str):
                self._preload(item)
            elif self._begin(item):
                self._conclude(item, self._render)

    # -- the reader's thread

    def read_requests(self, lines: Iterable[bytes]) -> NoReturn:
        """Take requests until end of file, and then end the process: nobody waits for anything any more."""
        try:
            for line in lines:
                self._handle(from_line(line))
        except (ValueError, KeyError, TypeError) as error:
            self._die(f"cannot read what the bot said: {type(error).__name__}: {error}")
        os._exit(0)

    def _handle(self, wire: dict[str, Any]) -> None:
        match wire["type"]:
            case "render":
                in_flight = InFlight(request_from_wire(wire))
                with self._lock:
                    self._in_flight[in_flight.key] = in_flight
                self._to_do.put(in_flight)
            case "cancel":
                self._cancel((int(wire["job"]), int(wire["attempt"])))
            case "preload":
                self._to_do.put(str(wire["variant"]))

    def _cancel(self, key: tuple[int, int]) -> None:
        with self._lock:
            in_flight = self._in_flight.get(key)
            if in_flight is None:
                return
            in_flight.cancelled.set()
            if in_flight.begun:
                return  # the thread that works on it answers
            del self._in_flight[key]
        self._write_about(in_flight, "cancelled")

    # -- the main thread

    def _begin(self, in_flight: InFlight) -> bool:
        with self._lock:
            in_flight.begun = not in_flight.cancelled.is_set()
            return in_flight.begun

    def _preload(self, variant: str | None) -> None:
        try:
            self._load(variant, lambda item: None)
        except WeightsUnavailable:
            pass  # the event `broken` was written; each request tries again
        except Exception:
            log.exception("cannot preload %s", variant)
        self._recover()

    def _load(self, variant: str | None, on_progress: Callable[[Progress], None]) -> None:
        if variant is not None and variant == self._renderer.loaded:
            return

        def tell(item: Progress) -> None:
            self._events.write("loading", variant=variant, step=item.step, of=item.of)
            on_progress(item)

        if variant is not None:
            tell(Progress(Phase.LOAD))
            try:
                with self._pulse.beating(tell):
                    self._renderer.load(variant, tell)
            except BaseException as error:
                self._events.write("broken", error=failure_to_wire(error))
                raise
        self._events.write("ready", facts=self._renderer.facts())

    def _render(self, in_flight: InFlight) -> None:
        """Render a request's frames, and begin to encode them on another thread."""
        hooks = self._hooks(in_flight)
        in_flight.check()
        self._load(in_flight.request.settings.variant, hooks.progress)
        encode = functools.partial(self._encode, self._renderer.render(in_flight.request, hooks))
        name = f"encoder of job {in_flight.request.job}"
        threading.Thread(target=self._conclude, args=(in_flight, encode), name=name, daemon=True).start()

    def _hooks(self, in_flight: InFlight) -> Hooks:
        return Hooks(lambda item: self._write_about(in_flight, "progress", item), in_flight.check)

    # -- a thread for each clip

    def _encode(self, frames: RenderedFrames, in_flight: InFlight) -> None:
        try:
            in_flight.check()
            self._write_about(in_flight, "progress", Progress(Phase.ENCODE))
            clip = frames.writer.finish(self._hooks(in_flight))
        except BaseException:
            frames.writer.abort()
            raise
        used = self._renderer.device.facts().get("used_gib")
        self._write_about(in_flight, "rendered", _rendered(frames, clip), used_gib=used)
        self._forget(in_flight)

    # -- how a part of the work ends

    def _conclude(self, in_flight: InFlight, work: Callable[[InFlight], None]) -> None:
        """Do a part of a request's work. An error is reported after the device has shown that it still computes."""
        answer: dict[str, Any] = {}
        try:
            work(in_flight)
            return
        except Cancelled:
            kind = "cancelled"
        except Exception as error:
            kind, answer = "failed", {"error": failure_to_wire(error)}
            job = in_flight.request.job
            log.warning("job=%d failed: %s", job, error, exc_info=not isinstance(error, RenderError))
            if self._renderer.device.is_fatal(error):
                self._die(f"{type(error).__name__}: {error}")
        if threading.current_thread() is threading.main_thread():
            self._recover()
        self._forget(in_flight)
        self._write_about(in_flight, kind, **answer)

    def _recover(self) -> None:
        """Free what a failed render held, and try the device.

        Not inside the render's except block: there the traceback still holds the tensors.
        """
        try:
            self._renderer.device.reclaim()
            self._renderer.device.canary()
        except RuntimeError as error:
            self._die(f"the device does not compute any more: {error}")

    def _die(self, text: str) -> NoReturn:
        """End this process: after such an error every further call on the device fails as well."""
        log.critical("%s", text)
        self._events.write("fatal", text=text)
        os._exit(FATAL_STATUS)

    def _forget(self, in_flight: InFlight) -> None:
        with self._lock:
            self._in_flight.pop(in_flight.key, None)

    def _write_about(self, in_flight: InFlight, kind: str, payload: object = None, **extra: Any) -> None:
        request = in_flight.request
        self._events.write(kind, payload, job=request.job, attempt=request.attempt, **extra)


def _rendered(frames: RenderedFrames, clip: EncodedClip) -> Rendered:
    """Put together what the bot is told about a finished clip."""
    return Rendered(
        clip_path=clip.path,
        bytes=clip.bytes,
        width=clip.width,
        height=clip.height,
        frames=clip.frames,
        playback_fps=clip.playback_fps,
        seconds=frames.seconds,
        plan=frames.plan,
        phase_seconds=frames.phase_seconds,
        master_path=clip.master_path,
        frames_path=clip.frames_path,
        notes=frames.notes + clip.notes,
        motion=frames.motion,
    )
