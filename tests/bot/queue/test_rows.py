"""Records as the columns hold them."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import fields, replace

import pytest

from bot.policy.told import Told
from bot.queue import fair_queue
from bot.queue.job import JobState, Limits, NewJob, Outcome, Route
from bot.queue.life import attempts
from bot.queue.rows import Unreadable, job_from, notes_from, notes_text, readable_part, select_jobs
from generator.clip import ClipSettings, Format, Loop
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


FULL = NewJob(
    key="a key",
    user_id=7,
    route=Route(
        application_id=11,
        channel_id=12,
        guild_id=13,
        interaction_token="a token",
        token_expires_ms=14,
        can_post=False,
        max_bytes=15,
        spoiler=True,
        language="de",
        own_language="ja",
    ),
    settings=ClipSettings(variant="demo", seed=5, steps=9, format=Format.GIF, loop=Loop.BOOMERANG),
    picture="picture.png",
    notes=(Note("flattened", {"a": 1}),),
    card_message_id=16,
    told=Told(chosen=("motion", "seed"), description="A cat ✨"),
)


def test_every_field_comes_back_as_it_was_written() -> None:
    optional = [field for field in fields(Route) if field.name not in ("application_id", "channel_id")]
    assert all(getattr(FULL.route, field.name) != field.default for field in optional), "nothing here is a default"
    outcome = Outcome(
        state=JobState.FAILED,
        clip="1-1.gif",
        master="1-1-master.gif",
        facts={"bytes": 5},
        notes=(Note("shrunk"),),
        failure={"code": "bad-frames"},
    )
    with closing(in_memory()) as db:
        fair_queue.enqueue(db, new_job(8), Limits(), BUILT_IN, 0)
        queued = fair_queue.enqueue(db, FULL, Limits(), BUILT_IN, 0)
        for name in ("key", "user_id", "route", "settings", "picture", "notes", "card_message_id", "told"):
            assert getattr(queued, name) == getattr(FULL, name)
        assert (queued.state, queued.attempt, queued.id) == (JobState.QUEUED, 0, 2)
        assert select_jobs(db, "where id = :id", {"id": 2}) == [queued]
        assert fair_queue.enqueue(db, FULL, Limits(), BUILT_IN, 0) == queued, "the same request again"

        claimed = [fair_queue.claim(db, Limits(), 5) for _ in range(2)]
        running = replace(queued, state=JobState.RUNNING, attempt=1)
        assert running in claimed
        assert attempts.settle(db, running, outcome, 6) is JobState.FAILED
        settled = replace(
            running,
            state=JobState.FAILED,
            clip="1-1.gif",
            master="1-1-master.gif",
            facts={"bytes": 5},
            notes=(*FULL.notes, Note("shrunk")),
            failure={"code": "bad-frames"},
        )
        assert select_jobs(db, "where id = 2") == [settled]


def test_what_an_end_leaves_open_is_null_in_its_columns() -> None:
    with closing(in_memory()) as db:
        fair_queue.enqueue(db, new_job(), Limits(), BUILT_IN, 0)
        job = fair_queue.claim(db, Limits(), 5)
        assert job is not None
        attempts.settle(db, job, Outcome(state=JobState.CANCELLED), 6)
        columns = "state, clip, master, facts, failure, notes, finished_ms, cancel_requested"
        [row] = db.execute(f"select {columns} from job").fetchall()
        assert row == ("cancelled", None, None, None, None, "[]", 6, 0)


@pytest.mark.parametrize(
    "change", [{"application_id": "a"}, {"channel_id": None}, {"guild_id": "general"}, {"guild_id": 1.5}]
)
def test_an_id_in_the_route_that_is_no_number_makes_the_row_unreadable(change: dict[str, object]) -> None:
    with closing(in_memory()) as db:
        fair_queue.enqueue(db, FULL, Limits(), BUILT_IN, 0)
        [(text,)] = db.execute("select route from job").fetchall()
        for route, is_readable in ((text, True), (json.dumps(json.loads(text) | change), False)):
            assert readable_part("route", route) == (route if is_readable else None)
            db.execute("update job set route = ?", (route,))
            assert [job.id for job in select_jobs(db, "")] == ([1] if is_readable else [])


def test_who_meets_an_unreadable_row_is_told_its_job() -> None:
    with pytest.raises(Unreadable) as met:
        job_from([47, *["spoilt"] * 14])
    assert met.value.job_id == 47


def test_the_settings_and_the_route_are_each_readable_by_themselves() -> None:
    settings = json.dumps({"steps": 9})
    assert readable_part("settings", settings) == settings
    assert readable_part("settings", "[]") is None
    assert readable_part("route", settings) is None


@pytest.mark.parametrize("text", ['{"chosen": 5, "description": [1]}', '{"chosen": null}', "{}", None])
def test_what_cannot_be_read_of_what_was_said_fails_no_request(text: str | None) -> None:
    with closing(in_memory()) as db:
        fair_queue.enqueue(db, FULL, Limits(), BUILT_IN, 0)
        db.execute("update job set told = ?", (text,))
        [job] = select_jobs(db, "")
    assert job.told == Told()
