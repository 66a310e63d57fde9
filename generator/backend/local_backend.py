"""The backend that renders in a child process on this machine.

It owns the child's life: start, restart, end. It knows no torch; of jobs it knows what is in a RenderRequest.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator.backend.backend import ExecutorState, OnState
from generator.backend.gpus import VISIBLE, choose_gpus, device_order
from generator.backend.in_flight import InFlight, InFlightRequests, OnProgress, Times
from generator.backend.losses import check_version, lost_because, lost_by
from generator.backend.stalls import Deadline, StallAlarm, StallLimits, restart_delay
from generator.errors import ExecutorLost
from generator.process.child import Child
from generator.process.environment import model_environment
from generator.process.share import executor_environment, has_gpu
from generator.protocol import PROTOCOL_VERSION, ExecutorConfig, Rendered, RenderRequest

log = logging.getLogger(__name__)

_STATUS_SECONDS = 2.0
"""the exit status follows the end of file within a millisecond or two, on a busy machine later; else the child has only
closed its stdout"""

SLOTS = 2
"""requests that are not encoded yet: one is rendered, the next one is there already"""
ENCODERS = 2
"""clips that are encoded besides: the GPU goes on, and their frames stay in memory"""


class LocalBackend:
    """Renders in a child process that holds the model and one GPU, and starts the child again whenever it ends.

    Call `start` on the main thread's loop: the kernel ties the child to the thread that started it.
    """

    def __init__(
        self,
        config: ExecutorConfig,
        *,
        gpu: int | str | None = None,
        limits: StallLimits = StallLimits(),  # noqa: B008 - frozen
        command: Sequence[str] = (sys.executable, "-m", "generator.executor"),
        slots: int = SLOTS,
        encoders: int = ENCODERS,
        on_state: OnState | None = None,
    ) -> None:
        self.slots, self.encoders, self.executors = slots, encoders, 1
        self.ready = asyncio.Event()
        self._config = config
        self._gpu = None if gpu is None else choose_gpus([gpu], os.environ)[0]
        self._limits = limits
        self._command = command
        self._on_state = on_state or (lambda state, facts: None)
        self._free_slots = asyncio.Semaphore(slots + encoders)
        self._in_flight = InFlightRequests()
        self._alarm = StallAlarm(limits, self._in_flight, self._stalled)
        self._facts: dict[str, Any] = {}
        self._clip_times = Times()
        self._child: Child | None = None
        self._must_end: asyncio.Future[ExecutorLost] | None = None
        """set when this side ends the child: why"""
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
                raise lost_because("the backend is closed", cause="closed", innocent=True)
            try:
                with self._in_flight.accepted(request, on_progress) as in_flight:
                    self._send("render", request)
                    self._alarm.update()
                    return await self._answer(in_flight)
            finally:
                self._alarm.update()

    async def _answer(self, in_flight: InFlight) -> Rendered:
        try:
            return await asyncio.shield(in_flight.done)
        except asyncio.CancelledError:
            await self._cancel(in_flight)
            raise

    async def close(self) -> None:
        """End the child: SIGTERM, then SIGKILL. In-flight requests raise ExecutorLost."""
        self._closing.set()
        self._end_child(lost_because("the backend is closing", cause="closed"))
        if self._supervisor is not None:
            await asyncio.shield(self._supervisor)

    def describe(self) -> dict[str, Any]:
        """Return what the child said about itself when it got ready: device, memory, versions, variant, plan.

        Beside it `gpu`, which one it was given, and `clip_seconds`, the median of the last clips of its variant on this
        card. The key `problem` is there while a variant cannot be loaded.
        """
        known = {"gpu": self._gpu, "clip_seconds": self._clip_times.median(str(self._facts.get("variant")))}
        return self._facts | {key: value for key, value in known.items() if value is not None}

    def preload(self, variant: str) -> None:
        """Load a variant as soon as the child is free, and first of all in every child after it.

        `on_state` is called when it is loaded.
        """
        self._config = dataclasses.replace(self._config, preload=variant)
        self._send("preload", variant=variant)

    # -- the child's life

    async def _supervise(self) -> None:
        while not self._closing.is_set():
            lost = await self._run_child()
            if self._closing.is_set():
                return
            seconds = restart_delay(self._limits, self._crashes)
            self._crashes += 1
            log.warning("%s (%s); next start in %g s", lost.text, lost.data.get("log", ""), seconds)
            self._tell(ExecutorState.RESTARTING, lost.data | {"seconds": seconds})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)

    def _supervisor_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.critical("the executor's supervisor failed", exc_info=task.exception())
        self._closing.set()
        self._in_flight.fail_all(lost_because("the backend is closed", cause="closed", innocent=True))

    async def _run_child(self) -> ExecutorLost:
        """Start a child, read it to its end, fail the requests that it had, and return the reason."""
        self._tell(ExecutorState.LOADING, {"variant": self._config.preload})
        try:
            child = await Child.spawn(self._command, self._environment(), lambda: f"job={self._in_flight}")
        except OSError as error:
            lost = lost_because(
                f"cannot start {self._command[0]}: {error}", cause="exit", detail=str(error), innocent=True
            )
            self._in_flight.fail_all(lost)
            return lost
        self._child, self._must_end = child, asyncio.get_running_loop().create_future()
        if self._closing.is_set():  # while it started
            self._end_child(lost_because("the backend is closing", cause="closed"))
        lost = await self._use(child, self._must_end)
        await child.stop(self._limits.term_seconds, self._limits.kill_seconds, self._report_undead)
        return lost

    async def _use(self, child: Child, must_end: asyncio.Future[ExecutorLost]) -> ExecutorLost:
        """Give the child its configuration and the requests, and read it until it is lost. Return why it is."""
        self._alarm.watch_start()
        child.send("configure", self._config, protocol=PROTOCOL_VERSION, parent=os.getpid())
        for in_flight in self._in_flight:
            child.send("render", in_flight.request)
        self._alarm.update()
        reading = asyncio.get_running_loop().create_task(self._read(child))
        await asyncio.wait({reading, must_end}, return_when=asyncio.FIRST_COMPLETED)
        lost = self._forget_child(must_end.result() if must_end.done() else reading.result())
        self._in_flight.fail_all(lost)
        reading.cancel()
        return lost

    def _forget_child(self, lost: ExecutorLost) -> ExecutorLost:
        """Expect nothing of the child any more. Return the error that its requests get."""
        self._child = self._must_end = None
        self.ready.clear()
        self._alarm.turn_off()
        return lost

    def _end_child(self, lost: ExecutorLost) -> None:
        if self._must_end is not None and not self._must_end.done():
            self._must_end.set_result(lost)

    def _environment(self) -> dict[str, str]:
        config = self._config
        on_gpu = self._gpu is not None or has_gpu(config.device)
        threads = executor_environment(config.threads, config.executors, on_gpu=on_gpu)
        env = {**model_environment(), **threads, "PYTHONUNBUFFERED": "1"}
        if self._gpu is not None:
            env[VISIBLE] = self._gpu
            if order := device_order(os.environ):
                env["CUDA_DEVICE_ORDER"] = order
        return env

    def _report_undead(self, pid: int) -> None:
        log.critical("executor %d hangs in the kernel and survives SIGKILL; its GPU needs a reboot", pid)
        self._tell(ExecutorState.BROKEN, {"pid": pid, "why": "undead"})

    def _stalled(self, deadline: Deadline) -> None:
        job = deadline.request.request.job if deadline.request else "-"
        log.error("job=%s no sign of life in %s; ending the executor", job, deadline.what)
        lost = lost_because(f"the executor stalled in {deadline.what}", cause="stall", detail=deadline.what)
        self._in_flight.fail_all(lost, deadline.request)
        self._end_child(lost)

    # -- what the child says

    async def _read(self, child: Child) -> ExecutorLost:
        try:
            while (event := await child.receive()) is not None:
                lost = self._handle(event)
                if lost is not None:
                    return lost
                self._alarm.update()
        except (ValueError, KeyError, TypeError) as error:
            log.warning("the executor wrote garbage", exc_info=True)
            return lost_because(
                "the executor wrote garbage", cause="garbage", detail=f"{type(error).__name__}: {error}"
            )
        return lost_by(await child.ended(_STATUS_SECONDS))

    def _handle(self, event: dict[str, Any]) -> ExecutorLost | None:
        match event["type"]:
            case "hello":
                self._alarm.watch_requests()
                return check_version(event["protocol"])
            case "loading":
                self._alarm.watch_load()
                self.ready.clear()
                self._tell(ExecutorState.LOADING, event)
            case "ready":
                self._alarm.watch_requests()
                self._facts = dict(event["facts"])
                self.ready.set()
                self._tell(ExecutorState.READY, self.describe())
            case "broken":
                self._alarm.watch_requests()
                self._facts["problem"] = event["error"]["text"]
                self._tell(ExecutorState.BROKEN, event)
            case "fatal":
                return lost_because(str(event["text"]), cause="fatal", detail=str(event["text"]))
            case "progress" | "rendered" | "failed" | "cancelled" as kind:
                self._in_flight.handle(event)
                if kind == "rendered":
                    self._crashes = 0
                    self._facts["plan"] = event.get("plan", "")
                    self._facts |= {"used_gib": used} if (used := event.get("used_gib")) is not None else {}
                    self._clip_times.add(str(self._facts.get("variant")), float(event["seconds"]))
        return None

    def _tell(self, state: ExecutorState, facts: dict[str, Any]) -> None:
        asyncio.get_running_loop().call_soon(self._on_state, state, facts)

    # -- what goes to the child

    def _send(self, kind: str, payload: object = None, **extra: Any) -> None:
        if self._child is not None:
            self._child.send(kind, payload, **extra)

    async def _cancel(self, in_flight: InFlight) -> None:
        """Wait until the child has stopped this render, or until the alarm has ended the child."""
        request = in_flight.request
        in_flight.cancelled_at = asyncio.get_running_loop().time()
        self._send("cancel", job=request.job, attempt=request.attempt)
        if self._child is None:
            return
        self._alarm.update()
        await asyncio.wait({in_flight.done})
        if not in_flight.done.cancelled() and in_flight.done.exception() is None:
            _delete_clip(request)


def _delete_clip(request: RenderRequest) -> None:
    """Delete the clip of a render that finished while it was being cancelled."""
    for path in (request.clip_path, request.master_path, request.frames_path):
        if path is not None:
            Path(path).unlink(missing_ok=True)
