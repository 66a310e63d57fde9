"""A backend that makes longer clips: it has the continuation rendered, and joins it with what it continues.

Tested in tests/bot/edge/commands/finished/test_extending.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from generator.backend.backend import Backend, WrappedBackend
from generator.backend.in_flight import OnProgress
from generator.clip import Format, Loop
from generator.memory import GIB
from generator.protocol import Rendered, RenderRequest, before_path
from generator.video.clip_file import EncodedClip, Joining

Join = Callable[[Joining], Awaitable[EncodedClip]]
"""Raises RenderError"""


class JoiningBackend(WrappedBackend):
    """Renders with another backend. What continues nothing passes through as it is."""

    def __init__(self, backend: Backend, join: Join) -> None:
        super().__init__(backend)
        self._join = join

    async def render(self, request: RenderRequest, on_progress: OnProgress) -> Rendered:
        """Return when the whole clip lies complete. Raises exactly one RenderError otherwise."""
        settings = request.settings
        if not settings.seams or settings.drafts:
            return await self._backend.render(replace(request, settings=replace(settings, seams=())), on_progress)
        plain = replace(settings, seams=(), format=Format.MP4, loop=Loop.NONE, smooth=False)
        part = request.clip_path.with_name(f"{request.clip_path.stem}-part.mp4")
        frames = request.clip_path.with_name(f"{request.clip_path.stem}-frames.mp4")
        asked = replace(request, settings=plain, clip_path=part, max_bytes=GIB, master_path=None, frames_path=None)
        try:
            rendered = await self._backend.render(asked, on_progress)
            clip = await self._join(
                Joining(
                    before=before_path(request.picture_path),
                    source=part,
                    frames=frames,
                    target=request.clip_path,
                    settings=settings,
                    max_bytes=request.max_bytes,
                )
            )
        finally:
            part.unlink(missing_ok=True)
        return replace(
            rendered,
            clip_path=clip.path,
            bytes=clip.bytes,
            frames=clip.frames,
            playback_fps=clip.playback_fps,
            width=clip.width,
            height=clip.height,
            frames_path=clip.frames_path,
            notes=rendered.notes + clip.notes,
        )
