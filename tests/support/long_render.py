"""How a clip of the demo model is asked for that takes seconds to denoise, so that something can happen meanwhile.

Tested in tests/test_end_to_end.py.
"""

from __future__ import annotations

from generator.variants import BUILT_IN

_WIDTH, _HEIGHT = BUILT_IN["demo"].landscape
MANY_STEPS = max(10, 1_500_000 // (_WIDTH * _HEIGHT))
"""a larger frame's steps take longer each"""
