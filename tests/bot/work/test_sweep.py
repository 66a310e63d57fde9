"""Retention by the hour, on a running bot."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bot.sandbox.server import Sandbox
from bot.work.sweep import sweep_hourly
from tests.support.edge import running_edge


class Enough(Exception):
    """Ends a test's bot."""


async def test_every_hour_old_clips_and_files_without_a_row_go(tmp_path: Path) -> None:
    rests: list[float] = []
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox) as edge:
        await edge.animate()
        await edge.delivered()

        async def pass_a_day(seconds: float) -> None:
            rests.append(seconds)
            if len(rests) == 2:
                raise Enough
            assert edge.spool.path("1-1.mp4").is_file()
            edge.clock.ahead_ms += 25 * 3_600_000
            for name, age in (("1-1-8388608.mp4", 0), ("9-9.mp4", 7200), ("picture-new.png", 0)):
                (tmp_path / "spool" / name).touch()
                os.utime(tmp_path / "spool" / name, (time.time() - age,) * 2)

        with pytest.raises(Enough):
            await sweep_hourly(edge.store, edge.spool, edge.services.config.retention, pass_a_day)
        assert [path.name for path in edge.spool.folder.iterdir()] == ["picture-new.png"]
    assert rests == [3600, 3600]
