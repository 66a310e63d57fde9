"""How a post is named and built; the attempts to post are tested in test_delivery.py."""

from __future__ import annotations

import pytest

from bot.edge.posting import clip_name, needs_look_up
from bot.queue.job import Delivery, DeliveryState
from generator.clip import Format


def test_names_and_nonces_are_what_discord_takes() -> None:
    assert clip_name("0539f79b-17", Format.GIF) == "vivant-0539f79b-17.gif"


@pytest.mark.parametrize(
    ("age_seconds", "look"), [(None, False), (0, False), (100, False), (110, True), (10**6, True), (-5, True)]
)
def test_the_history_is_searched_once_the_nonce_may_be_forgotten_or_the_clock_was_set_back(
    age_seconds: int | None, look: bool
) -> None:
    now = 10**12
    first = None if age_seconds is None else now - age_seconds * 1000
    delivery = Delivery(job_id=1, state=DeliveryState.PENDING, nonce="a-1", first_attempt_ms=first)
    assert needs_look_up(delivery, now) is look
