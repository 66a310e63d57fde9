"""What people read about giving up a request, and putting it back. No Discord.

Tested in tests/bot/edge/commands/jobs/test_putting_back.py.
"""

from __future__ import annotations

from bot.queue.job import CancelOutcome, Job
from bot.queue.life.past import PUT_BACK_MS, PutBack
from bot.texts.explanations import NOTHING_QUEUED
from bot.texts.jobs.faces import job_face


def cancelled_text(outcome: CancelOutcome, job: Job, name: str | None) -> str:
    """Say what came of a cancel, and which job it was."""
    which = f"That was job {job.id}: {job_face(job, name)}."
    return {
        CancelOutcome.NOT_FOUND: f"There is no job {job.id} any more.",
        CancelOutcome.QUEUED_CANCELLED: f"Cancelled. {which}",
        CancelOutcome.RUNNING_REQUESTED: f"Cancelled. It stops within moments. {which} It was begun, so it cannot be "
        "put back; ask for it again with the same seed, and it becomes the same clip.",
        CancelOutcome.ALREADY_SETTLED: f"It was over already. {which}",
    }[outcome]


def can_put_back_text() -> str:
    """Say that a cancelled request can be put back, and for how long."""
    return f"You can put it back where it was, for {PUT_BACK_MS // 60_000} minutes."


def nothing_to_cancel_text() -> str:
    """Say that somebody has nothing in the queue."""
    return "You have nothing in the queue, so there is nothing to cancel."


def put_back_text(outcome: PutBack, job: Job, name: str | None, position: int | None) -> str:
    """Say what came of putting a job back; `position` is where it waits, None where that is not known."""
    if outcome is PutBack.NOT_YET:
        return f"Its card is still being closed. {NOTHING_QUEUED} Please press the button again in a moment."
    if outcome is PutBack.TOO_LATE:
        return (
            f"It cannot be put back any more: that goes for {PUT_BACK_MS // 60_000} minutes, and only while it is "
            f"cancelled. {NOTHING_QUEUED} Please use /animate again."
        )
    if position is None:
        return f"It is back in the queue: {job_face(job, name)}."
    return f"It is back in the queue as number {position}: {job_face(job, name)}."


def put_back_elsewhere_text() -> str:
    """Say that a request is put back in the server that it was made in."""
    return f"It can be put back only where you asked for it. {NOTHING_QUEUED}"
