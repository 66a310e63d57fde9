"""A file whose age tells another process that the bot is connected. Knows no Discord.

Tested in tests/test_end_to_end.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

HEARTBEAT_SECONDS = 10.0
HEALTHY_SECONDS = 30.0


async def keep_heartbeat(data_dir: Path, is_connected: Callable[[], bool]) -> None:
    """Touch the file every ten seconds while the bot is connected, from the event loop: a blocked loop shows too."""
    while True:
        if is_connected():
            _path(data_dir).touch()
        await asyncio.sleep(HEARTBEAT_SECONDS)


def is_healthy(data_dir: Path) -> bool:
    """Tell whether the bot that holds this data folder was connected within the last half minute."""
    with contextlib.suppress(FileNotFoundError):
        return time.time() - _path(data_dir).stat().st_mtime < HEALTHY_SECONDS
    return False


def _path(data_dir: Path) -> Path:
    return data_dir / "connected"
