"""What the one button under a failure does, and the one that makes a clip move.

Tested in tests/bot/edge/commands/jobs/test_remedying.py.
"""

from __future__ import annotations

import contextlib
import logging
from functools import partial

from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.commands.submission.submit import submit_again
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.owner_alerts import owner_ids
from bot.policy.facts import Entrance
from bot.policy.remedies import Remedy, remedied, remedy_for
from bot.queue.job import Job, JobState
from bot.texts.failures import operator_told_text, tell_operator_text
from bot.texts.replies import earlier_text, not_yours_text, picture_gone_text

log = logging.getLogger(__name__)


async def press_remedy(interaction: Interaction, job: Job | None) -> None:
    """Ask for the job's clip again with what helps after its failure."""
    if job is None or job.state is not JobState.FAILED:
        await answer(interaction, earlier_text())
        return
    await _submit_remedied(interaction, job, remedy_for(job.failure or {}, job.settings), Entrance.REMEDY)


async def press_liven(interaction: Interaction, job: Job | None) -> None:
    """Ask for the job's clip again with more motion: hardly anything moved in it, or nothing at all."""
    if job is None:
        await answer(interaction, picture_gone_text())
        return
    await _submit_remedied(interaction, job, Remedy.LIVELIER, Entrance.LIVEN)


async def _submit_remedied(interaction: Interaction, job: Job, remedy: Remedy, entrance: Entrance) -> None:
    most = interaction.client.services.store.servers.settings(interaction.guild_id).most_motion
    await submit_again(interaction, job.id, partial(remedied, remedy=remedy, most=most), entrance)


async def press_tell(interaction: Interaction, job: Job | None) -> None:
    """Tell the owners of a failure that only they can mend, once for each job."""
    if job is None or job.state is not JobState.FAILED:
        await answer(interaction, earlier_text())
    elif interaction.user.id != job.user_id:
        await answer(interaction, not_yours_text())
    elif await acknowledge(interaction, private=True) is not None:
        told = interaction.client.told_failures
        is_first = job.id not in told
        told.add(job.id)
        reached = await _tell_owners(interaction, job) if is_first else True
        await fill_in(interaction, operator_told_text(is_first=is_first, is_reached=reached))


async def _tell_owners(interaction: Interaction, job: Job) -> bool:
    """Write to each owner; return whether one of them was reached. The log has it in any case."""
    client, reached = interaction.client, False
    log.warning("job=%d its person tells the operator: %s", job.id, (job.failure or {}).get("code"))
    for owner_id in owner_ids(client, client.services.config.owners):
        with contextlib.suppress(*NETWORK_ERRORS):
            owner = await client.fetch_user(owner_id)
            await owner.send(tell_operator_text(job.id, job.failure or {}))
            reached = True
    return reached
