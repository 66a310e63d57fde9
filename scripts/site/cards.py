"""The table of graphics cards: what fits, about how long a clip takes, and which torch runs it.

Tested in tests/test_written.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.doctor.torch_builds import GENERATIONS, build_for
from generator.backend.speed import clip_tflop, estimate_clip, rate_of
from generator.clip import ClipSettings
from generator.memory import BESIDE_TORCH_GIB, GIB, ClipSize, plan_memory
from generator.variants import BUILT_IN
from scripts.site.written import row


@dataclass(frozen=True)
class Card:
    """A card that people have. `rated` is its name in the table of rates."""

    generation: str
    name: str
    gib: int
    rated: str = ""


CARDS = (
    Card("Pascal", "GTX 1060", 6),
    Card("Pascal", "GTX 1070, GTX 1080", 8),
    Card("Pascal", "GTX 1080 Ti", 11),
    Card("Pascal", "Tesla P40", 24),
    Card("Volta", "Tesla V100", 16, "V100"),
    Card("Turing", "GTX 1650", 4),
    Card("Turing", "RTX 2060", 6),
    Card("Turing", "RTX 2070, RTX 2080", 8),
    Card("Turing", "RTX 2080 Ti", 11),
    Card("Turing", "T4", 16, "T4"),
    Card("Ampere", "RTX 3060", 12, "RTX 3060"),
    Card("Ampere", "RTX 3070", 8, "RTX 3070"),
    Card("Ampere", "RTX 3080", 10, "RTX 3080"),
    Card("Ampere", "RTX 3090", 24, "RTX 3090"),
    Card("Ampere", "A100", 40, "A100"),
    Card("Ada", "RTX 4060", 8, "RTX 4060"),
    Card("Ada", "RTX 4070", 12, "RTX 4070"),
    Card("Ada", "RTX 4080", 16, "RTX 4080"),
    Card("Ada", "RTX 4090", 24, "RTX 4090"),
    Card("Ada", "L4", 24, "L4"),
    Card("Hopper", "H100", 80, "H100"),
    Card("Blackwell", "RTX 5070", 12, "RTX 5070"),
    Card("Blackwell", "RTX 5080", 16, "RTX 5080"),
    Card("Blackwell", "RTX 5090", 32, "RTX 5090"),
)


def card_table() -> str:
    """Return the table."""
    head = row("generation", "card", "memory", "plan for SVD-XT", "a clip, estimated", "PyTorch for")
    return "\n".join([head, "|---|---|---|---|---|---|", *map(_row, CARDS)])


def _row(card: Card) -> str:
    return row(card.generation, card.name, f"{card.gib} GB", f"`{rung_of(card)}`", _time(card), f"CUDA {cuda_of(card)}")


def rung_of(card: Card) -> str:
    """Return the memory plan that a card gets while nothing else uses it but a desktop."""
    variant = BUILT_IN["svd-xt"]
    size = ClipSize(*variant.landscape, variant.frames)
    return plan_memory(int((card.gib - BESIDE_TORCH_GIB) * GIB), variant, size).rung


def cuda_of(card: Card) -> str:
    """Return the newest CUDA whose torch knows every card of its generation. Raises LookupError when none does."""
    builds = {build.cuda for one in GENERATIONS[card.generation] if (build := build_for(one))}
    if len(builds) != 1:
        raise LookupError(card.generation)
    return builds.pop()


def _time(card: Card) -> str:
    rate = rate_of(card.rated) if card.rated else None
    if rate is None:
        return "no estimate"
    variant = BUILT_IN["svd-xt"]
    time = estimate_clip(rate, clip_tflop(ClipSettings(variant="svd-xt", frames=variant.frames), variant.landscape))
    return f"{time.low_s:.0f} to {time.high_s:.0f} s"
