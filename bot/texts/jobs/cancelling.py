"""What people read about giving up a request, and putting it back. No Discord.

Tested in tests/bot/edge/commands/jobs/test_putting_back.py.
"""

from __future__ import annotations

from bot.queue.job import CancelOutcome, Job
from bot.queue.life.past import PUT_BACK_MS, PutBack
from bot.texts.jobs.faces import job_face
from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import N_, _, ngettext

_MINUTES = PUT_BACK_MS // 60_000
_CANCELLED = {
    CancelOutcome.NOT_FOUND: N_("There is no job {number} any more."),
    CancelOutcome.QUEUED_CANCELLED: N_("Cancelled. That was job {number}: {picture}."),
    CancelOutcome.RUNNING_REQUESTED: N_(
        "Cancelled. It stops within moments. That was job {number}: {picture}. It was begun, so it cannot be "
        "put back. Again makes another clip of the same picture; /animate with the same seed makes this one."
    ),
    CancelOutcome.ALREADY_SETTLED: N_("It was over already. That was job {number}: {picture}."),
}


def cancelled_text(outcome: CancelOutcome, job: Job, name: str | None) -> str:
    """Say what came of a cancel, and which job it was."""
    return _(_CANCELLED[outcome], number=job.id, picture=job_face(job, name))


def can_put_back_text() -> str:
    """Say that a cancelled request can be put back, and for how long."""
    return ngettext(
        "You can put it back where it was, for {count} minute.",
        "You can put it back where it was, for {count} minutes.",
        _MINUTES,
    )


def nothing_to_cancel_text() -> str:
    """Say that somebody has nothing in the queue."""
    return _("You have nothing in the queue, so there is nothing to cancel.")


def put_back_text(outcome: PutBack, job: Job, name: str | None, position: int | None) -> str:
    """Say what came of putting a job back; `position` is where it waits, None where that is not known."""
    if outcome is PutBack.NOT_YET:
        return _("Its card is still being closed. Nothing was queued. Please press the button again in a moment.")
    if outcome is PutBack.TOO_LATE:
        return ngettext(
            "It cannot be put back any more: that goes for {count} minute, and only while it is cancelled. "
            "Nothing was queued. Please use /animate again.",
            "It cannot be put back any more: that goes for {count} minutes, and only while it is cancelled. "
            "Nothing was queued. Please use /animate again.",
            _MINUTES,
        )
    picture = job_face(job, name)
    if position is None:
        return _("It is back in the queue: {picture}.", picture=picture)
    return _("It is back in the queue as number {position}: {picture}.", position=whole(position), picture=picture)


def put_back_elsewhere_text() -> str:
    """Say that a request is put back in the server that it was made in."""
    return _("It can be put back only where you asked for it. Nothing was queued.")
