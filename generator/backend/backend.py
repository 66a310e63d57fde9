"""Backend: renders requests somewhere else. LocalBackend does it in a child process on this machine. No torch."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from generator.backend.in_flight import Deadline, Flight, Flights, OnProgress
from generator.backend.stalls import StallLimits
from generator.errors import ExecutorLost
from generator.process.child import Child, ChildEnd
from generator.protocol import PROTOCOL_VERSION, ExecutorConfig, Rendered, RenderRequest, to_line

log = logging.getLogger(__name__)

_STATUS_SECONDS = 0.05
"""the exit status follows the end of file within a millisecond or two, or the child closed its stdout and lives"""


class Backend(Protocol):
    """Renders requests. A backend that takes N at once has `slots` N."""

    slots: int

    async def start(self) -> None:
        """Begin to get ready; returns at once."""

    async def render(self, request: RenderRequest, on_progress: OnProgress) -> Rendered:
        """Return once the clip lies complete at `request.clip_path`, else raise exactly one RenderError.

        Cancelling the task that awaits this cancels the render and returns when it has stopped.
        """
        ...

    def preload(self, variant: str) -> None:
        """Load a variant before its first request, if a child is there to hear it."""
        ...

    def describe(self) -> dict[str, Any]:
        """Give what an admin may know: device, memory, versions, variant; empty until it is ready."""
        ...

    async def close(self) -> None:
        """Stop everything; renders in flight raise ExecutorLost."""


class ExecutorState(StrEnum):
    """What the executor is doing as a whole."""

    LOADING = "loading"
    """starting, or reading a variant's weights; facts: variant, step, of"""
    READY = "ready"
    """facts: what `describe` gives"""
    RESTARTING = "restarting"
    """it is gone and comes again; facts: cause, detail, seconds"""
    BROKEN = "broken"
    """it lives but cannot load its variant (facts: error), or hangs in the kernel (facts: pid)"""


OnState = Callable[[ExecutorState, dict[str, Any]], None]


