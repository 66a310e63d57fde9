"""How a post is named and built; the attempts to post are tested in test_delivery.py."""

from __future__ import annotations

from dataclasses import replace

import discord
import pytest

from bot.edge.posting import LOOK_BEFORE_MS, clip_name, needs_look_up, search_from
from bot.queue.job import Delivery, DeliveryState, Job, JobState, Route
from generator.clip import ClipSettings, Format


def test_names_and_nonces_are_what_discord_takes() -> None:
    assert clip_name("0539f79b-17", Format.GIF) == "vivant-0539f79b-17.gif"


def job_with(card: int | None, key: str) -> Job:
    return Job(
        id=1,
        key=key,
        user_id=7,
        route=Route(application_id=1, channel_id=2),
        settings=ClipSettings(),
        picture="p.png",
        state=JobState.RENDERED,
        attempt=1,
        card_message_id=card,
    )


def at(ms: int) -> int:
    """Return the smallest id that Discord gives at a time."""
    return (ms - discord.utils.DISCORD_EPOCH) << 22


NOW_MS = 1_800_000_000_000
TOO_EARLY = at(NOW_MS - LOOK_BEFORE_MS)


@pytest.mark.parametrize(
    ("card", "key", "starts"),
    [
        (at(NOW_MS - 3_600_000), "1", [TOO_EARLY, at(NOW_MS - 3_600_000)]),  # asked an hour before: or a clock ahead
        (at(NOW_MS + 3_600_000), "1", [at(NOW_MS + 3_600_000)]),  # the clock was behind at the first attempt
        (None, str(at(NOW_MS + 3_600_000)), [at(NOW_MS + 3_600_000)]),
        (None, "no-id", [TOO_EARLY]),
    ],
)
def test_the_history_is_searched_from_the_first_attempt_and_from_discords_own_times(
    card: int | None, key: str, starts: list[int]
) -> None:
    delivery = Delivery(job_id=1, state=DeliveryState.PENDING, nonce="a-1", first_attempt_ms=NOW_MS)
    assert search_from(job_with(card, key), delivery) == starts


@pytest.mark.parametrize(
    ("wall", "elapsed", "look"),
    [
        (0, 0, False),
        (100, 100, False),
        (110, 110, True),
        (10**6, 10**6, True),
        (-5, 1, True),  # the clock was set back
        (-(10**6), 10**6, True),
        (10**6, 1, True),  # the machine was paused, and told the time afterwards
        (1, 110, True),  # the clock was set back by as much as has passed
        (1, None, True),  # another process tried first
    ],
)
def test_the_history_is_searched_unless_every_clock_says_that_the_nonce_is_fresh(
    wall: int, elapsed: int | None, look: bool
) -> None:
    delivery = Delivery(
        job_id=1,
        state=DeliveryState.PENDING,
        nonce="a-1",
        may_have_arrived=True,
        first_attempt_ms=NOW_MS - wall * 1000,
        first_attempt_age_ms=None if elapsed is None else elapsed * 1000,
    )
    assert needs_look_up(delivery, NOW_MS) is look
    assert not needs_look_up(replace(delivery, may_have_arrived=False), NOW_MS)
