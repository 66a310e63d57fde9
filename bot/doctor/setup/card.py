"""What the card of this machine means for the setup: the variant and the memory plan that are proposed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from bot.doctor.check import ask_module
from generator.backend.speed import clip_tflop, estimate_clip, rate_from_product, rate_of
from generator.clip import ClipSettings, Quality
from generator.errors import OutOfMemory
from generator.memory import GIB, ClipSize, plan_memory
from generator.variants import Variant


@dataclass(frozen=True, slots=True)
class Card:
    """One graphics card that computes, as torch sees it; `tflops` is what a large product reached on it."""

    name: str
    gib: float
    free_gib: float
    tflops: float = 0.0


def find_cards() -> list[Card]:
    """Return the cards that compute, seen by a child process in which torch runs; none when it cannot run."""
    facts = asyncio.run(ask_module("generator.model.gpu_trial"))
    return cards_in(facts) if isinstance(facts, dict) else []


def cards_in(facts: dict[str, Any]) -> list[Card]:
    """Return the cards of a trial's answer that computed."""
    return [
        Card(str(card["name"]), float(card["gib"]), float(card["free_gib"]), float(card.get("tflops", 0.0)))
        for card in facts.get("cards", [])
        if not card.get("error")
    ]


def propose(cards: list[Card], variant: Variant) -> str:
    """Say which plan `auto` takes for a variant's full clip on the first card, and about how long the clip takes."""
    if not cards:
        return "No graphics card was found that computes: the plan is chosen when there is one. Keep auto."
    card = cards[0]
    seen = f"Found: {card.name}, {card.free_gib:.1f} of {card.gib:.1f} GiB free."
    more = f" It is the first of {len(cards)}; docs/several-cards.md says how to use them all." if cards[1:] else ""
    try:
        plan = plan_memory(int(card.free_gib * GIB), variant, ClipSize(*variant.landscape, variant.frames))
    except OutOfMemory as error:
        remedy = "Close other programs that use it, or choose the variant demo."
        return f"{seen}{more} A clip of {variant.name} {error.text}. {remedy}"
    peak = f"the plan {plan.rung}, at most {plan.peak_bytes / GIB:.1f} GiB"
    return f"{seen}{more} With auto, {variant.name} takes {peak}.{_time(card, variant)} Proposed: auto"


def _time(card: Card, variant: Variant) -> str:
    rate = rate_of(card.name) or (rate_from_product(card.tflops) if card.tflops > 0 else None)
    if rate is None or variant.is_demo:
        return ""
    quality = variant.quality or Quality.QUALITY
    settings = ClipSettings(
        variant=variant.name, frames=variant.frames, quality=quality, steps=variant.usual_steps(quality), seed=0
    )
    found = estimate_clip(rate, clip_tflop(settings, variant.landscape))
    return f" A clip takes about {found.low_s:.0f} to {found.high_s:.0f} s (estimated, not measured)."
