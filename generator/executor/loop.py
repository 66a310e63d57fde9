"""The child's loop: request -> take -> encode -> one answer. Knows the pipe and the threads, not what a GPU is.

Three threads: the reader hears requests and cancels, the main thread holds the device, and the muxer finishes the clip
of one job while the main thread is at the next. End of file on stdin ends the process at once.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from generator.errors import Cancelled, RenderCrashed, RenderError, WeightsUnavailable
from generator.executor.renderer import Device, Rungs, Studio, Take
from generator.protocol import (
    ExecutorConfig,
    Hooks,
    Phase,
    Progress,
    Rendered,
    RenderRequest,
    from_line,
    request_from_wire,
    to_line,
)
from generator.video.encode import EncodedClip

log = logging.getLogger(__name__)

_PULSE_BYTES = 64 * 1024
"""more than looking at the counters moves"""
FATAL_STATUS = 70  # EX_SOFTWARE: the device is unusable in this process, a new one may mend it


@dataclass(slots=True, eq=False)
class _Order:
    """A request in the executor. `begun` and `cancelled` change under the executor's lock."""

    request: RenderRequest
    begun: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> tuple[int, int]:
        return self.request.job, self.request.attempt

    def check(self) -> None:
        """Leave the render here when it was cancelled."""
        if self.cancelled.is_set():
            raise Cancelled.now()


