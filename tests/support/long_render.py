"""How a clip of the demo model is asked for that takes seconds to denoise, so that something can happen meanwhile.

Tested in tests/test_end_to_end.py.
"""

from __future__ import annotations

from generator.clip import Quality
from generator.variants import BUILT_IN

MANY_STEPS = max(8, 4 * BUILT_IN["demo"].usual_steps(Quality.FAST))
"""a model that is made for one step has large steps: eight of them take seconds, too"""
