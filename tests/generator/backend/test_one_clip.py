"""What a clip without a bot asks of its two children. With real ones: tests/generator/test_main.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from generator.backend.backend import ExecutorState
from generator.backend.one_clip import ClipJob, make_clip
from generator.clip import ClipSettings, Format, Framing, Shape
from generator.errors import RenderCrashed
from generator.picture.intake import Prepared
from generator.picture.limits import PictureLimits
from generator.protocol import Note, Phase, Progress, Rendered, RenderRequest
from tests.support.local_backend import CONFIG

OnState = Callable[[ExecutorState, dict[str, Any]], None]
FLATTENED, MEMORY = Note("flattened"), Note("memory", {"rung": "split"})


class Pictures:
    """Takes the picture child's part."""

    seen: list[tuple[Any, ...]]

    def __init__(self, limits: PictureLimits, *, children: int) -> None:
        assert (limits, children) == (PictureLimits(), 1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.seen.append(("closed",))

    async def prepare(self, picture: Path, target: Path, *more: object) -> Prepared:
        target.write_bytes(b"framed")
        self.seen.append((picture, *more))
        return Prepared(shape=Shape.SQUARE, width=64, height=64, source_width=9, source_height=9, notes=(FLATTENED,))


class Executor:
    """Takes the executor's part."""

    requests: list[RenderRequest]
    fails: bool
    ended: list[str]

    def __init__(
        self, config: object, *, slots: int, on_state: Callable[[ExecutorState, dict[str, Any]], None]
    ) -> None:
        assert (config, slots) == (CONFIG, 1)
        self._on_state = on_state

    async def start(self) -> None:
        self._on_state(ExecutorState.LOADING, {"step": 1, "of": 3})
        self._on_state(ExecutorState.LOADING, {})
        self._on_state(ExecutorState.READY, {"step": 9, "of": 9})

    async def render(self, request: RenderRequest, on_progress: Callable[[Progress], None]) -> Rendered:
        assert request.picture_path.read_bytes() == b"framed"
        self.requests.append(request)
        on_progress(Progress(Phase.DENOISE, 1, 2))
        if self.fails:
            raise RenderCrashed("no")
        return Rendered(
            clip_path=request.clip_path,
            bytes=5,
            width=64,
            height=64,
            frames=2,
            playback_fps=7.0,
            seconds=1.0,
            notes=(MEMORY,),
        )

    async def close(self) -> None:
        self.ended.append("closed")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_picture_is_framed_then_rendered_in_its_shape_and_both_children_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr("generator.backend.one_clip.PictureChild", Pictures)
    monkeypatch.setattr("generator.backend.one_clip.LocalBackend", Executor)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Pictures, "seen", [], raising=False)
    for name, value in (("requests", []), ("ended", []), ("fails", fails)):
        monkeypatch.setattr(Executor, name, value, raising=False)
    settings = ClipSettings(variant="demo", seed=4, format=Format.GIF, framing=Framing.PAD)
    job = ClipJob(picture=Path("cat.jpg"), out=Path("cat.gif"), settings=settings, max_bytes=77, config=CONFIG)
    told: list[Progress] = []
    if fails:
        with pytest.raises(RenderCrashed):
            await make_clip(job, told.append)
    else:
        rendered = await make_clip(job, told.append)
        assert (rendered.notes, rendered.bytes) == ((FLATTENED, MEMORY), 5)
    variant = CONFIG.variants["demo"]
    assert Pictures.seen == [(Path("cat.jpg"), variant, Shape.AUTO, Framing.PAD), ("closed",)]
    [request] = Executor.requests
    assert replace(request, picture_path=Path("x")) == RenderRequest(
        job=1,
        attempt=1,
        picture_path=Path("x"),
        clip_path=tmp_path / "cat.gif",
        settings=replace(settings, shape=Shape.SQUARE),
        max_bytes=77,
    )
    assert not request.picture_path.exists(), "the folder beside is gone"
    assert told == [Progress(Phase.LOAD, 1, 3), Progress(Phase.LOAD, 0, 0), Progress(Phase.DENOISE, 1, 2)]
    assert Executor.ended == ["closed"]
