"""How much shall move, a name for a motion bucket; and how little is nearly nothing.

Tested in tests/bot/edge/commands/submission/test_options.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


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


STILL_PERCENT = 0.9
"""of the picture's shorter side: five pixels in a clip of 576 rows, which nobody sees move. Still clips read as 0.5 at
most with noise and flicker (tests/generator/executor/test_motion.py), the demo model's as 0.7 with the motion buckets 0
and 10, as 1.3 and more from 30 on"""


def is_nearly_still(facts: Mapping[str, Any] | None) -> bool:
    """Tell of a finished clip's facts whether hardly anything moves in it; not where that was not measured."""
    moved = (facts or {}).get("motion")
    return isinstance(moved, int | float) and moved < STILL_PERCENT
