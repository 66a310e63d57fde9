"""A backend whose clips are signed, the same on every machine: the key never leaves the bot's own.

Tested in tests/generator/video/credentials/test_signer.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from generator.backend.backend import Backend, WrappedBackend
from generator.backend.in_flight import OnProgress
from generator.protocol import Rendered, RenderRequest
from generator.video.credentials.signer import ClipSigner


class SigningBackend(WrappedBackend):
    """Renders with another backend, leaves room for the credentials in the byte budget, and signs what it made."""

    def __init__(self, backend: Backend, signer: ClipSigner) -> None:
        super().__init__(backend)
        self._signer = signer

    async def render(self, request: RenderRequest, on_progress: OnProgress) -> Rendered:
        """Return when the clip lies complete and signed. Raises exactly one RenderError otherwise."""
        budget = self._signer.budget(request.max_bytes)
        rendered = await self._backend.render(replace(request, max_bytes=budget), on_progress)
        try:
            return replace(rendered, bytes=await self._signer.sign(rendered.clip_path))
        except asyncio.CancelledError:
            for path in (rendered.clip_path, rendered.master_path, rendered.frames_path):
                if path is not None:
                    path.unlink(missing_ok=True)
            raise
