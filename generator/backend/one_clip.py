"""One clip without a bot: prepare a picture and render it, each in a child, as the bot does. Knows no terminal.

Tested in tests/generator/backend/test_one_clip.py and tests/generator/test_main.py.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.backend.backend import ExecutorState
from generator.backend.local_backend import LocalBackend
from generator.clip import ClipSettings
from generator.picture.intake import PictureChild, Prepared
from generator.picture.limits import PictureLimits
from generator.protocol import ExecutorConfig, Phase, Progress, Rendered, RenderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipJob:
    """What one clip is made of, and where it shall lie."""

    picture: Path
    out: Path
    settings: ClipSettings
    max_bytes: int
    config: ExecutorConfig


async def make_clip(job: ClipJob, on_progress: Callable[[Progress], None]) -> Rendered:
    """Return when the clip lies complete at `job.out`. Raises PictureError, a RenderError, or OSError."""

    def show_load(state: ExecutorState, facts: dict[str, Any]) -> None:
        if state is ExecutorState.LOADING:
            on_progress(Progress(Phase.LOAD, int(facts.get("step", 0)), int(facts.get("of", 0))))

    backend = LocalBackend(job.config, slots=1, on_state=show_load)
    with tempfile.TemporaryDirectory(prefix="vivant-") as folder:
        conditioning = Path(folder) / "conditioning.png"
        await backend.start()  # it imports torch while the picture is prepared
        try:
            return await _render(job, backend, conditioning, on_progress)
        finally:
            await backend.close()


async def _render(
    job: ClipJob, backend: LocalBackend, conditioning: Path, on_progress: Callable[[Progress], None]
) -> Rendered:
    prepared = await _prepare(job, conditioning)
    request = RenderRequest(
        job=1,
        attempt=1,
        picture_path=conditioning,
        clip_path=job.out.absolute(),
        settings=dataclasses.replace(job.settings, shape=prepared.shape),
        max_bytes=job.max_bytes,
    )
    rendered = await backend.render(request, on_progress)
    return dataclasses.replace(rendered, notes=prepared.notes + rendered.notes)


async def _prepare(job: ClipJob, conditioning: Path) -> Prepared:
    settings = job.settings
    variant = job.config.variants[settings.variant]
    async with PictureChild(PictureLimits(), children=1) as pictures:
        return await pictures.prepare(job.picture, conditioning, variant, settings.shape, settings.framing)
