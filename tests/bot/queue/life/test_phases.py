"""What the phases of a render are expected to take: before anything was rendered, and learned from what was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection

import pytest

from bot.queue.estimates import kind_for, model_ms
from bot.queue.life.phases import KEPT, course_of, guess_course, learn_phases
from bot.queue.store import JobStore
from generator.clip import ClipSettings
from generator.protocol import Phase
from generator.variants import BUILT_IN
from tests.support.jobs import Clock, claimed, in_memory, new_job, opened, rendered

USUAL = {"prepare": 1.0, "denoise": 20.0, "decode": 4.0, "encode": 2.0}


@pytest.fixture
def db() -> Iterator[Connection]:
    with closing(in_memory()) as db:
        yield db


def kind(db: Connection, settings: ClipSettings) -> int:
    return kind_for(db, settings, BUILT_IN)[0]


def test_before_anything_was_rendered_the_phases_are_a_sane_part_of_what_is_expected(db: Connection) -> None:
    for settings in (ClipSettings(), ClipSettings(variant="demo"), ClipSettings(variant="gone")):
        course = course_of(db, settings, BUILT_IN)
        held = sum(course.phases[phase] for phase in (Phase.PREPARE, Phase.DENOISE, Phase.DECODE))
        assert held == pytest.approx(model_ms(settings, BUILT_IN))
        assert course.phases[Phase.DENOISE] > held / 2
        assert 0 < course.after_ms < held * 2
    assert set(guess_course(1).phases) == set(Phase)


def test_a_kind_follows_the_median_of_its_own_last_renders(db: Connection) -> None:
    kind_id = kind(db, ClipSettings())
    for number in range(KEPT * 2):
        learn_phases(db, kind_id, USUAL | {"denoise": 90.0 if number < KEPT else 20.0 + number % 3})
    course = course_of(db, ClipSettings(), BUILT_IN)
    assert course.phases[Phase.DENOISE] == 21_000
    assert course.phases[Phase.DECODE] == 4_000
    [(text,)] = db.execute("select renders from render_phases where kind_id = ?", (kind_id,)).fetchall()
    assert len(json.loads(text)) == KEPT


def test_a_render_that_was_not_seen_whole_teaches_nothing(db: Connection) -> None:
    before = course_of(db, ClipSettings(), BUILT_IN)
    learn_phases(db, kind(db, ClipSettings()), {"prepare": 1.0, "denoise": 900.0, "decode": 4.0})
    assert course_of(db, ClipSettings(), BUILT_IN) == before


def test_another_kind_of_the_variant_follows_by_its_steps_and_frames(db: Connection) -> None:
    learn_phases(db, kind(db, ClipSettings(steps=20)), USUAL | {"load": 30.0})
    course = course_of(db, ClipSettings(steps=40, frames=10), BUILT_IN)
    assert course.phases[Phase.DENOISE] == pytest.approx(20_000 * 2 * 10 / 25)
    assert course.phases[Phase.DECODE] == pytest.approx(4_000 * 10 / 25)
    assert (course.phases[Phase.PREPARE], course.phases[Phase.LOAD]) == (1_000, 30_000)
    plain = course_of(db, ClipSettings(steps=20, min_guidance=1.0, max_guidance=1.0), BUILT_IN)
    assert plain.phases[Phase.DENOISE] == pytest.approx(10_000)


def test_another_variant_learns_nothing_from_it(db: Connection) -> None:
    before = course_of(db, ClipSettings(variant="svd"), BUILT_IN)
    learn_phases(db, kind(db, ClipSettings()), USUAL)
    assert course_of(db, ClipSettings(variant="svd"), BUILT_IN) == before


async def test_what_was_learned_is_kept_over_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        await _render(store, clock, sending_ms=7_000)
    async with opened(tmp_path, now_ms=clock) as store:
        course = await store.jobs.course(ClipSettings())
    assert (course.phases[Phase.DENOISE], course.phases[Phase.ENCODE], course.sending_ms) == (20_000, 2_000, 7_000)


async def test_a_post_after_an_outage_says_nothing_about_the_next_one(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        await _render(store, clock, sending_ms=7_000)
        await _render(store, clock, sending_ms=3_600_000)
        assert (await store.jobs.course(ClipSettings())).sending_ms == 7_000


async def _render(store: JobStore, clock: Clock, *, sending_ms: int) -> None:
    await store.jobs.enqueue(new_job())
    job = await claimed(store)
    await store.jobs.settle_rendered(job, replace(rendered(job), phase_seconds=USUAL))
    await store.deliveries.mark_sending(job.id)
    clock.now_ms += sending_ms
    await store.deliveries.mark_sent(job.id, 9)
