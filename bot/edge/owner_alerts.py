"""Writes to the bot's owners privately when something needs them. Nobody else gets a message unasked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import discord

from bot.edge.http_errors import NETWORK_ERRORS
from bot.texts.jobs.alerts import left_out_text, storm_text, unreadable_text
from bot.texts.safety.operators import drained_text
from generator.errors import ExecutorLost

log = logging.getLogger(__name__)


def owner_ids(client: discord.Client, configured: frozenset[int]) -> set[int]:
    """Return the ids of the people who own this bot: those configured, and the application's owner or team.

    Of a team these are its owner, and the admins and developers who have accepted their invitation. Anybody can be
    invited, and read-only members may change nothing at Discord either.
    """
    application = client.application
    if application is None:
        return set(configured)
    team = application.team
    if team is None:
        return {*configured, application.owner.id}
    owner = () if team.owner_id is None else (team.owner_id,)
    return {*configured, *owner, *(member.id for member in team.members if _may_run(member))}


def _may_run(member: discord.TeamMember) -> bool:
    has_joined = member.membership_state is discord.TeamMembershipState.accepted
    return has_joined and member.role in (discord.TeamMemberRole.admin, discord.TeamMemberRole.developer)


class OwnerAlerts:
    """Writes to the owners (those `configured`, and the application's) when something needs them."""

    def __init__(self, client: discord.Client, configured: frozenset[int]) -> None:
        self._client = client
        self._configured = configured
        self._alerts: asyncio.Queue[Callable[[], str]] = asyncio.Queue()
        """what makes the text of each, when its turn has come"""
        self._unreadable: list[int] = []

    def storm(self, error: ExecutorLost, others_go_on: bool) -> None:
        """Note that an executor died again and again, and whether others go on."""
        self._alerts.put_nowait(partial(storm_text, error, others_go_on))

    def left_out(self, node: str) -> None:
        """Note that a machine of the cluster was lost again and again, and gets no jobs."""
        self._alerts.put_nowait(partial(left_out_text, node))

    def drained(self, reason: str) -> None:
        """Note that everything that was waiting is finished, and nothing new is taken."""
        self._alerts.put_nowait(partial(drained_text, reason))

    def unreadable(self, job_id: int) -> None:
        """Note that a job was set aside because its row cannot be read. Many are told in one message."""
        self._unreadable.append(job_id)
        if len(self._unreadable) == 1:
            self._alerts.put_nowait(self._unreadable_text)

    def _unreadable_text(self) -> str:
        job_ids, self._unreadable = self._unreadable, []
        return unreadable_text(job_ids)

    async def run(self) -> None:
        """Write to the owners until cancelled; an owner who cannot be written to still has the log."""
        while True:
            text = (await self._alerts.get())()
            for owner_id in owner_ids(self._client, self._configured):
                try:
                    owner = await self._client.fetch_user(owner_id)
                    await owner.send(text)
                except NETWORK_ERRORS as error:
                    log.error("owner %d could not be told: %s", owner_id, type(error).__name__)
                except Exception as error:
                    log.error("owner %d could not be told", owner_id, exc_info=error)
