"""How jobs lie in the database: a row becomes a Job, and a request or an outcome becomes the values of columns."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.policy.told import NOTHING_TOLD, Told
from bot.queue.database import Statements
from bot.queue.job import Job, JobState, NewJob, Outcome, Route
from generator.clip import ClipSettings
from generator.errors import SettingsError
from generator.protocol import Note

JOB_COLUMNS = (
    "id, key, user_id, state, attempt, cancel_requested, card_message_id, "
    "picture, clip, master, route, settings, notes, failure, facts, told, of_job"
)

log = logging.getLogger(__name__)

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_ROUTE_FIELDS = tuple(field.name for field in dataclasses.fields(Route))
_SETTINGS_FIELDS = tuple(field.name for field in dataclasses.fields(ClipSettings))


def to_text(value: Any) -> str:
    """Return compact JSON for a column."""
    return _ENCODER.encode(value)


def request_values(new: NewJob) -> dict[str, Any]:
    """Return what a request brings into a row, by SQL parameter."""
    return {
        "picture": new.picture,
        "route": to_text({name: getattr(new.route, name) for name in _ROUTE_FIELDS}),
        # Not to_json, whose asdict copies every value: a third of an enqueue's time. All values are plain here.
        "settings": to_text({name: getattr(new.settings, name) for name in _SETTINGS_FIELDS}),
        "notes": notes_text(new.notes),
        "card": new.card_message_id,
        "told": None if new.told == NOTHING_TOLD else to_text(dataclasses.asdict(new.told)),
        "of_job": new.of_job,
    }


def outcome_values(job: Job, outcome: Outcome) -> dict[str, Any]:
    """Return what the end of an attempt brings into a row, by SQL parameter."""
    return {
        "state": str(outcome.state),
        "clip": outcome.clip,
        "master": outcome.master,
        "facts": None if outcome.facts is None else to_text(outcome.facts),
        "failure": None if outcome.failure is None else to_text(outcome.failure),
        "notes": notes_text((*job.notes, *outcome.notes)),
    }


def notes_text(notes: Iterable[Note]) -> str:
    """Return the text for the column of the notes."""
    return to_text([[note.kind, note.data] for note in notes])


BY_MODERATOR = 2
"""in the column cancel_requested, where 1 is the person themselves; not who it was, which nobody needs to know"""


def notes_from(text: str) -> tuple[Note, ...]:
    """Read the column of the notes."""
    return tuple(Note(kind, data) for kind, data in json.loads(text))


class Unreadable(Exception):
    """The row of a job holds what this version does not understand."""

    def __init__(self, job_id: int, why: Exception) -> None:
        super().__init__(f"job {job_id} cannot be read: {type(why).__name__}: {why}")
        self.job_id = job_id


def job_from(row: Sequence[Any]) -> Job:
    """Read a row of JOB_COLUMNS. A key in the route that this version does not know is ignored. Raises Unreadable."""
    try:
        return Job(
            id=row[0],
            key=row[1],
            user_id=row[2],
            state=JobState(row[3]),
            attempt=row[4],
            cancel_requested=bool(row[5]),
            by_moderator=row[5] == BY_MODERATOR,
            card_message_id=row[6],
            picture=row[7],
            clip=row[8],
            master=row[9],
            route=route_from(row[10]),
            settings=ClipSettings.from_json(json.loads(row[11])),
            notes=_known_notes(row[12]),
            failure=_object_from(row[13]),
            facts=_object_from(row[14]),
            told=Told.from_json(_object_from(row[15])),
            of_job=row[16],
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, SettingsError) as error:
        raise Unreadable(row[0], error) from error


def route_from(text: str) -> Route:
    """Read the column of the route. Raises what `Unreadable` stands for."""
    route = Route(**{name: value for name, value in json.loads(text).items() if name in _ROUTE_FIELDS})
    if not all(isinstance(number, int) for number in (route.application_id, route.channel_id, route.guild_id or 0)):
        raise TypeError("an id in the route is no number")
    return route


def _known_notes(text: str) -> tuple[Note, ...]:
    notes = notes_from(text)
    if not all(isinstance(note.kind, str) and isinstance(note.data, dict) for note in notes):
        raise TypeError("a note is no kind with its data")
    return notes


def _object_from(text: str | None) -> dict[str, Any] | None:
    found = None if text is None else json.loads(text)
    if found is not None and not isinstance(found, dict):
        raise TypeError("no JSON object")
    return found


def readable_part(name: str, text: str) -> str | None:
    """Return the text of the column `route` or `settings` when it can be read by itself, else None."""
    try:
        route_from(text) if name == "route" else ClipSettings.from_json(json.loads(text))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, SettingsError):
        return None
    return text


def select_jobs(db: Statements, tail: str, parameters: Mapping[str, Any] | None = None) -> list[Job]:
    """Read the jobs that `tail` selects: the text behind "from job". What cannot be read is left out."""
    found = []
    for row in db.execute(f"select {JOB_COLUMNS} from job {tail}", parameters or {}).fetchall():
        try:
            found.append(job_from(row))
        except Unreadable as error:
            log.debug("%s", error)
    return found
