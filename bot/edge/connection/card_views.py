"""What a status card shows at a moment, gathered from the queue, the crew and what the card promised before.

Tested in tests/bot/edge/test_status_cards.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.edge.connection.cards import Card
from bot.policy.server import FilterAction
from bot.queue.estimates import is_wide, keep_promise, size_of
from bot.queue.job import Job, JobState, QueuePosition
from bot.queue.life.advance import Standing
from bot.queue.life.past import post_url
from bot.queue.store import JobStore
from bot.texts.jobs.status import CardView, Origin
from bot.work.crew import Crew
from bot.work.gate import Gate
from generator.protocol import Progress


@dataclass(frozen=True, slots=True)
class Sources:
    """Where what a card shows comes from."""

    store: JobStore
    gate: Gate
    crew: Crew
    now_ms: Callable[[], int]


async def view_of(sources: Sources, job: Job, card: Card | None) -> CardView:
    """Return what a job's card shows now, and remember in `card` what it promises."""
    waits = job.state is JobState.QUEUED
    attempt = (job.id, job.attempt)
    # Of one moment: while this waits below, a render may move on.
    standing, progress = (None, None) if waits else (sources.crew.look(attempt), sources.crew.progress.get(attempt))
    position = await sources.store.jobs.position(job.id) if waits else None
    left_ms = await _left_ms(sources, job, position, standing)
    now_ms = sources.now_ms()
    return CardView(
        job=job,
        position=position,
        progress=progress,
        preview=_preview(sources, job, card, progress),
        standing=standing,
        due_ms=_promised(card, now_ms, left_ms),
        origin=await _origin_of(sources.store, job, card),
        now_ms=now_ms,
        hold=sources.gate.hold,
        has_preview=card is None or card.has_preview,
        needs_larger_card=waits and sources.crew.fits_not_all(size_of(job.settings)),
    )


def _preview(sources: Sources, job: Job, card: Card | None, progress: Progress | None) -> str:
    """Return the newest preview of a render, which a card keeps until the next one."""
    if progress is None or not job.route.can_post:
        return ""
    # What the server's filter may hold back in the end is not shown before.
    server = sources.store.servers.settings(job.route.guild_id)
    if server.filter_action is not FilterAction.OFF:
        return ""
    return progress.preview or (card.preview if card else "")


async def _left_ms(sources: Sources, job: Job, position: QueuePosition | None, standing: Standing | None) -> int | None:
    """Return in about how many milliseconds a clip comes; None: that is not known, or nothing is started."""
    if standing is not None:
        return standing.left_ms
    if position is not None:
        return None if sources.gate.hold or is_wide(position) else position.eta_ms
    if job.state is not JobState.RUNNING:
        return None
    jobs = sources.store.jobs
    return sum(sources.crew.left_ms().values()) // jobs.executors + (await jobs.course(job.settings)).whole_ms


def _promised(card: Card | None, now_ms: int, left_ms: int | None) -> int | None:
    """Return when a card promises its clip, which `left_ms` says is in so long, and remember it."""
    if left_ms is None:
        return None
    due_ms = keep_promise(card.due_ms if card else None, now_ms, left_ms)
    if card is not None:
        card.due_ms = due_ms
    return due_ms


async def _origin_of(store: JobStore, job: Job, card: Card | None) -> Origin | None:
    """Return the clip under which a button was pressed for a job; None: it was asked for otherwise."""
    if job.of_job is None:
        return None
    if card is None or card.origin is None:
        source = await store.jobs.get(job.of_job)
        delivery = await store.deliveries.of_job(job.of_job)
        url = None
        if source is not None and delivery is not None and delivery.message_id is not None:
            url = post_url(source, delivery.message_id)
        if card is None:
            return Origin(url)
        card.origin = Origin(url)
    return card.origin
