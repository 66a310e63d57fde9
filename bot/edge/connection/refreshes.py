"""Which waiting cards are edited next, so that a long queue asks no more of Discord than a short one. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bot.edge.connection.pacing import Pace


@dataclass(frozen=True, slots=True)
class WaitingCard:
    """What is known of a waiting job's card."""

    job_id: int
    position: int
    """where the job stands now: 1 is next"""
    shown: int | None
    """the position on the card; None: the card must be written anew, whatever its position"""
    channel_id: int | None
    """None: not known yet"""
    is_resting: bool = False
    """whether it was edited a moment ago"""


def choose_waiting(cards: Iterable[WaitingCard], pace: Pace) -> tuple[list[int], bool]:
    """Return the jobs whose cards to edit in one refresh, and whether others must wait for the next one.

    The most wrong goes first: from 2 to 1 is as far as from 2,000 to 1,000, and much further than from 2,000 to 1,999.
    Among equals the one nearest to its turn goes first.
    """
    wrong = sorted((-_error(card), card.position, card) for card in cards if card.shown != card.position)
    chosen: list[int] = []
    in_channel: Counter[int | None] = Counter()
    for _, _, card in wrong:
        if len(chosen) == pace.most_waiting:
            break
        if not card.is_resting and in_channel[card.channel_id] < pace.most_waiting_in_channel:
            in_channel[card.channel_id] += 1
            chosen.append(card.job_id)
    return chosen, len(chosen) < len(wrong)


def _error(card: WaitingCard) -> float:
    """Return by which factor a card's position is wrong, up or down."""
    if card.shown is None:
        return math.inf
    return max(card.shown / card.position, card.position / card.shown)
