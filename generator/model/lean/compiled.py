"""Compiled chunk functions: eager at first, compiled in a background thread, used once they are ready."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from generator.model.lean.chunks import ChunkFunction, ChunkFunctions

try:
    import fcntl
except ImportError:  # Windows has no fcntl and no inductor for CUDA either
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

# One entry for each shape of each function. Above dynamo's own limit of 8 the rest would silently stay eager.
_MOST_SHAPES = 256

Compile = Callable[[ChunkFunction], ChunkFunction]


def inductor(function: ChunkFunction) -> ChunkFunction:
    """Return `function`, compiled for static shapes with torch's default backend when it is first called."""
    compiled: ChunkFunction = torch.compile(function, dynamic=False, fullgraph=True)
    return compiled


@dataclass(frozen=True, slots=True)
class _Like:
    """A tensor's shape, layout, type and device, to make one like it."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    def make(self) -> Tensor:
        return torch.empty_strided(self.shape, self.strides, dtype=self.dtype, device=self.device).zero_()


Signature = tuple[Any, ...]


def _signature(value: Any) -> Any:
    """Describe an argument. Arguments of equal descriptions can use the same compiled code."""
    if isinstance(value, Tensor):
        return _Like(tuple(value.shape), value.stride(), value.dtype, value.device)
    if isinstance(value, dict):
        return tuple((name, _signature(item)) for name, item in value.items())
    return value


def _example(signature: Any) -> Any:
    if isinstance(signature, _Like):
        return signature.make()
    if isinstance(signature, tuple):
        return {name: _example(item) for name, item in signature}
    return signature


class Compiler:
    """Chunk functions that record the shapes they are called with, and compile them in one background thread.

    Shapes that are ready stay compiled while others are being compiled. Torch's tracer has process-wide state: while it
    traces, which is a small part of a compilation, torch itself runs what is called meanwhile eagerly.
    """

    def __init__(self, folder: Path | None = None, compile_function: Compile = inductor) -> None:
        self._folder = folder
        self._compile = compile_function
        self._eager = ChunkFunctions()
        self._compiled: dict[str, ChunkFunction] = {}
        self._wanted: dict[tuple[str, Signature], None] = {}
        self._ready: set[tuple[str, Signature]] = set()
        self._thread: threading.Thread | None = None
        _prepare_torch(folder)
        names = [field.name for field in dataclasses.fields(ChunkFunctions)]
        self.functions = ChunkFunctions(**{name: self._serve(name) for name in names})

    def _serve(self, name: str) -> ChunkFunction:
        eager: ChunkFunction = getattr(self._eager, name)

        def call(*arguments: Any, **named: Any) -> Any:
            key = (name, (*map(_signature, arguments), _signature(named)))
            if key in self._ready:
                return self._compiled[name](*arguments, **named)
            self._wanted[key] = None
            return eager(*arguments, **named)

        return call

    @property
    def is_compiling(self) -> bool:
        """Return whether the background thread is running."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Return how many shapes were recorded and are not compiled yet."""
        return len(self._wanted)

    @property
    def ready(self) -> int:
        """Return how many shapes are compiled."""
        return len(self._ready)

    def start(self) -> None:
        """Start to compile the shapes recorded since the last time, unless a compilation is running."""
        if self._wanted and not self.is_compiling:
            threads = torch.get_num_threads()
            self._thread = threading.Thread(target=self.compile_now, args=(threads,), name="compile", daemon=True)
            self._thread.start()

    def wait(self, timeout_seconds: float | None = None) -> None:
        """Wait until the background thread has ended, at most `timeout_seconds`."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    @torch.no_grad()
    def compile_now(self, threads: int | None = None) -> None:
        """Compile every shape recorded so far, one after the other, and only one executor of the machine at a time."""
        if threads is not None:
            torch.set_num_threads(threads)  # it is a setting of each thread, and dynamo's guards compare it
        _prepare_torch(self._folder)  # dynamo's settings belong to a thread
        wanted = list(self._wanted)
        started = time.monotonic()
        done = set()
        with _alone(self._folder):
            for name, signature in wanted:
                if self._compile_one(name, signature):
                    done.add((name, signature))
        self._ready |= done
        for key in wanted:
            self._wanted.pop(key, None)
        log.info("compiled %d of %d shapes in %.0f s", len(done), len(wanted), time.monotonic() - started)

    def _compile_one(self, name: str, signature: Signature) -> bool:
        """Compile one function for one shape by calling it on zeros; return False where it must stay eager."""
        if name not in self._compiled:
            self._compiled[name] = self._compile(getattr(self._eager, name))
        *arguments, named = signature
        try:
            self._compiled[name](*map(_example, arguments), **dict(_example(named) or {}))
        except (RuntimeError, OSError, ImportError) as error:  # torch's compile errors, its out-of-memory among them
            log.warning("%s stays eager: %s", name, str(error).splitlines()[0] if str(error) else type(error).__name__)
            return False
        return True


def _prepare_torch(folder: Path | None) -> None:
    if folder is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder / "compiled"))
        os.environ.setdefault("TRITON_CACHE_DIR", str(folder / "compiled" / "triton"))
    from torch import _dynamo  # slow to import, and needed only to compile

    config: Any = _dynamo.config
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, limit, _MOST_SHAPES)
    # Otherwise a call of compiled code raises while another thread traces; so it runs eagerly.
    config.error_on_nested_fx_trace = False


@contextlib.contextmanager
def _alone(folder: Path | None) -> Iterator[None]:
    """Hold the lock of `folder`, so that several executors do not compile at once: rendering needs the CPU as well."""
    if folder is None or fcntl is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "compile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
