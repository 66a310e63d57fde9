"""Compiled chunk functions: eager at first, compiled beside the rendering, swapped in when every shape is ready."""

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

# One entry for each shape of each function; dynamo's own limit of 8 would leave the rest eager without a word.
_MOST_SHAPES = 256

Compile = Callable[[ChunkFunction], ChunkFunction]


def inductor(function: ChunkFunction) -> ChunkFunction:
    """Compile for static shapes with torch's default backend."""
    compiled: ChunkFunction = torch.compile(function, dynamic=False, fullgraph=True)
    return compiled


@dataclass(frozen=True, slots=True)
class _Like:
    """A tensor's looks, to make one like it."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    def make(self) -> Tensor:
        return torch.empty_strided(self.shape, self.strides, dtype=self.dtype, device=self.device).zero_()


Signature = tuple[Any, ...]


def _signature(value: Any) -> Any:
    """Describe an argument so that equal descriptions mean one compilation serves both."""
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
    """Chunk functions that remember the shapes they meet, and compile them in one background thread.

    Compiled code is used only while nothing compiles: torch's tracer has process-wide state a call would trip over.
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
            if key in self._ready and not self.is_compiling:
                return self._compiled[name](*arguments, **named)
            if key not in self._ready:
                self._wanted[key] = None
            return eager(*arguments, **named)

        return call

    @property
    def is_compiling(self) -> bool:
        """Tell whether the background thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Return how many shapes were met and are not compiled yet."""
        return len(self._wanted)

    @property
    def ready(self) -> int:
        """Return how many shapes are compiled."""
        return len(self._ready)

    def start(self) -> None:
        """Begin to compile the shapes met since the last time; never a second time beside itself."""
        if self._wanted and not self.is_compiling:
            threads = torch.get_num_threads()
            self._thread = threading.Thread(target=self.compile_now, args=(threads,), name="compile", daemon=True)
            self._thread.start()

    def wait(self, timeout_seconds: float | None = None) -> None:
        """Wait for the background thread."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    @torch.no_grad()
    def compile_now(self, threads: int | None = None) -> None:
        """Compile every shape met so far, one after the other, alone among this machine's executors."""
        if threads is not None:
            torch.set_num_threads(threads)  # per thread, and dynamo guards on it
        _prepare_torch(self._folder)  # dynamo's settings are per thread
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
        """Compile by one call on zeros; what cannot be compiled stays eager."""
        if name not in self._compiled:
            self._compiled[name] = self._compile(getattr(self._eager, name))
        *arguments, named = signature
        try:
            self._compiled[name](*map(_example, arguments), **dict(_example(named) or {}))
        except (RuntimeError, OSError, ImportError) as error:  # torch's compile errors and its out-of-memory
            log.warning("%s stays eager: %s", name, str(error).splitlines()[0] if str(error) else type(error).__name__)
            return False
        return True


def _prepare_torch(folder: Path | None) -> None:
    if folder is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder / "compiled"))
        os.environ.setdefault("TRITON_CACHE_DIR", str(folder / "compiled" / "triton"))
    from torch import _dynamo  # slow to import, and only wanted here

    config: Any = _dynamo.config
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, limit, _MOST_SHAPES)


@contextlib.contextmanager
def _alone(folder: Path | None) -> Iterator[None]:
    """Hold the machine's one compile lock: compilations beside each other would starve the rendering of its CPU."""
    if folder is None or fcntl is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "compile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
