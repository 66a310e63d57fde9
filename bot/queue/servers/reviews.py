"""What the picture filter held back, until the moderators have decided: one row each. Knows no Discord.

offered -> asked -> allowed | refused. `offered` is what was refused and may be appealed against. A picture's row owns
its file until it is decided; then it lets go of it, and the job that it becomes owns it.

Tested in tests/bot/queue/servers/test_reviews.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from bot.policy.filtering import Guess
from bot.policy.told import Told
from bot.queue.database import Database, Statements, fetch
from bot.queue.deliveries import Deliveries, revive
from bot.queue.job import Job, NewJob, Source
from bot.queue.rows import notes_from, request_values, route_from, to_text
from generator.clip import ClipSettings

KEPT_DAYS = 7
"""how long moderators may take"""
_COLUMNS = "key, user_id, guild_id, job_id, request, picture, score, threshold, state, message_id"


class ReviewState(StrEnum):
    """Where a review stands."""

    OFFERED = "offered"
    """refused; its person may ask the moderators"""
    ASKED = "asked"
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One picture or clip that was held back."""

    key: str
    user_id: int
    guild_id: int
    state: ReviewState
    score: float
    threshold: float
    job_id: int | None = None
    """whose clip it is; None: it is a picture"""
    request: NewJob | None = None
    """what becomes the job when the picture is allowed"""
    picture: str = ""
    message_id: int | None = None
    """the moderators' card"""


def of_picture(new: NewJob, guess: Guess, state: ReviewState) -> Review:
    """Return the review of a request's picture."""
    assert new.route.guild_id is not None
    return Review(
        key=new.key,
        user_id=new.user_id,
        guild_id=new.route.guild_id,
        state=state,
        score=guess.score,
        threshold=guess.threshold,
        request=new,
        picture=new.picture,
    )


def of_clip(job: Job, guess: Guess, state: ReviewState) -> Review:
    """Return the review of a job's clip."""
    assert job.route.guild_id is not None
    return Review(
        key=clip_key(job),
        user_id=job.user_id,
        guild_id=job.route.guild_id,
        state=state,
        score=guess.score,
        threshold=guess.threshold,
        job_id=job.id,
    )


def clip_key(job: Job) -> str:
    """Return the key of the review of a job's clip."""
    return f"{job.key}-clip"


def _add(db: Statements, review: Review, now_ms: int) -> bool:
    sql = """
        insert into review (key, user_id, guild_id, job_id, request, picture, score, threshold, state, created_ms)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (key) do nothing returning id
    """
    request = None if review.request is None else _request_text(review.request)
    whose = (review.key, review.user_id, review.guild_id, review.job_id, request, review.picture)
    return bool(db.execute(sql, (*whose, review.score, review.threshold, str(review.state), now_ms)).fetchall())


def _request_text(new: NewJob) -> str:
    # Without the interaction's token: it is worth nothing by the time that somebody decides.
    tokenless = replace(new, route=replace(new.route, interaction_token=None, token_expires_ms=None))
    values = request_values(tokenless)
    kept = {name: values[name] for name in ("picture", "route", "settings", "notes", "told")}
    return to_text({**kept, "share": new.share, "of_job": new.of_job, "source": asdict(new.source)})


def _read(db: Statements, where: str, *values: Any) -> list[Review]:
    return [_review(row) for row in db.execute(f"select {_COLUMNS} from review {where}", values).fetchall()]


def _review(row: Sequence[Any]) -> Review:
    key, user_id, guild_id, job_id, request, picture, score, threshold, state, message_id = row
    return Review(
        key=key,
        user_id=user_id,
        guild_id=guild_id,
        job_id=job_id,
        request=None if request is None else _request(key, user_id, json.loads(request)),
        picture=picture,
        score=score,
        threshold=threshold,
        state=ReviewState(state),
        message_id=message_id,
    )


