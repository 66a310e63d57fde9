"""The names of people's pictures, in memory alone: what people sent is known again by them, and no file keeps them."""

from __future__ import annotations

from collections.abc import Iterable

from bot.queue.job import Job

MOST_NAMES = 10_000
"""of all people together; the oldest go first"""


class PictureNames:
    """What each person called a picture. Somebody else's job of the same picture does not learn it."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._names: dict[tuple[int, str], str] = {}

    def note(self, user_id: int, picture: str, name: str) -> None:
        """Keep the name that a person's picture had; `picture` is the conditioning image's name in the spool."""
        self._names.pop((user_id, picture), None)
        self._names[user_id, picture] = name
        while len(self._names) > self._most:
            del self._names[next(iter(self._names))]

    def of(self, job: Job) -> str | None:
        """Return what the job's person called its picture; None when that is not known (any more)."""
        return self._names.get((job.user_id, job.picture))

    def of_all(self, jobs: Iterable[Job]) -> dict[int, str]:
        """Return the names that are known, by the id of the job."""
        return {job.id: name for job in jobs if (name := self.of(job)) is not None}

    def forget(self, user_id: int) -> None:
        """Forget the names that one person gave."""
        self._names = {key: name for key, name in self._names.items() if key[0] != user_id}

    def drop(self, pictures: Iterable[str]) -> None:
        """Forget the names of pictures that are deleted."""
        gone = set(pictures)
        self._names = {key: name for key, name in self._names.items() if key[1] not in gone}
