"""What the buttons do with which people ask the moderators, and these decide.

Tested in tests/bot/edge/commands/reviews/test_reviews.py.
"""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import replace
from typing import Any, Self

import discord
from discord import ui

from bot.edge.card_edits import edit_card
from bot.edge.commands.reviews.holding import post_card
from bot.edge.commands.submission.admitting import Refused, allowance_on, refuse_blocked
from bot.edge.commands.submission.answers import acknowledge, answer, fill_in, reporting
from bot.edge.commands.submission.permissions import is_operator, is_served
from bot.edge.commands.submission.shares import roles_in_server
from bot.edge.connection.languages import language_here, usual_language
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.actions import ReviewAct
from bot.edge.layouts.cards import dead_card
from bot.policy.facts import Person
from bot.queue.database import StoreFull
from bot.queue.job import DeadReason, PictureReleased, QueueFull, wall_clock_ms
from bot.queue.servers.quotas import QuotaReached
from bot.queue.servers.reviews import Review, ReviewState
from bot.texts.explanations import explain_full
from bot.texts.languages.spoken import speaking
from bot.texts.refusals import explain_exceeded
from bot.texts.replies import no_room_text, not_yours_text, picture_gone_text
from bot.texts.safety.filter import (
    appealed_text,
    asked_later_text,
    decided_text,
    no_moderators_text,
    not_moderator_text,
    not_open_text,
    refused_by_moderators_text,
)

log = logging.getLogger(__name__)


class ReviewPress(ui.DynamicItem[ui.Button[Any]], template=r"vivant-review:(?P<act>[a-z]+):(?P<key>[\w-]+)"):
    """Answers a press on a `ReviewButton`, also on one posted before a restart."""

    def __init__(self, item: ui.Button[Any], act: ReviewAct, key: str) -> None:
        super().__init__(item)
        self.act = act
        self.key = key

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the button from a press."""
        assert isinstance(item, ui.Button)
        return cls(item, ReviewAct(match["act"]), match["key"])

    @reporting
    async def callback(self, interaction: Interaction) -> None:
        """Do what the button says."""
        if not await is_served(interaction):
            return
        if self.act is ReviewAct.APPEAL:
            await _appeal(interaction, self.key)
        else:
            await _decide(interaction, self.key, allowed=self.act is ReviewAct.ALLOW)


async def _appeal(interaction: Interaction, key: str) -> None:
    """Ask the moderators about what the filter refused to its person."""
    client = interaction.client
    reviews = client.services.store.reviews
    review = await reviews.get(key)
    if review is not None and review.user_id != interaction.user.id:
        await answer(interaction, not_yours_text())
        return
    if review is None or review.state is not ReviewState.OFFERED:
        await answer(interaction, not_open_text())
        return
    if client.services.store.servers.settings(review.guild_id).log_channel is None:
        await answer(interaction, no_moderators_text())
        return
    if await acknowledge(interaction, private=True) is None:
        return
    asked = await reviews.appeal(key)
    if asked is None:
        await fill_in(interaction, not_open_text())
        return
    is_shown = await post_card(client, asked)
    await _show_on_card(interaction, asked)
    await fill_in(interaction, appealed_text() if is_shown else asked_later_text())


async def _decide(interaction: Interaction, key: str, *, allowed: bool) -> None:
    review = await interaction.client.services.store.reviews.get(key)
    if review is None or review.state is not ReviewState.ASKED:
        await answer(interaction, not_open_text())
    elif not _may_decide(interaction, review):
        await answer(interaction, not_moderator_text())
    elif await acknowledge(interaction, private=True) is not None:
        refusal = await _take_up(interaction, review) if allowed else None
        if refusal is not None:
            await fill_in(interaction, refusal)
            return
        await _conclude(interaction, review, allowed=allowed)


def _may_decide(interaction: Interaction, review: Review) -> bool:
    is_there = interaction.guild_id == review.guild_id
    return is_there and (interaction.permissions.manage_messages or is_operator(interaction))


async def _take_up(interaction: Interaction, review: Review) -> str | None:
    """Enqueue the request of an allowed picture; return why that cannot be done. Twice is once: its key is the same."""
    if review.request is None:
        return None
    try:
        await refuse_blocked(interaction, review.request)
        person = Person(id=review.user_id, roles=await roles_in_server(interaction, review.user_id))
        new = replace(review.request, allowance=allowance_on(interaction, person))
        await interaction.client.services.store.jobs.enqueue(new)
    except Refused as refused:
        return refused.text
    except QueueFull as error:
        return explain_full(error.scope, error.limit)
    except QuotaReached as error:
        return explain_exceeded(error.exceeded)
    except PictureReleased:
        return picture_gone_text()
    except StoreFull:
        return no_room_text()
    return None


async def _conclude(interaction: Interaction, review: Review, *, allowed: bool) -> None:
    services, moderator = interaction.client.services, interaction.user.id
    names = await services.store.reviews.decide(review.key, allowed=allowed)
    await services.requests.delete_files(names)
    log.info("review=%s allowed=%s", review.key, allowed)
    nobody = discord.AllowedMentions.none()
    await fill_in(interaction, decided_text(allowed, moderator, review.user_id), allowed_mentions=nobody)
    with contextlib.suppress(*NETWORK_ERRORS), speaking(language_here(interaction).code):  # it may have been deleted
        if interaction.message is not None:
            text = decided_text(allowed, moderator, review.user_id)
            await interaction.message.edit(content=text, attachments=[], view=None, allowed_mentions=nobody)
    if not allowed:
        await _tell_refused(interaction, review)


async def _tell_refused(interaction: Interaction, review: Review) -> None:
    """Delete a refused clip's files, and tell its person privately, where that is possible."""
    client = interaction.client
    job = None if review.job_id is None else await client.services.store.jobs.get(review.job_id)
    if job is not None:
        await client.services.requests.delete_clip(job)
    server = interaction.guild.name if interaction.guild else ""
    asked = job or review.request
    own_language = asked.route.own_language if asked else None
    with contextlib.suppress(*NETWORK_ERRORS), speaking(own_language or usual_language(client).code):
        await (await client.create_dm(discord.Object(review.user_id))).send(refused_by_moderators_text(server))


async def _show_on_card(interaction: Interaction, review: Review) -> None:
    """Say on a held clip's card that the moderators were asked."""
    client = interaction.client
    job = None if review.job_id is None else await client.services.store.jobs.get(review.job_id)
    if job is not None:
        with contextlib.suppress(*NETWORK_ERRORS), speaking(job.route.language):
            view = dead_card(job, DeadReason.HELD, review)
            await edit_card(client, job, view, now_ms=wall_clock_ms(), bare=True)
