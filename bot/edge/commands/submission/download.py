"""Streams an attachment into the spool, never more than its limit. Attachment links expire, so this is done at once.

Tested in tests/bot/edge/commands/submission/test_submit.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from generator.errors import PictureError, PictureReason

CHUNK_BYTES = 256 * 1024
DOWNLOAD_SECONDS = 60.0


async def download(
    session: aiohttp.ClientSession, url: str, target: Path, max_bytes: int, *, proxy: str | None
) -> None:
    """Write `url` to `target`. Raises PictureError past `max_bytes`, else what aiohttp raises."""
    async with (
        asyncio.timeout(DOWNLOAD_SECONDS),
        session.get(url, proxy=proxy, allow_redirects=False, raise_for_status=True) as response,
    ):
        if response.status != 200:  # a redirect would lead anywhere
            raise aiohttp.ClientError(f"answered with {response.status}")
        written = 0
        with await asyncio.to_thread(target.open, "wb") as file:
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                written += len(chunk)
                if written > max_bytes:
                    raise PictureError(PictureReason.TOO_MANY_BYTES, "more bytes than announced", max_bytes=max_bytes)
                await asyncio.to_thread(file.write, chunk)
