"""Records as the columns hold them."""

from __future__ import annotations

import json
from contextlib import closing

from bot.queue import fair_queue
from bot.queue.job import Limits
from bot.queue.rows import notes_from, notes_text, select_jobs
from generator.protocol import Note
from generator.variants import BUILT_IN
from tests.support.jobs import in_memory, new_job


def test_notes_come_back_as_they_were_written() -> None:
    notes = (Note("flattened"), Note("shrunk", {"width": 512, "why": "Größe"}))
    assert notes_from(notes_text(notes)) == notes


def test_a_key_in_the_route_of_another_version_is_ignored() -> None:
    new = new_job()
    with closing(in_memory()) as db:
        fair_queue.enqueue(db, new, Limits(), BUILT_IN, 0)
        [(text,)] = db.execute("select route from job").fetchall()
        db.execute("update job set route = ?", (json.dumps(json.loads(text) | {"from_the_future": 1}),))

        [job] = select_jobs(db, "")

    assert job.route == new.route
