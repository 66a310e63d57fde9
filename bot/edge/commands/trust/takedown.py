"""Taking a clip down: its message, its files, its variations, and the picture's way back."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

from bot.edge.card_edits import edit_card
from bot.edge.commands.forgetting import delete_post
from bot.edge.context import ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts import deleted_card
from bot.queue.job import SETTLED, Job, Route, wall_clock_ms
from bot.queue.servers.settings import AuditEntry
from bot.texts.languages.spoken import speaking
from bot.texts.safety.trust import taken_down_text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDown:
    """What is to be taken down, by whom, and how far it reaches."""

    job_id: int | None
    by: int
    guild_id: int | None
    """the server in which it is taken down, and its picture blocked; None: everywhere"""
    message: tuple[Route, int] | None = None
    """the message with the clip, for a job that is not kept any more"""


async def take_down(client: ServiceClient, wanted: TakeDown) -> str:
    """Delete a clip and its variations, block their picture, log it, and return what to tell."""
    services = client.services
    trust = services.store.trust
    found = [] if wanted.job_id is None else await trust.pictures.jobs_alike(wanted.job_id, wanted.guild_id)
    jobs = [job for number in found if (job := await services.store.jobs.get(number)) is not None]
    hashes = {source.hash for number in found if (source := await trust.pictures.source(number)).hash}
    # Blocked first: whoever asks for it again meanwhile is refused.
    await trust.pictures.block([text for text in hashes if text], wanted.guild_id, wanted.by)
    results = [await _delete(client, job) for job in jobs]
    if not jobs and wanted.message is not None:
        results.append(await delete_post(client, *wanted.message))
    what = {"job": wanted.job_id, "clips": len(results), "blocked": len(hashes)}
    entry = AuditEntry(
        guild_id=wanted.guild_id, user_id=wanted.by, made_ms=wall_clock_ms(), action="take-down", what=what
    )
    await services.store.servers.note(entry)
    log.info("taken down: %d clips, %d not deleted", len(results), results.count(False))
    return taken_down_text(results.count(True), results.count(False), is_blocked=bool(hashes))


async def _delete(client: ServiceClient, job: Job) -> bool:
    """Delete one clip; return False when its message could not be deleted."""
    services = client.services
    if job.state not in SETTLED:
        await services.requests.cancel(job.id, by_moderator=True)
        services.cards.changed(job.id)
    delivery = await services.store.deliveries.of_job(job.id)
    await services.requests.delete_clip(job)
    gone = True
    if delivery is not None and delivery.message_id is not None:
        gone = await delete_post(client, job.route, delivery.message_id)
    if job.state in SETTLED:
        with contextlib.suppress(*NETWORK_ERRORS), speaking(job.route.language):  # the card may be gone as well
            await edit_card(client, job, deleted_card(), now_ms=wall_clock_ms(), bare=True)
    return gone
