"""Compiled chunk functions: eager until ready, one compilation at a time, and eager for good where one fails."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import torch

from generator.model.lean.chunks import ChunkFunction
from generator.model.lean.compiled import Compiler
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.models import Models, plan


class Recording:
    """Stands in for torch's compiler: counts calls of the compiled functions and can be held or made to fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls = 0
        self.fails = fails
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, function: ChunkFunction) -> ChunkFunction:
        def compiled(*arguments: Any, **named: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                self.may_go_on.wait(10)
            if self.fails:
                raise RuntimeError("cannot compile this")
            self.calls += 1
            return function(*arguments, **named)

        return compiled


WEIGHTS = {
    "norm_out.weight": torch.ones(32),
    "norm_out.bias": torch.zeros(32),
    "conv_out.weight": torch.randn(4, 32, 3, 3),
    "conv_out.bias": torch.zeros(4),
}


def project(compiler: Compiler, frames: int = 2) -> torch.Tensor:
    maps = torch.arange(frames * 16 * 32, dtype=torch.float32).view(frames, 4, 4, 32)
    out: torch.Tensor = compiler.functions.project_out(maps, WEIGHTS, 1e-5)
    return out


def test_it_is_eager_until_compiled_and_then_gives_the_same(tmp_path: Path) -> None:
    recording = Recording()
    recording.may_go_on.clear()
    compiler = Compiler(tmp_path, recording)
    eager = project(compiler)
    compiler.start()
    assert compiler.is_compiling
    assert torch.equal(project(compiler), eager) and recording.calls == 0
    recording.may_go_on.set()
    compiler.wait(10)
    assert torch.equal(project(compiler), eager) and recording.calls == 2  # the trial call and this one


def test_a_shape_not_met_before_is_eager_and_compiled_the_next_time(tmp_path: Path) -> None:
    recording = Recording()
    compiler = Compiler(tmp_path, recording)
    project(compiler)
    compiler.compile_now()
    project(compiler, frames=3)
    assert recording.calls == 1
    compiler.compile_now()
    project(compiler, frames=3)
    assert recording.calls == 3


def test_ready_shapes_stay_compiled_while_a_new_one_is_compiled(tmp_path: Path) -> None:
    recording = Recording()
    compiler = Compiler(tmp_path, recording)
    project(compiler)
    compiler.compile_now()
    project(compiler, frames=3)
    recording.may_go_on.clear()
    compiler.start()
    before = recording.calls
    project(compiler)
    assert compiler.is_compiling and recording.calls == before + 1
    project(compiler, frames=3)
    assert recording.calls == before + 1, "the negative control: the new shape is eager until it is ready"
    recording.may_go_on.set()
    compiler.wait(10)
    project(compiler, frames=3)
    assert recording.calls == before + 3  # the trial call and this one


def test_torch_lets_compiled_code_be_called_while_it_traces_on_another_thread() -> None:
    def trace(function: ChunkFunction) -> ChunkFunction:
        traced: ChunkFunction = torch.compile(function, dynamic=False, fullgraph=True, backend="aot_eager")
        return traced

    compiler = Compiler(compile_function=trace)
    with torch.no_grad():
        eager = project(compiler)
        compiler.compile_now()
        for frames in range(3, 8):
            project(compiler, frames)
        compiler.start()
        calls = 0
        while compiler.is_compiling:
            assert torch.allclose(project(compiler), eager, atol=1e-5)
            calls += 1
    assert calls > 0 and compiler.ready == 6


def test_what_cannot_be_compiled_stays_eager(tmp_path: Path) -> None:
    compiler = Compiler(tmp_path, Recording(fails=True))
    eager = project(compiler)
    compiler.compile_now()
    assert torch.equal(project(compiler), eager)


def test_torch_traces_every_chunk_function_whole_and_they_give_the_same(tmp_path: Path) -> None:
    def trace(function: ChunkFunction) -> ChunkFunction:
        traced: ChunkFunction = torch.compile(function, dynamic=False, fullgraph=True, backend="aot_eager")
        return traced

    compiler = Compiler(compile_function=trace)
    models = Models(Bench(torch.device("cpu"), tiny=True, out=tmp_path), compiler)
    with torch.no_grad():
        step = models.lean_step(plan(2, compiled=True))
        eager = step()
        wanted = compiler.waiting
        compiler.compile_now()
        assert compiler.ready == wanted > 20
        assert torch.allclose(step(), eager, atol=1e-5)
