"""How much shall move, a name for a motion bucket; and how little is nearly nothing.

Tested in tests/bot/edge/commands/submission/test_options.py, tests/bot/policy/test_remedies.py and
tests/bot/edge/commands/submission/choosing/test_reading.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from generator.clip import ClipSettings


class Motion(StrEnum):
    """How much shall move: a name for a motion bucket."""

    GENTLE = "gentle"
    MEDIUM = "medium"
    STRONG = "strong"
    WILD = "wild"


MOTION_BUCKETS = {Motion.GENTLE: 60, Motion.MEDIUM: 127, Motion.STRONG: 185, Motion.WILD: 230}
"""below 100 the camera hardly moves, 127 is the model's middle, from 180 on it is dramatic"""
_FROM = {Motion.WILD: 230, Motion.STRONG: 180, Motion.MEDIUM: 100}


def level_of(bucket: int) -> Motion:
    """Return the name that comes closest to what a motion bucket does."""
    return next((motion for motion, least in _FROM.items() if bucket >= least), Motion.GENTLE)


WILD_NOISE = 0.1
"""with more noise on the picture the model departs further from it: what cures nearly static clips"""
LIVELY_BUCKET = 190
"""the motion that cures them too: 180 to 200 by the experience of many"""
STILL_PERCENT = 0.9
"""of the picture's shorter side: five pixels in a clip of 576 rows, which nobody sees move. Still clips read as 0.5 at
most with noise and flicker (tests/generator/executor/test_motion.py), the demo model's as 0.2 at most with the motion
buckets 0 and 10, as 0.5 to 1.1 with 30 and as 1.1 and more from 50 on (six photographs)"""


def is_nearly_still(facts: Mapping[str, Any] | None) -> bool:
    """Tell of a finished clip's facts whether hardly anything moves in it; not where that was not measured."""
    moved = (facts or {}).get("motion")
    return isinstance(moved, int | float) and moved < STILL_PERCENT


def liven(settings: ClipSettings, most: Motion | None = None) -> ClipSettings:
    """Return the settings with what cures a still clip, as far as a server that allows `most` lets it."""
    wanted = LIVELY_BUCKET if most is None else min(LIVELY_BUCKET, MOTION_BUCKETS[most])
    noise = max(settings.noise_augmentation, WILD_NOISE)
    return replace(settings, motion_bucket=max(settings.motion_bucket, wanted), noise_augmentation=noise)
