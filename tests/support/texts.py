"""Jobs and errors for the tests of what people read."""

from __future__ import annotations

from typing import Any

from bot.queue.job import Job, JobState, Route
from generator.clip import ClipSettings
from generator.errors import (
    BadFrames,
    EncodingFailed,
    ExecutorLost,
    RenderError,
    WeightsUnavailable,
)

SECRET = "Traceback: torch.cuda exploded at /srv/secret.py:17"


def make_job(state: JobState = JobState.QUEUED, **more: Any) -> Job:
    values: dict[str, Any] = {
        "id": 17,
        "key": "k",
        "user_id": 42,
        "route": Route(application_id=1, channel_id=2, guild_id=3),
        "settings": ClipSettings(seed=7),
        "picture": "picture-k.png",
        "state": state,
        "attempt": 0,
    }
    return Job(**(values | more))


def render_errors() -> list[RenderError]:
    plain = [kind(SECRET) for kind in RenderError.__subclasses__()]
    return [
        *plain,
        *(BadFrames(SECRET, kind=kind) for kind in ("nan", "black", "frozen", "strobing", "new")),
        *(WeightsUnavailable(SECRET, why=why) for why in ("missing", "gated", "offline", "damaged", "new")),
        *(EncodingFailed(SECRET, why=why) for why in ("ffmpeg-missing", "ffmpeg-failed", "budget", "new")),
        *(ExecutorLost(SECRET, cause=cause) for cause in ("exit", "signal", "stall", "garbage", "new")),
    ]
