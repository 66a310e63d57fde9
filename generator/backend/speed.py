"""How long a clip takes on a card that has made none yet: its operations over the card's rate, as a range. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from generator.clip import ClipSettings

# Counted on torch's meta device for 25 frames of 1024x576 (`tests/benchmarks/counting.py`, docs/performance.md): a clip
# of 25 steps with guidance takes 4036 TFLOP, of which the decode 173.6 and the conditioning 3.
_CLIP_TFLOP, _DECODE_TFLOP, _PREPARE_TFLOP = 4036.0, 173.6, 3.0
_STEP_TFLOP = (_CLIP_TFLOP - _DECODE_TFLOP - _PREPARE_TFLOP) / 25

_BEST_SHARE, _WORST_SHARE = 0.5, 0.15
"""of its rate that a card may reach over a clip: an H200 was measured at 0.40 of 989, an H100 at 0.38, no other card"""

_PRODUCT_SHARE = 0.72
"""of its rate that a large product reaches: 710 of 989 on an H200"""

# Nominal dense half-precision TFLOP/s with single-precision sums. Only those of the H100 and H200 were compared with a
# measurement; the others are not checked against NVIDIA's data sheets yet. GeForce cards reach twice that with
# half-precision sums.
RATES: dict[str, float] = {
    "H200": 989, "H100": 989, "H100 NVL": 835, "H100 PCIe": 756, "A100": 312, "L40S": 362, "L4": 121, "A10": 125,
    "A40": 150, "RTX A6000": 155, "RTX 6000 Ada Generation": 364, "T4": 65, "V100": 125,
    "RTX 5090": 209, "RTX 5080": 113, "RTX 5070 Ti": 88, "RTX 5070": 62,
    "RTX 4090": 165, "RTX 4080": 97, "RTX 4070 Ti": 80, "RTX 4070": 58, "RTX 4060 Ti": 44, "RTX 4060": 30,
    "RTX 3090 Ti": 80, "RTX 3090": 71, "RTX 3080 Ti": 68, "RTX 3080": 60, "RTX 3070 Ti": 44, "RTX 3070": 41,
    "RTX 3060 Ti": 32, "RTX 3060": 26,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClipTime:
    """An estimate of a clip's seconds, from picture to frames."""

    low_s: float
    high_s: float


def clip_tflop(settings: ClipSettings, size: tuple[int, int]) -> float:
    """Return a clip's operations in TFLOP, for a size in pixels: proportional to its pixels, frames and steps."""
    part = settings.frames / 25 * size[0] * size[1] / (1024 * 576)
    step = _STEP_TFLOP if settings.max_guidance > 1 else _STEP_TFLOP / 2
    return (settings.steps * step + _DECODE_TFLOP) * part + _PREPARE_TFLOP


def rate_of(card: str) -> float | None:
    """Return the TFLOP/s of a card by the name that torch gives it; None when it is not in the table.

    A laptop's card and a part of a card (MIG) have another rate than the card whose name they carry.
    """
    name = re.sub(r"^\s*(NVIDIA\s+)?((GeForce|Tesla)\s+)?", "", card, flags=re.I).strip()
    for known in sorted(RATES, key=len, reverse=True):
        if re.fullmatch(re.escape(known) + r"([ -](SXM\d*|PCIe|\d+GB|HBM\w*))*", name, re.I):
            return RATES[known]
    return None


def rate_from_product(measured: float) -> float:
    """Return the rate of a card that is not in the table from that of a large product on it, both in TFLOP/s."""
    return measured / _PRODUCT_SHARE


def estimate_clip(rate: float, tflop: float) -> ClipTime:
    """Return in how many seconds a card of `rate` TFLOP/s may do it. Raises ValueError unless both are above zero."""
    if not (rate > 0 and tflop > 0):
        raise ValueError(f"a rate and an amount of work are more than nothing, not {rate} and {tflop}")
    return ClipTime(tflop / (rate * _BEST_SHARE), tflop / (rate * _WORST_SHARE))
