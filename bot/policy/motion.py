"""How much shall move: a name for a motion bucket.

Tested in tests/bot/edge/commands/submission/test_options.py.
"""

from __future__ import annotations

from enum import StrEnum


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
