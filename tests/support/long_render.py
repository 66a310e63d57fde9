"""How a clip of the demo model is asked for that takes seconds, so that something can happen meanwhile.

Tested in tests/test_end_to_end.py.
"""

from __future__ import annotations

MANY_FRAMES = 20
"""there is one denoising step, whatever is asked; each frame is painted alone, and the card tells how many are done"""
