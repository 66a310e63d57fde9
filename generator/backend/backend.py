"""What the bot calls to have a clip rendered: the interface that every backend implements. Knows no processes."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

from generator.backend.in_flight import OnProgress
from generator.protocol import Rendered, RenderRequest


class Backend(Protocol):
    """Renders requests, up to `slots` of them at once, and encodes up to `encoders` more."""

    @property
    def slots(self) -> int:
        """Return how many requests it renders at once."""
        ...

    @property
    def encoders(self) -> int:
        """Return how many more it encodes."""
        ...

    @property
    def executors(self) -> int:
        """Return how many cards it has that can begin something."""
        ...

    async def start(self) -> None:
        """Begin to get ready, and return at once."""

    async def render(self, request: RenderRequest, on_progress: OnProgress) -> Rendered:
        """Return when the clip lies complete at `request.clip_path`. Raises exactly one RenderError otherwise.

        Cancelling the task that awaits this cancels the render; the task ends when the render has stopped.
        """
        ...

    def preload(self, variant: str) -> None:
        """Load a variant before its first request, if a child is there to hear it."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what an admin may know: device, memory, versions, variant; empty until it is ready."""
        ...

    async def close(self) -> None:
        """Stop everything; in-flight requests raise ExecutorLost."""


class ExecutorState(StrEnum):
    """What the executor is doing as a whole."""

    LOADING = "loading"
    """starting, or reading a variant's weights; facts: variant, step, of"""
    READY = "ready"
    """facts: what `describe` returns"""
    RESTARTING = "restarting"
    """it is gone and is started again; facts: cause, detail, and seconds until then"""
    BROKEN = "broken"
    """it runs but cannot load its variant (facts: error), or hangs in the kernel (facts: pid)"""


OnState = Callable[[ExecutorState, dict[str, Any]], None]


class WrappedBackend:
    """A backend around another one: all of the interface but `render` is left to that."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def slots(self) -> int:
        """Return how many requests are rendered at once."""
        return self._backend.slots

    @property
    def encoders(self) -> int:
        """Return how many more are encoded."""
        return self._backend.encoders

    @property
    def executors(self) -> int:
        """Return how many cards can begin something."""
        return self._backend.executors

    async def start(self) -> None:
        """Begin to get ready."""
        await self._backend.start()

    def preload(self, variant: str) -> None:
        """Load a variant before its first request."""
        self._backend.preload(variant)

    def describe(self) -> dict[str, Any]:
        """Return what an admin may know."""
        return self._backend.describe()

    async def close(self) -> None:
        """Stop everything."""
        await self._backend.close()
