"""What the filter held back is kept until it is decided, decided once, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace

from bot.policy.filtering import Guess
from bot.queue.job import NewJob, Route
from bot.queue.servers.reviews import KEPT_DAYS, Review, ReviewState, of_clip, of_picture
from bot.queue.store import JobStore
from generator.clip import ClipSettings
from generator.protocol import Note
from tests.support.jobs import Clock

GUESS = Guess(score=0.93, threshold=0.8, model="OpenNSFW")
ROUTE = Route(application_id=1, channel_id=2, guild_id=3, interaction_token="secret", token_expires_ms=5)


def request(key: str = "17", picture: str = "picture-17.png", user_id: int = 7) -> NewJob:
    return NewJob(
        key=key,
        user_id=user_id,
        route=ROUTE,
        settings=ClipSettings(seed=4711),
        picture=picture,
        share=150,
        notes=(Note("hdr"),),
    )


def asked(**changes: object) -> Review:
    return replace(of_picture(request(), GUESS, ReviewState.ASKED), **changes)  # type: ignore[arg-type]


async def test_a_request_comes_back_as_it_was_without_its_token(store: JobStore) -> None:
    assert await store.reviews.add(asked())
    found = await store.reviews.get("17")
    assert found is not None and (found.score, found.threshold, found.state) == (0.93, 0.8, ReviewState.ASKED)
    tokenless = replace(ROUTE, interaction_token=None, token_expires_ms=None)
    assert found.request == replace(request(), route=tokenless)
    assert not await store.reviews.add(asked(score=0.1))
    assert await store.reviews.get("18") is None


async def test_an_appeal_counts_once(store: JobStore) -> None:
    await store.reviews.add(asked(state=ReviewState.OFFERED))
    assert await store.reviews.without_card() == []
    moved = await store.reviews.appeal("17")
    assert moved is not None and moved.state is ReviewState.ASKED
    assert await store.reviews.appeal("17") is None
    assert [item.key for item in await store.reviews.without_card()] == ["17"]
    await store.reviews.note_card("17", 99)
    assert await store.reviews.without_card() == []


async def test_a_decision_counts_once_and_lets_go_of_the_picture(store: JobStore) -> None:
    await store.reviews.add(asked())
    assert "picture-17.png" in await store.retention.known_files()
    assert await store.reviews.decide("17", allowed=False) == ["picture-17.png"]
    assert await store.reviews.decide("17", allowed=True) == []
    found = await store.reviews.get("17")
    assert found is not None and (found.state, found.picture) == (ReviewState.REFUSED, "")
    assert "picture-17.png" not in await store.retention.known_files()


async def test_the_picture_of_an_allowed_request_belongs_to_its_job(store: JobStore) -> None:
    await store.reviews.add(asked())
    await store.jobs.enqueue(request())
    assert await store.reviews.decide("17", allowed=True) == []
    assert "picture-17.png" in await store.retention.known_files()


async def test_a_picture_that_a_review_needs_stays_when_its_job_is_forgotten(store: JobStore) -> None:
    await store.jobs.enqueue(request(key="1", user_id=8))
    await store.reviews.add(asked())
    assert (await store.retention.forget_user(8)).files == []
    assert (await store.retention.forget_user(7)).files == ["picture-17.png"]
    assert await store.reviews.get("17") is None


async def test_a_server_that_is_forgotten_takes_its_reviews_along(store: JobStore) -> None:
    await store.reviews.add(asked())
    assert (await store.retention.forget_guild(4)).files == []
    assert (await store.retention.forget_guild(3)).files == ["picture-17.png"]


async def test_what_nobody_decides_is_deleted_in_time(store: JobStore, clock: Clock) -> None:
    await store.reviews.add(asked())
    assert await store.retention.sweep() == []
    clock.now_ms += (KEPT_DAYS * 24 + 1) * 3_600_000
    assert await store.retention.sweep() == ["picture-17.png"]
    assert await store.reviews.get("17") is None


async def test_the_review_of_a_clip_goes_with_its_job(store: JobStore) -> None:
    job = await store.jobs.enqueue(request())
    await store.reviews.add(of_clip(job, GUESS, ReviewState.OFFERED))
    assert await store.reviews.get("17-clip") is not None
    await store.jobs.withdraw(job.id)
    assert await store.reviews.get("17-clip") is None
