"""How records lie in the database: a row becomes a Job, a Job's parts become JSON. Knows no statements."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from bot.queue.job import Delivery, DeliveryState, Job, JobState, Route
from generator.clip import ClipSettings
from generator.protocol import Note

JOB_COLUMNS = (
    "id, key, user_id, state, attempt, cost_ms, cancel_requested, card_message_id, created_ms, started_ms, "
    "finished_ms, picture, clip, master, route, settings, notes, failure, facts"
)
DELIVERY_COLUMNS = "job_id, state, attempts, next_ms, first_try_ms, message_id, error"

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_ROUTE_FIELDS = tuple(field.name for field in dataclasses.fields(Route))
_SETTINGS_FIELDS = tuple(field.name for field in dataclasses.fields(ClipSettings))


def to_text(value: Any) -> str:
    """Give compact JSON for a column."""
    return _ENCODER.encode(value)


def route_text(route: Route) -> str:
    """Give a route's column."""
    return to_text({name: getattr(route, name) for name in _ROUTE_FIELDS})


def settings_text(settings: ClipSettings) -> str:
    """Give the settings' column."""
    # Not to_json, whose asdict copies every value: a third of an enqueue's time. All values are plain here.
    return to_text({name: getattr(settings, name) for name in _SETTINGS_FIELDS})


def notes_text(notes: Iterable[Note]) -> str:
    """Give the notes' column."""
    return to_text([[note.kind, note.data] for note in notes])


def notes_from(text: str) -> tuple[Note, ...]:
    """Read the notes' column."""
    return tuple(Note(kind, data) for kind, data in json.loads(text))


def job_from(row: Sequence[Any]) -> Job:
    """Read a row of JOB_COLUMNS. A key that a newer version added to the route is ignored."""
    route = {name: value for name, value in json.loads(row[14]).items() if name in _ROUTE_FIELDS}
    return Job(
        id=row[0],
        key=row[1],
        user_id=row[2],
        state=JobState(row[3]),
        attempt=row[4],
        cost_ms=row[5],
        cancel_requested=bool(row[6]),
        card_message_id=row[7],
        created_ms=row[8],
        started_ms=row[9],
        finished_ms=row[10],
        picture=row[11],
        clip=row[12],
        master=row[13],
        route=Route(**route),
        settings=ClipSettings.from_json(json.loads(row[15])),
        notes=notes_from(row[16]),
        failure=None if row[17] is None else json.loads(row[17]),
        facts=None if row[18] is None else json.loads(row[18]),
    )


def delivery_from(row: Sequence[Any], instance: str) -> Delivery:
    """Read a row of DELIVERY_COLUMNS; `instance` tells this database's nonces from another's."""
    return Delivery(
        job_id=row[0],
        state=DeliveryState(row[1]),
        nonce=f"{instance}-{row[0]}",
        attempts=row[2],
        next_ms=row[3],
        first_try_ms=row[4],
        message_id=row[5],
        error=row[6],
    )
