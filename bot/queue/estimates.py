"""How long a render will hold the GPU, learned from how long renders held it on this machine. Knows no people."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from bot.queue.database import Statements
from bot.queue.job import QueuePosition
from generator.clip import ClipSettings, Shape, count_written, draft_of, interpolates
from generator.variants import Variant

KEPT = 32
"""durations remembered per kind of render"""

KINDS_KEPT = 500
"""measured kinds of render that no kept job has: the newest of them"""
KINDS_AT_ONCE = 100
"""deleted at one sweep: each deletion looks through all jobs for one of its kind"""

_SETTLED_AFTER = 8
"""durations of one kind after which its variant's other kinds learn nothing new from it"""

# Before anything was measured: 25 steps of 25 frames at 1024x576 with guidance took 50.9 s on an A100
# (OneDiff pull request 514); other GPUs lie between a third and several times that.
_ANCHOR_MS = 50_900
_ANCHOR_WORK = 25 * 25 * 1024 * 576 * 2
_UNKNOWN_LOW, _UNKNOWN_HIGH = 0.3, 6.0

_ENCODED_MS, _INTERPOLATED_MS = 25, 65
"""of one CPU core for a frame of 1024x576 in the clip's file: as it was rendered, or made between rendered ones"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """GPU milliseconds of one render: the middle, and the range in which it usually lies."""

    cost_ms: int
    low_ms: int
    high_ms: int


def size_of(settings: ClipSettings) -> str:
    """Return a name for the settings that decide how much of a card's memory a clip needs. A kind's name begins so."""
    return f"{settings.variant}/{settings.shape}/{settings.frames}/"


def kind_of(settings: ClipSettings) -> str:
    """Return a name for the settings that decide how long the GPU is busy."""
    if settings.drafts:
        return f"{size_of(settings)}{draft_of(settings, 0).steps}/drafts"
    guided = "guided" if settings.max_guidance > 1 else "plain"
    return f"{size_of(settings)}{settings.steps}/{guided}"


def model_ms(settings: ClipSettings, variants: Mapping[str, Variant]) -> int:
    """Return a guess of the GPU milliseconds from pixels, frames and steps alone."""
    width, height = _size(settings, variants)
    if settings.drafts:  # of a quarter of the pixels each at most: as one clip of few steps without guidance
        settings = draft_of(settings, 0)
    work = settings.steps * settings.frames * width * height * (2 if settings.max_guidance > 1 else 1)
    return max(1_000, _ANCHOR_MS * work // _ANCHOR_WORK)


def encoding_ms(settings: ClipSettings, variants: Mapping[str, Variant]) -> int:
    """Return about how long a clip's file takes to write after its last frame was rendered.

    The rendered frames themselves are written while they come, as long as none are made between them.
    """
    width, height = _size(settings, variants)
    written = count_written(settings)
    each = _INTERPOLATED_MS * written if interpolates(settings) else _ENCODED_MS * (written - settings.frames)
    return each * width * height // (1024 * 576)


def _size(settings: ClipSettings, variants: Mapping[str, Variant]) -> tuple[int, int]:
    variant = variants.get(settings.variant)
    if variant is None:
        return 1024, 576
    return variant.size(Shape.LANDSCAPE if settings.shape is Shape.AUTO else settings.shape)


def estimate(recent: list[int], model: int, ratio: float | None) -> Estimate:
    """Return the range of one kind, from its own durations (ms), else from its variant's kinds, else from the model.

    `model` is what `model_ms` says, `ratio` how much longer the variant's measured kinds took than that.
    """
    if len(recent) >= 3:
        ordered = sorted(recent)
        middle, tenth = ordered[len(ordered) // 2], len(ordered) // 10
        return Estimate(middle, min(ordered[tenth], middle * 9 // 10), max(ordered[-1 - tenth], middle * 11 // 10))
    if recent:
        middle = int(median(recent))
        return Estimate(middle, min(middle * 7 // 10, *recent), max(middle * 14 // 10, *recent))
    if ratio is not None:
        middle = max(1, int(model * ratio))
        return Estimate(middle, middle // 2, middle * 2)
    return Estimate(model, int(model * _UNKNOWN_LOW), int(model * _UNKNOWN_HIGH))


def kind_for(db: Statements, settings: ClipSettings, variants: Mapping[str, Variant]) -> tuple[int, int]:
    """Return the id and the expected milliseconds of this kind of render, and insert the kind when it is new."""
    name = kind_of(settings)
    row = db.execute("select id, cost_ms from kind where name = ?", (name,)).fetchone()
    if row is not None:
        return int(row[0]), int(row[1])
    model = model_ms(settings, variants)
    guess = estimate([], model, _ratio(db, settings.variant))
    values = (name, settings.variant, model, guess.cost_ms, guess.low_ms, guess.high_ms)
    sql = "insert into kind (name, variant, model_ms, cost_ms, low_ms, high_ms) values (?, ?, ?, ?, ?, ?) returning id"
    [(kind_id,)] = db.execute(sql, values).fetchall()
    return int(kind_id), guess.cost_ms


def expected_ms(db: Statements, settings: ClipSettings, variants: Mapping[str, Variant]) -> int:
    """Return the expected milliseconds of this kind of render, as `kind_for` does, and insert nothing."""
    row = db.execute("select cost_ms from kind where name = ?", (kind_of(settings),)).fetchone()
    if row is not None:
        return int(row[0])
    return estimate([], model_ms(settings, variants), _ratio(db, settings.variant)).cost_ms


@dataclass(frozen=True, slots=True)
class Measured:
    """How long the renders of a kind held the GPU here."""

    kind: str
    """as `kind_of` names it"""
    low_ms: int
    high_ms: int


def measured(db: Statements, variant: str) -> Measured | None:
    """Read how long the variant's most rendered kind took here; None when none was rendered."""
    sql = """
        select name, low_ms, high_ms from kind where variant = ? and recent <> '[]'
        order by json_array_length(recent) desc, id desc limit 1
        """
    rows = db.execute(sql, (variant,)).fetchall()
    return Measured(*rows[0]) if rows else None


