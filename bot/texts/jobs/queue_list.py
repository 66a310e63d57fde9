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
from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import _, ngettext, pgettext
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
        return [_("You have nothing in the queue. `/animate` puts a picture there.")]
    rows = [
        f"`{job.id}` {_describe_own(job, view)}\n-# {job_face(job, view.names.get(job.id))}" for job in own[:OWN_SHOWN]
    ]
    return [_("**Your pictures**"), *rows, *_and_more(len(own) - OWN_SHOWN)]


def _queue_rows(view: QueueView) -> list[str]:
    if not view.active:
        return [_("The queue is empty.")]
    waiting = [job for job in view.active if job.state is JobState.QUEUED]
    running = [job for job in view.active if job.state is not JobState.QUEUED]
    made = sum((job.id, job.attempt) in view.begun for job in running)
    rows = [_heading(made, len(running) - made, len(waiting))]
    turns = [list(turn) for _user, turn in groupby(waiting, key=lambda job: job.user_id)]
    rows += [_turn(number, turn, view) for number, turn in enumerate(turns[:TURNS_SHOWN], 1)]
    rows += _and_more(len(turns) - TURNS_SHOWN)
    return [*rows, f"-# {_why(turns, view)}"]


def _heading(made: int, up_next: int, waiting: int) -> str:
    # Translators: the numbers are numbers of clips, here and in the next one.
    if not up_next:
        return _("**The queue**: {made} being made, {waiting} waiting", made=whole(made), waiting=whole(waiting))
    return _(
        "**The queue**: {made} being made, {next} up next, {waiting} waiting",
        made=whole(made),
        next=whole(up_next),
        waiting=whole(waiting),
    )


def _turn(number: int, turn: list[Job], view: QueueView) -> str:
    """Say whose turn it is, and for how many clips."""
    job, clips = turn[0], len(turn)
    if job.user_id == view.user_id:
        return ngettext(
            "{number}. ▸ **you**, <@{user}>: {count} clip",
            "{number}. ▸ **you**, <@{user}>: {count} clips",
            clips,
            number=number,
            user=job.user_id,
        )
    if view.guild_id is not None and job.route.guild_id == view.guild_id:
        return ngettext(
            "{number}. <@{user}>: {count} clip",
            "{number}. <@{user}>: {count} clips",
            clips,
            number=number,
            user=job.user_id,
        )
    return ngettext(
        "{number}. somebody elsewhere: {count} clip",
        "{number}. somebody elsewhere: {count} clips",
        clips,
        number=number,
    )


def _why(turns: list[list[Job]], view: QueueView) -> str:
    """Say why the turns come in this order."""
    people = {turn[0].user_id for turn in turns}
    if not turns:
        return _("Whatever is asked for now comes next.")
    if people == {view.user_id}:
        return _("Nobody else waits, so your clips come in the order in which you asked.")
    if len(people) == 1:
        return _("Only one person waits. Whoever asks now takes turns with them.")
    return _("People take turns by GPU time: whoever has used less of it comes first, and longer clips use more.")


def _and_more(count: int) -> list[str]:
    return [ngettext("… and {count} more", "… and {count} more", count)] if count > 0 else []


def _describe_own(job: Job, view: QueueView) -> str:
    if job.state is not JobState.QUEUED:
        # Translators: where a clip stands in the queue, after its number, here and in the next ones.
        return _("being made now") if (job.id, job.attempt) in view.begun else _("up next")
    position = view.positions.get(job.id)
    if position is None:
        return pgettext("where a clip stands in the queue", "waiting")
    if view.hold is not None:
        return _("number {position} in the queue", position=whole(position.position))
    wait = describe_range(position) if is_wide(position) else describe_wait(position.eta_ms or 0)
    return f"{_('number {position} in the queue.', position=whole(position.position))} {wait}"
