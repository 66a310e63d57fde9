"""How long each phase of a render takes here, learned from finished renders. Knows no people.

A kind of render learns from its own renders. Until it has some, it follows another kind of its variant, by the work
that each phase has to do, and before that a guess from what the whole render is expected to take.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from bot.queue.database import Statements
from bot.queue.estimates import encoding_ms, kind_of, model_ms
from generator.clip import ClipSettings, Shape
from generator.protocol import Phase
from generator.variants import Variant

KEPT = 9
"""renders of a kind whose phases are remembered"""

SENDING = "sending"
"""from the clip's file to its post: it is no phase of a render, and counts for whoever waits"""
MOST_SENDING_MS = 120_000
"""what takes longer was an outage, which the next clip need not meet"""

# Before anything was measured. Of 4036 TFLOP of a clip 174 are the decode and 3 the conditioning
# (`generator/backend/speed.py`), and both reach less of a card's rate than the denoising does.
_GUESSED_SHARES = {Phase.PREPARE: 0.03, Phase.DENOISE: 0.87, Phase.DECODE: 0.10}
_GUESSED_ENCODE, _GUESSED_LOAD = 0.03, 0.5
"""likewise, as a part of the time that the render holds the GPU"""
_GUESSED_SENDING_MS = 1_500

Times = Mapping[str, float]
"""milliseconds by the name of a phase, or SENDING"""


@dataclass(frozen=True, slots=True)
class Course:
    """What the phases of one render are expected to take, in milliseconds. Loading counts only where it happens."""

    phases: Mapping[Phase, float]
    sending_ms: float = _GUESSED_SENDING_MS

    @property
    def whole_ms(self) -> int:
        """Return what all of it takes where nothing is loaded."""
        return round(sum(self.phases.values()) - self.phases[Phase.LOAD] + self.sending_ms)

    @property
    def after_ms(self) -> float:
        """Return what follows when the GPU is free again: the file is written, and sent."""
        return self.phases[Phase.ENCODE] + self.sending_ms


def guess_course(cost_ms: float) -> Course:
    """Return the course of a render that holds the GPU for `cost_ms`, of which nothing else is known."""
    shares = _GUESSED_SHARES | {Phase.ENCODE: _GUESSED_ENCODE, Phase.LOAD: _GUESSED_LOAD}
    return Course({phase: share * cost_ms for phase, share in shares.items()})


def learn_phases(db: Statements, kind_id: int, seconds: Mapping[str, float]) -> None:
    """Write how long the phases of one finished render took; nothing unless the bot saw all of them."""
    if Phase.ENCODE not in seconds:
        return
    took: dict[str, float] = {name: round(1000 * each) for name, each in seconds.items()}
    _write(db, kind_id, [*_renders(db, kind_id), took][-KEPT:])


def _renders(db: Statements, kind_id: int) -> list[dict[str, float]]:
    rows = db.execute("select renders from render_phases where kind_id = ?", (kind_id,)).fetchall()
    return list(json.loads(rows[0][0])) if rows else []


def _write(db: Statements, kind_id: int, renders: list[dict[str, float]]) -> None:
    sql = "insert into render_phases values (?, ?) on conflict do update set renders = excluded.renders"
    db.execute(sql, (kind_id, json.dumps(renders)))


def learn_sending(db: Statements, job_id: int, now_ms: int) -> None:
    """Write how long the clip of a job that is posted now took from its file to its post."""
    sql = "select kind_id, finished_ms from job where id = ? and clip <> ''"
    for kind_id, finished_ms in db.execute(sql, (job_id,)).fetchall():
        kept = _renders(db, kind_id)
        if kept and SENDING not in kept[-1] and 0 <= now_ms - finished_ms <= MOST_SENDING_MS:
            kept[-1][SENDING] = now_ms - finished_ms
            _write(db, kind_id, kept)


def course_of(db: Statements, settings: ClipSettings, variants: Mapping[str, Variant]) -> Course:
    """Read what the phases of such a render are expected to take."""
    name = kind_of(settings)
    rows = db.execute("select id, cost_ms from kind where name = ?", (name,)).fetchall()
    guess = guess_course(rows[0][1] if rows else model_ms(settings, variants))
    own = _renders(db, rows[0][0]) if rows else []
    sql = """
        select name, renders from render_phases join kind on kind.id = kind_id where variant = ? and name <> ?
        order by json_array_length(renders) desc, kind_id desc
        """
    others = [(other, json.loads(text)) for other, text in db.execute(sql, (settings.variant, name)).fetchall()]
    found = dict(guess.phases)
    if own:
        found |= _medians(own)
    elif others:
        other, renders = others[0]
        found |= _scaled(_medians(renders), _work(name, variants), _work(other, variants))
    everything = [render for _, renders in others for render in renders] + own
    found[Phase.LOAD] = _medians(everything).get(Phase.LOAD, found[Phase.LOAD])  # whatever is rendered afterwards
    found[Phase.ENCODE] = max(found[Phase.ENCODE], encoding_ms(settings, variants))
    sent = [render[SENDING] for render in everything if SENDING in render]
    return Course(found, median(sent) if sent else _GUESSED_SENDING_MS)


def _medians(renders: Iterable[Times]) -> dict[Phase, float]:
    """Return the median of each phase, over the renders that had it."""
    listed = list(renders)
    by_phase = {phase: [render[phase] for render in listed if phase in render] for phase in Phase}
    return {phase: median(times) for phase, times in by_phase.items() if times}


def _scaled(times: dict[Phase, float], work: tuple[float, float], of_work: tuple[float, float]) -> dict[Phase, float]:
    """Return the times of a kind with `work` from those of a kind with `of_work`."""
    by_step, by_frame = (mine / other for mine, other in zip(work, of_work, strict=True))
    factors = {Phase.DENOISE: by_step, Phase.DECODE: by_frame, Phase.ENCODE: by_frame}
    return {phase: ms * factors.get(phase, 1.0) for phase, ms in times.items()}


def _work(kind: str, variants: Mapping[str, Variant]) -> tuple[float, float]:
    """Return a measure of what a kind's denoising has to do, and of what its decoding has, from the kind's name."""
    variant, shape, frames, steps, guidance = kind.rsplit("/", 4)
    known = variants.get(variant)
    width, height = (1024, 576) if known is None or shape == Shape.AUTO else known.size(Shape(shape))
    pixels = float(width * height * int(frames))
    return pixels * int(steps) * (2 if guidance == "guided" else 1), pixels