class Voice:
    """Writes protocol lines, one at a time from any thread. Ends the process when nobody listens any more."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, kind: str, payload: object = None, **extra: Any) -> None:
        """Write one event."""
        rest = memoryview(to_line(kind, payload, **extra))
        with self._lock:
            try:
                while rest:
                    rest = rest[self._stream.write(rest) :]
            except OSError:
                os._exit(0)

    def say_of(self, order: _Order, kind: str, payload: object = None, **extra: Any) -> None:
        """Write one event of a job."""
        self.say(kind, payload, job=order.request.job, attempt=order.request.attempt, **extra)


class Executor:
    """Takes orders from the reader's thread, one at a time, until the pipe ends."""

    _studio: Studio

    def __init__(self, config: ExecutorConfig, voice: Voice, *, pulse_seconds: float = 20.0) -> None:
        self._config = config
        self._voice = voice
        self._pulse_seconds = pulse_seconds
        self._lock = threading.Lock()
        self._orders: dict[tuple[int, int], _Order] = {}
        self._line: queue.SimpleQueue[_Order | str] = queue.SimpleQueue()
        """orders, and names of variants to preload"""
        self._takes: queue.SimpleQueue[tuple[_Order, Take]] = queue.SimpleQueue()

    def run(self, make_device: Callable[[ExecutorConfig], Device]) -> None:
        """Work for ever. The device is made here, on the thread that holds it, while the reader listens already."""
        self._voice.say("loading", variant=self._config.preload, step=0, of=0)
        try:
            device = make_device(self._config)
        except ImportError as error:
            self._die(f"torch cannot be imported ({error}); install the project again as the README says")
        self._studio = Studio(
            self._config, device, Rungs(self._config.state_folder, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        )
        threading.Thread(target=self._mux, name="muxer", daemon=True).start()
        self._preload(self._config.preload)
        while True:
            item = self._line.get()
            if isinstance(item, str):
                self._preload(item)
            elif self._begin(item):
                self._conclude(item, self._shoot)

    # -- the reader's thread

    def listen(self, lines: Iterable[bytes]) -> NoReturn:
        """Hear requests until end of file, which means: stop now, nobody waits for anything any more."""
        try:
            for line in lines:
                self._hear(from_line(line))
        except (ValueError, KeyError, TypeError) as error:
            self._die(f"cannot read what the bot said: {type(error).__name__}: {error}")
        os._exit(0)

    def _hear(self, wire: dict[str, Any]) -> None:
        match wire["type"]:
            case "render":
                order = _Order(request_from_wire(wire))
                with self._lock:
                    self._orders[order.key] = order
                self._line.put(order)
            case "cancel":
                self._cancel((int(wire["job"]), int(wire["attempt"])))
            case "preload":
                self._line.put(str(wire["variant"]))

    def _cancel(self, key: tuple[int, int]) -> None:
        with self._lock:
            order = self._orders.get(key)
            if order is None:
                return
            order.cancelled.set()
            if order.begun:
                return  # answered where the work is
            del self._orders[key]
        self._voice.say_of(order, "cancelled")

    # -- the main thread

    def _begin(self, order: _Order) -> bool:
        with self._lock:
            order.begun = not order.cancelled.is_set()
            return order.begun

    def _preload(self, variant: str | None) -> None:
        try:
            self._load(variant, lambda item: None)
        except WeightsUnavailable:
            pass  # said as `broken`; each job tries again
        except Exception:
            log.exception("cannot preload %s", variant)
        self._recover()

    def _load(self, variant: str | None, on_progress: Callable[[Progress], None]) -> None:
        if variant is not None and variant == self._studio.loaded:
            return

        def tell(item: Progress) -> None:
            self._voice.say("loading", variant=variant, step=item.step, of=item.of)
            on_progress(item)

        if variant is not None:
            tell(Progress(Phase.LOAD))
            try:
                with self._pulse(tell):
                    self._studio.load(variant, tell)
            except BaseException as error:
                self._voice.say("broken", error=_failure(error))
                raise
        self._voice.say("ready", facts=self._studio.device.facts())

    @contextlib.contextmanager
    def _pulse(self, tell: Callable[[Progress], None]) -> Iterator[None]:
        """Show that a long load lives, as long as bytes move: the first download of a variant may take an hour."""
        loaded = threading.Event()

        def beat() -> None:
            before = _bytes_moved()
            while not loaded.wait(self._pulse_seconds):
                now = _bytes_moved()
                if now - before > _PULSE_BYTES:
                    tell(Progress(Phase.LOAD))
                before = now

        beating = threading.Thread(target=beat, name="pulse", daemon=True)
        beating.start()
        try:
            yield
        finally:
            loaded.set()
            beating.join()  # its last word must come before `ready` or `broken`

    def _shoot(self, order: _Order) -> None:
        """Render an order's frames and hand the take to the muxer."""
        hooks = Hooks(lambda item: self._voice.say_of(order, "progress", item), order.check)
        order.check()
        self._load(order.request.settings.variant, hooks.progress)
        self._takes.put((order, self._studio.shoot(order.request, hooks)))

    # -- the muxer's thread

    def _mux(self) -> None:
        while True:
            order, take = self._takes.get()
            self._conclude(order, functools.partial(self._finish, take))

    def _finish(self, take: Take, order: _Order) -> None:
        try:
            order.check()
            self._voice.say_of(order, "progress", Progress(Phase.ENCODE))
            clip = take.writer.finish()
        except BaseException:
            take.writer.abort()
            raise
        self._voice.say_of(order, "rendered", _rendered(order.request, take, clip))
        self._forget(order)

    # -- how a part of an order ends

    def _conclude(self, order: _Order, work: Callable[[_Order], None]) -> None:
        """Do a part of an order's work. What goes wrong is said, after the device has shown that it still computes."""
        answer: dict[str, Any] = {}
        try:
            work(order)
            return
        except Cancelled:
            kind = "cancelled"
        except Exception as error:
            kind, answer = "failed", {"error": _failure(error)}
            log.warning("job=%d failed: %s", order.request.job, error, exc_info=not isinstance(error, RenderError))
            if self._studio.device.is_fatal(error):
                self._die(f"{type(error).__name__}: {error}")
        if threading.current_thread() is threading.main_thread():
            self._recover()
        self._forget(order)
        self._voice.say_of(order, kind, **answer)

    def _recover(self) -> None:
        """Free what a failed render held (outside its except block, whose traceback holds it) and try the device."""
        try:
            self._studio.device.reclaim()
            self._studio.device.canary()
        except RuntimeError as error:
            self._die(f"the device does not compute any more: {error}")

    def _die(self, text: str) -> NoReturn:
        """End this process: after such an error every further call on the device fails as well."""
        log.critical("%s", text)
        self._voice.say("fatal", text=text)
        os._exit(FATAL_STATUS)

    def _forget(self, order: _Order) -> None:
        with self._lock:
            self._orders.pop(order.key, None)


def _bytes_moved() -> int:
    """Give the bytes this process has read and written so far, as Linux counts them; 0 where nobody does."""
    counters = Path("/proc/self/io")
    if not counters.is_file():
        return 0
    fields = dict(line.split(": ") for line in counters.read_text().splitlines())
    return sum(int(fields[name]) for name in ("rchar", "wchar", "read_bytes"))


def _failure(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, RenderError):
        error = RenderCrashed(str(error), type=type(error).__name__)
    return error.to_wire()


def _rendered(request: RenderRequest, take: Take, clip: EncodedClip) -> Rendered:
    return Rendered(
        clip_path=clip.path,
        bytes=clip.bytes,
        width=clip.width,
        height=clip.height,
        frames=clip.frames,
        playback_fps=clip.playback_fps,
        seconds=take.seconds,
        phase_seconds=take.phase_seconds,
        master_path=clip.master_path,
        notes=take.notes + clip.notes,
    )