class LocalBackend:
    """A child process that holds the model and one GPU; it is watched and started again whenever it goes.

    Call `start` on the main thread's loop: the kernel ties the child to the thread that started it.
    """

    def __init__(
        self,
        config: ExecutorConfig,
        *,
        gpu: int | None = None,
        limits: StallLimits = StallLimits(),  # noqa: B008 - frozen
        python: str = sys.executable,
        command: Sequence[str] | None = None,
        slots: int = 2,
        on_state: OnState | None = None,
    ) -> None:
        self.slots = slots
        self.ready = asyncio.Event()
        self._config = config
        self._gpu = gpu
        self._limits = limits
        self._command = command or (python, "-m", "generator.executor")
        self._on_state = on_state or (lambda state, facts: None)
        self._free_slots = asyncio.Semaphore(slots)
        self._flights = Flights(limits)
        self._facts: dict[str, Any] = {}
        self._child: Child | None = None
        self._verdict: asyncio.Future[ExecutorLost] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._getting_ready: Deadline | None = None
        """until the child can take a request: when its start or its load counts as stalled"""
        self._crashes = 0
        self._closing = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    # -- what callers use

    async def start(self) -> None:
        """Start the child and return; the model loads while this process goes on."""
        if self._supervisor is None:
            self._supervisor = asyncio.get_running_loop().create_task(self._supervise(), name="executor supervisor")
            self._supervisor.add_done_callback(self._supervisor_ended)

    async def render(self, request: RenderRequest, on_progress: OnProgress) -> Rendered:
        """See `Backend.render`. A request given while the child restarts waits for the next child."""
        async with self._free_slots:
            if self._closing.is_set():
                raise _lost("the backend is closed", cause="closed", innocent=True)
            flight = self._flights.add(request, on_progress)
            try:
                self._send(to_line("render", request))
                self._set_alarm()
                return await asyncio.shield(flight.done)
            except asyncio.CancelledError:
                await self._cancel(flight)
                raise
            finally:
                self._flights.remove(flight)
                self._set_alarm()

    async def close(self) -> None:
        """End the child: end of file and SIGTERM, then SIGKILL. Renders in flight raise ExecutorLost."""
        self._closing.set()
        if self._verdict is not None and not self._verdict.done():
            self._verdict.set_result(_lost("the backend is closing", cause="closed"))
        if self._supervisor is not None:
            await asyncio.shield(self._supervisor)

    def describe(self) -> dict[str, Any]:
        """Give what the child said about itself when it got ready: device, memory, versions, variant.

        `problem` is there since a variant could not be loaded.
        """
        return dict(self._facts)

    def preload(self, variant: str) -> None:
        """Load a variant as soon as the child is free, and first of all in every child after it; `on_state` tells."""
        self._config = dataclasses.replace(self._config, preload=variant)
        self._send(to_line("preload", variant=variant))

    # -- the child's life

    async def _supervise(self) -> None:
        while not self._closing.is_set():
            lost = await self._run_child()
            if self._closing.is_set():
                return
            doubled = 2 ** min(self._crashes, 20)  # a float ends at 2**1024, and so would the supervisor
            seconds = min(self._limits.backoff_seconds * doubled, self._limits.backoff_max_seconds)
            self._crashes += 1
            log.warning("%s (%s); next start in %g s", lost.text, lost.data.get("log", ""), seconds)
            self._tell(ExecutorState.RESTARTING, lost.data | {"seconds": seconds})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)

    def _supervisor_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.critical("the executor's supervisor failed", exc_info=task.exception())
        self._closing.set()
        self._flights.fail_all(_lost("the backend is closed", cause="closed", innocent=True))

    async def _run_child(self) -> ExecutorLost:
        """Start a child, follow it to its end and fail what it had in flight. Gives the reason."""
        loop = asyncio.get_running_loop()
        self._tell(ExecutorState.LOADING, {"variant": self._config.preload})
        try:
            child = await Child.spawn(self._command, self._environment(), lambda: f"job={self._flights}")
        except OSError as error:
            lost = _lost(f"cannot start {self._command[0]}: {error}", cause="exit", detail=str(error), innocent=True)
            self._flights.fail_all(lost)
            return lost
        self._child, self._verdict = child, loop.create_future()
        if self._closing.is_set():  # while it started
            self._verdict.set_result(_lost("the backend is closing", cause="closed"))
        self._expect_ready_within("start", self._limits.start_seconds)
        self._flights.count_silence_from(loop.time())
        child.send(to_line("configure", self._config, protocol=PROTOCOL_VERSION, parent=os.getpid()))
        for flight in self._flights:
            child.send(to_line("render", flight.request))
        self._set_alarm()
        reading = loop.create_task(self._follow(child))
        await asyncio.wait({reading, self._verdict}, return_when=asyncio.FIRST_COMPLETED)
        lost = self._verdict.result() if self._verdict.done() else reading.result()
        self._child = self._verdict = self._getting_ready = None
        self.ready.clear()
        self._set_alarm()  # off: it is this child's silence that it counts
        self._flights.fail_all(lost)
        reading.cancel()
        await child.stop(self._limits.term_seconds, self._limits.kill_seconds, self._report_undead)
        return lost

    def _environment(self) -> dict[str, str]:
        env = {"PYTHONUNBUFFERED": "1"}
        if self._gpu is not None:
            env["CUDA_VISIBLE_DEVICES"] = str(self._gpu)
            # nvidia-smi's numbers, not the fastest card first
            env["CUDA_DEVICE_ORDER"] = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        return env

    def _report_undead(self, pid: int) -> None:
        log.critical("executor %d hangs in the kernel and survives SIGKILL; its GPU needs a reboot", pid)
        self._tell(ExecutorState.BROKEN, {"pid": pid, "why": "undead"})

    # -- what the child says

    async def _follow(self, child: Child) -> ExecutorLost:
        try:
            while (event := await child.receive()) is not None:
                lost = self._handle(event)
                if lost is not None:
                    return lost
                self._set_alarm()
        except (ValueError, KeyError, TypeError) as error:
            log.warning("the executor spoke garbage", exc_info=True)
            return _lost("the executor spoke garbage", cause="garbage", detail=f"{type(error).__name__}: {error}")
        return _explained(await child.ended(_STATUS_SECONDS))

    def _handle(self, event: dict[str, Any]) -> ExecutorLost | None:
        match event["type"]:
            case "hello":
                if event["protocol"] != PROTOCOL_VERSION:
                    text = f"the executor speaks protocol {event['protocol']}, this bot {PROTOCOL_VERSION}"
                    return _lost(text, cause="version", detail=text, innocent=True)
                self._got_ready()
            case "loading":
                self._expect_ready_within("load", self._limits.load_seconds)
                self.ready.clear()
                self._tell(ExecutorState.LOADING, event)
            case "ready":
                self._got_ready()
                self._facts = dict(event["facts"])
                self.ready.set()
                self._tell(ExecutorState.READY, self.describe())
            case "broken":
                self._got_ready()
                self._facts["problem"] = event["error"]["text"]
                self._tell(ExecutorState.BROKEN, event)
            case "fatal":
                return _lost(str(event["text"]), cause="fatal", detail=str(event["text"]))
            case "progress" | "rendered" | "failed" | "cancelled" as kind:
                self._flights.hear(event)
                if kind == "rendered":
                    self._crashes = 0
        return None

    def _tell(self, state: ExecutorState, facts: dict[str, Any]) -> None:
        asyncio.get_running_loop().call_soon(self._on_state, state, facts)

    # -- what goes to the child

    def _send(self, line: bytes) -> None:
        if self._child is not None:
            self._child.send(line)

    async def _cancel(self, flight: Flight) -> None:
        """Wait until the child has stopped this render, or until the alarm has stopped the child."""
        flight.cancelled_at = asyncio.get_running_loop().time()
        self._send(to_line("cancel", job=flight.request.job, attempt=flight.request.attempt))
        if self._child is None:
            return
        self._set_alarm()
        await asyncio.wait({flight.done})
        if not flight.done.cancelled() and flight.done.exception() is None:
            _remove(flight.request)

    # -- the stall alarm

    def _set_alarm(self) -> None:
        """Ring at the earliest moment at which silence would mean a stall."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._child is None:
            return
        deadlines = [self._getting_ready] if self._getting_ready else list(self._flights.deadlines())
        if deadlines:
            earliest = min(deadlines, key=lambda deadline: deadline.due)
            self._alarm = asyncio.get_running_loop().call_at(earliest.due, self._ring, earliest)

    def _expect_ready_within(self, what: str, seconds: float) -> None:
        self._getting_ready = Deadline(asyncio.get_running_loop().time() + seconds, what)

    def _got_ready(self) -> None:
        self._getting_ready = None
        self._flights.count_silence_from(asyncio.get_running_loop().time())

    def _ring(self, deadline: Deadline) -> None:
        now = asyncio.get_running_loop().time()
        if now - deadline.due > 1.0:  # this process was stopped itself: hear first what the child said meanwhile
            self._flights.count_silence_from(now)
            if self._getting_ready:
                self._expect_ready_within(deadline.what, self._limits.start_seconds)
            self._set_alarm()
            return
        job = deadline.flight.request.job if deadline.flight else "-"
        log.error("job=%s no sign of life in %s; ending the executor", job, deadline.what)
        lost = _lost(f"the executor stalled in {deadline.what}", cause="stall", detail=deadline.what)
        self._flights.fail_all(lost, deadline.flight)
        if self._verdict is not None and not self._verdict.done():
            self._verdict.set_result(lost)


def _lost(text: str, *, cause: str, detail: str = "", innocent: bool = False) -> ExecutorLost:
    return ExecutorLost(text, cause=cause, detail=detail, innocent=innocent)


def _explained(end: ChildEnd) -> ExecutorLost:
    text, words = f"the executor {end}", end.last_words
    if end.signal_name:
        return ExecutorLost(text, cause="signal", detail=end.signal_name, log=words)
    return ExecutorLost(text, cause="exit", detail=str(end.status), log=words)


def _remove(request: RenderRequest) -> None:
    """Take away the clip of a render that finished while it was being cancelled."""
    for path in (request.clip_path, request.master_path):
        if path is not None:
            Path(path).unlink(missing_ok=True)
