"""Who asks, and when: seeded people in servers, with a night and a day, sessions, and servers that wake at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from bot.queue.job import NewJob, Route
from generator.clip import ClipSettings

HEAVY = 0.02
"""of all people: those who ask for whole series"""
SHARES = ((0.02, 400), (0.07, 200), (1.0, 100))
"""up to that part of all people: their share, as a role weight gives it"""
PEAK_TO_MEAN = 1.7
"""how many times the mean rate comes at the busiest hour; at the quietest the rest"""
WAKES = 12
"""how often in the run a whole server is called together"""
STEPS = ((0.2, 10), (0.5, 15), (1.0, 25))
"""up to that part of all requests: their denoising steps"""
VARIANTS = (("svd", 14, 0.2), ("svd-xt", 25, 1.0))


@dataclass(frozen=True, slots=True)
class Person:
    """One person, who always asks in the same channel."""

    id: int
    server: int
    channel: int
    share: int
    is_heavy: bool
    appetite: float
    """how much they ask for beside others"""
    peak: float
    """the busiest moment of their day, as a part of the run"""


def make_people(count: int, rng: Random) -> list[Person]:
    """Return people in servers of very different sizes."""
    servers = max(1, count // 60)
    sizes = [1 / rank for rank in range(1, servers + 1)]
    homes = rng.choices(range(servers), sizes, k=count)
    return [_person(number, home, rng) for number, home in enumerate(homes, start=1)]


def _person(number: int, server: int, rng: Random) -> Person:
    is_heavy = rng.random() < HEAVY
    appetite = rng.lognormvariate(0, 0.8) * (12 if is_heavy else 1)
    return Person(
        id=number,
        server=server + 1,
        channel=(server + 1) * 10 + rng.randrange(3),
        share=_pick(SHARES, rng),
        is_heavy=is_heavy,
        appetite=appetite,
        peak=rng.gauss(0.8, 0.08),
    )


def _pick(table: tuple[tuple[float, int], ...], rng: Random) -> int:
    drawn = rng.random()
    return next(value for bound, value in table if drawn <= bound)


def make_requests(people: list[Person], count: int, run_ms: int, rng: Random) -> list[tuple[int, Person]]:
    """Return about `count` requests with their times in milliseconds, in order."""
    each = count / sum(person.appetite for person in people)
    found = [request for person in people for request in _of_day(person, each * person.appetite, run_ms, rng)]
    for _ in range(WAKES):
        found += _of_wake(rng.choice(people).server, people, run_ms, rng)
    return sorted(((at, person) for at, person in found if at < run_ms), key=lambda item: (item[0], item[1].id))


def _of_day(person: Person, mean: float, run_ms: int, rng: Random) -> Iterator[tuple[int, Person]]:
    """Yield one person's requests: sessions of a few, or of many, at hours that suit them."""
    left = _poisson(mean, rng)
    while left > 0:
        at = _moment(person.peak, rng) * run_ms
        for _ in range(min(left, rng.randint(4, 25) if person.is_heavy else rng.randint(1, 3))):
            yield int(at), person
            at += rng.expovariate(1 / 8_000 if person.is_heavy else 1 / 45_000)
            left -= 1


def _of_wake(server: int, people: list[Person], run_ms: int, rng: Random) -> Iterator[tuple[int, Person]]:
    """Yield what a server asks within ten minutes of being called together."""
    begins = _moment(0.8, rng) * run_ms
    for person in people:
        if person.server == server and rng.random() < 0.3:
            yield int(begins + rng.random() * 600_000), person


def _moment(peak: float, rng: Random) -> float:
    """Return a moment of the run, more often near the peak: a cosine over the day."""
    while True:
        at = rng.random()
        if rng.random() * PEAK_TO_MEAN <= 1 + (PEAK_TO_MEAN - 1) * math.cos(2 * math.pi * (at - peak)):
            return at


def _poisson(mean: float, rng: Random) -> int:
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    bound, product, count = math.exp(-mean), rng.random(), 0
    while product > bound:
        product *= rng.random()
        count += 1
    return count


def new_request(number: int, person: Person, now_ms: int, rng: Random) -> NewJob:
    """Return a request as the bot makes one."""
    variant, frames, _ = next(item for item in VARIANTS if rng.random() <= item[2])
    route = Route(
        application_id=1 << 60,
        channel_id=person.channel,
        guild_id=person.server,
        interaction_token="t" * 180,
        token_expires_ms=now_ms + 900_000,
    )
    return NewJob(
        key=f"{number:019d}",
        user_id=person.id,
        route=route,
        settings=ClipSettings(variant=variant, frames=frames, steps=_pick(STEPS, rng), seed=number),
        picture=f"picture-{number:019d}.png",
        share=person.share,
        card_message_id=number << 22,
    )