def learn(db: Statements, kind_id: int, took_ms: int) -> None:
    """Write how long one render took, and correct the estimates that follow from it."""
    variant, model, text = db.execute("select variant, model_ms, recent from kind where id = ?", (kind_id,)).fetchone()
    recent = [*json.loads(text), took_ms][-KEPT:]
    _write(db, kind_id, recent, estimate(recent, model, None))
    if len(recent) > _SETTLED_AFTER:
        return
    unmeasured = db.execute("select id, model_ms from kind where variant = ? and recent = '[]'", (variant,)).fetchall()
    ratio = _ratio(db, variant) if unmeasured else None
    for other_id, other_model in unmeasured:
        _write(db, other_id, [], estimate([], other_model, ratio))


def _write(db: Statements, kind_id: int, recent: list[int], found: Estimate) -> None:
    values: Any = (json.dumps(recent), found.cost_ms, found.low_ms, found.high_ms, kind_id)
    db.execute("update kind set recent = ?, cost_ms = ?, low_ms = ?, high_ms = ? where id = ?", values)


def _ratio(db: Statements, variant: str) -> float | None:
    """Return how much longer the variant's measured kinds took than the model says; None when none was measured."""
    sql = "select cost_ms, model_ms from kind where variant = ? and recent <> '[]'"
    ratios = [cost / model for cost, model in db.execute(sql, (variant,)).fetchall()]
    return median(ratios) if ratios else None


def kinds_of(db: Statements, first: int, last: int) -> set[int]:
    """Read the kinds of the jobs with these ids."""
    rows = db.execute("select distinct kind_id from job where id between ? and ?", (first, last)).fetchall()
    return {kind_id for (kind_id,) in rows}


def unneeded_kinds(db: Statements, needed: Container[int]) -> list[int]:
    """Read the kinds that are not `needed` and taught nothing, and of those that taught something the oldest."""
    rows = db.execute("select id, recent <> '[]' from kind order by id desc").fetchall()
    unused = [(kind_id, measured) for kind_id, measured in rows if kind_id not in needed]
    kept = {kind_id for kind_id, _ in [item for item in unused if item[1]][:KINDS_KEPT]}
    return sorted(kind_id for kind_id, _ in unused if kind_id not in kept)[:KINDS_AT_ONCE]


def delete_kind(db: Statements, kind_id: int, last: int) -> None:
    """Delete a kind that no job up to the id `last` has, and no later one either."""
    sql = "delete from kind where id = :id and not exists (select 1 from job where job.id > :last and kind_id = :id)"
    db.execute(sql, {"id": kind_id, "last": last})


# -- what people are told -------------------------------------------------------------------------------------------

_WIDE = 4
"""by which factor the least and the most differ where a range is told: without a measurement it is 20"""
_ROUNDED_TO = ((60, 10), (600, 60), (3600, 300), (6 * 3600, 1800))
"""below so many seconds, a time is rounded to so many"""
_EARLY, _LATE = 0.6, 1.5
"""a promise stands while the newest estimate lies within these parts of it"""


def is_wide(position: QueuePosition) -> bool:
    """Tell whether a clip may come so much earlier or later that one time would say nothing."""
    low, high = position.eta_low_ms + position.after_ms, position.eta_high_ms + position.after_ms
    return position.eta_ms is None or high > _WIDE * max(low, 10_000)


def round_wait(left_ms: int) -> int:
    """Round the time until a clip comes as a person would, to seconds: 5 is a few seconds, and the least."""
    seconds = max(0, left_ms) / 1000
    if seconds < 10:
        return 5
    step = next((step for below, step in _ROUNDED_TO if seconds < below - step / 2), 3600)
    return int(seconds / step + 0.5) * step


def keep_promise(due_ms: int | None, now_ms: int, left_ms: int) -> int:
    """Return when a clip is promised: as before, unless that has passed or the newest estimate is another one."""
    if due_ms is not None and due_ms > now_ms and _EARLY * left_ms <= due_ms - now_ms <= _LATE * left_ms:
        return due_ms
    return now_ms + max(1, left_ms)


def next_rounding_ms(left_ms: int) -> int:
    """Return after how many milliseconds the rounded time until a clip comes is another one."""
    shown = round_wait(left_ms)
    if shown < 10:
        return max(1, left_ms)
    step = next((step for below, step in _ROUNDED_TO if shown <= below), 3600)
    return max(1, left_ms - int(1000 * max(10, shown - step / 2)) + 1)
