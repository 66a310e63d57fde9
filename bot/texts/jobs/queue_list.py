"""What /queue says: a person's own jobs, and whose turn comes when. No Discord."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from bot.queue.estimates import is_wide
from bot.queue.job import Job, JobState, QueuePosition
from bot.texts.explanations import explain_hold
from bot.texts.jobs.faces import job_face
from bot.texts.jobs.waiting import describe_range, describe_wait
from bot.texts.limits import MESSAGE_LETTERS, shorten
from bot.work.gate import Hold

OWN_SHOWN = 6
TURNS_SHOWN = 10
"""so that all of it fits a message of 2,000 letters, and a phone"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """All that /queue depends on."""

    user_id: int
    """who asks"""
    active: list[Job]
    """the running jobs, then the queued ones in the order of claims"""
    positions: Mapping[int, QueuePosition] = field(default_factory=dict)
    """where the person's own queued jobs stand, by id"""
    names: Mapping[int, str] = field(default_factory=dict)
    """what their own pictures are called, by the job's id"""
    begun: Collection[tuple[int, int]] = ()
    """the attempts, as job and attempt number, that a GPU works on; the other running ones come next"""
    guild_id: int | None = None
    now_ms: int = 0
    hold: Hold | None = None


def describe_queue(view: QueueView) -> str:
    """List a person's own jobs, then whose turn comes when; people of other servers stay unnamed."""
    rows = [] if view.hold is None else [explain_hold(view.hold), ""]
    rows += [*_own_rows(view), "", *_queue_rows(view)]
    return shorten("\n".join(rows), MESSAGE_LETTERS)


def _own_rows(view: QueueView) -> list[str]:
    own = [job for job in view.active if job.user_id == view.user_id]
    if not own:
        return ["You have nothing in the queue. `/animate` puts a picture there."]
    rows = [
        f"`{job.id}` {_describe_own(job, view)}\n-# {job_face(job, view.names.get(job.id))}" for job in own[:OWN_SHOWN]
    ]
    return ["**Your pictures**", *rows, *_and_more(len(own) - OWN_SHOWN)]


def _queue_rows(view: QueueView) -> list[str]:
    if not view.active:
        return ["The queue is empty."]
    waiting = [job for job in view.active if job.state is JobState.QUEUED]
    running = [job for job in view.active if job.state is not JobState.QUEUED]
    made = sum((job.id, job.attempt) in view.begun for job in running)
    up_next = [f"{len(running) - made} up next"] if made < len(running) else []
    rows = [f"**The queue**: {', '.join([f'{made} being made', *up_next, f'{len(waiting)} waiting'])}"]
    turns = [list(turn) for _, turn in groupby(waiting, key=lambda job: job.user_id)]
    for number, turn in enumerate(turns[:TURNS_SHOWN], 1):
        rows.append(f"{number}. {_whose(turn[0], view)}: {_count(len(turn))}")
    rows += _and_more(len(turns) - TURNS_SHOWN)
    return [*rows, f"-# {_why(turns, view)}"]


def _whose(job: Job, view: QueueView) -> str:
    if job.user_id == view.user_id:
        return f"▸ **you**, <@{job.user_id}>"
    is_known = view.guild_id is not None and job.route.guild_id == view.guild_id
    return f"<@{job.user_id}>" if is_known else "somebody elsewhere"


def _count(clips: int) -> str:
    return "1 clip" if clips == 1 else f"{clips} clips"


def _why(turns: list[list[Job]], view: QueueView) -> str:
    """Say why the turns come in this order."""
    people = {turn[0].user_id for turn in turns}
    if not turns:
        return "Whatever is asked for now comes next."
    if people == {view.user_id}:
        return "Nobody else waits, so your clips come in the order in which you asked."
    if len(people) == 1:
        return "Only one person waits. Whoever asks now takes turns with them."
    return "People take turns by GPU time: whoever has used less of it comes first, and longer clips use more."


def _and_more(count: int) -> list[str]:
    return [f"… and {count} more"] if count > 0 else []


def _describe_own(job: Job, view: QueueView) -> str:
    if job.state is not JobState.QUEUED:
        return "being made now" if (job.id, job.attempt) in view.begun else "up next"
    position = view.positions.get(job.id)
    if position is None:
        return "waiting"
    if view.hold is not None:
        return f"number {position.position} in the queue"
    wait = describe_range(position) if is_wide(position) else describe_wait(position.eta_ms or 0)
    return f"number {position.position} in the queue. {wait}"