def _request(key: str, user_id: int, kept: dict[str, Any]) -> NewJob:
    return NewJob(
        key=key,
        user_id=user_id,
        route=route_from(kept["route"]),
        settings=ClipSettings.from_json(json.loads(kept["settings"])),
        picture=kept["picture"],
        notes=notes_from(kept["notes"]),
        share=kept["share"],
        of_job=kept["of_job"],
        source=Source(**kept["source"]),
        told=Told.from_json(json.loads(kept.get("told") or "null")),
    )


def _move(db: Statements, key: str, before: ReviewState, after: ReviewState) -> list[Review]:
    sql = "update review set state = ? where key = ? and state = ? returning id"
    moved = db.execute(sql, (str(after), key, str(before))).fetchall()
    return _read(db, "where key = ?", key) if moved else []


def _decide(db: Statements, key: str, allowed: bool) -> list[str]:
    """Return the picture's name when nothing needs its file any more."""
    found = _read(db, "where key = ?", key)
    after = ReviewState.ALLOWED if allowed else ReviewState.REFUSED
    if not found or not _move(db, key, ReviewState.ASKED, after):
        return []
    if allowed and found[0].job_id is not None:
        revive(db, found[0].job_id)
    return let_go(db, [key])


def let_go(db: Statements, keys: Sequence[str]) -> list[str]:
    """Let the rows go of their pictures; return the names that neither a job nor another row needs."""
    names = [review.picture for key in keys for review in _read(db, "where key = ?", key) if review.picture]
    for key in keys:
        db.execute("update review set picture = '', request = null where key = ?", (key,))
    return [name for name in names if not is_needed(db, name)]


def is_needed(db: Statements, picture: str) -> bool:
    """Tell whether a job or a review still needs a picture's file."""
    sql = """
        select 1 from job where picture = :name and picture <> ''
        union all select 1 from review where picture = :name and picture <> '' limit 1
    """  # the indexes leave the empty ones out
    return bool(db.execute(sql, {"name": picture}).fetchall())


def pictures_held(db: Statements) -> set[str]:
    """Return the names of the pictures that wait for a decision."""
    return {name for (name,) in db.execute("select picture from review where picture <> ''").fetchall()}


def delete_reviews(db: Statements, where: str, value: int) -> list[str]:
    """Delete the rows that `where` selects; return the names of the pictures that nothing needs any more."""
    keys = [key for (key,) in db.execute(f"select key from review where {where}", (value,)).fetchall()]
    names = let_go(db, keys)
    for key in keys:
        db.execute("delete from review where key = ?", (key,))
    return names


def delete_old_reviews(db: Statements, now_ms: int) -> list[str]:
    """Delete what nobody decided, or was decided, so long ago; return the pictures that nothing needs any more."""
    return delete_reviews(db, "created_ms < ?", now_ms - KEPT_DAYS * 24 * 3_600_000)


class Reviews:
    """What waits for moderators, and what they have decided."""

    def __init__(self, database: Database, deliveries: Deliveries, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._deliveries = deliveries
        self._now_ms = now_ms

    async def add(self, review: Review) -> bool:
        """Keep it; return False when there is one with this key already."""
        return await self._database.write(_add, review, self._now_ms())

    async def get(self, key: str) -> Review | None:
        """Read one; None when it is not kept."""
        return next(iter(await self._database.read(_read, "where key = ?", key)), None)

    async def appeal(self, key: str) -> Review | None:
        """Ask the moderators about what was refused; None when that was done before, or it is not kept any more."""
        moved = await self._database.write(_move, key, ReviewState.OFFERED, ReviewState.ASKED)
        return next(iter(moved), None)

    async def decide(self, key: str, *, allowed: bool) -> list[str]:
        """Note what the moderators decided, once, and post a clip that they allow; return the files to delete."""
        names = await self._database.write(_decide, key, allowed)
        self._deliveries.wake()
        return names

    async def without_card(self) -> list[Review]:
        """Read those that moderators were to be asked about and have no card: the bot died before it was posted."""
        return await self._database.read(_read, "where state = 'asked' and message_id is null order by id")

    async def note_card(self, key: str, message_id: int) -> None:
        """Note that its card was posted."""
        await self._database.write(fetch, "update review set message_id = ? where key = ?", (message_id, key))
