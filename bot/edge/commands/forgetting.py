"""Forgetting a person, as far as Discord sees it: requests that are cut short, open cards, and posts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import replace

import discord

from bot.edge.card_edits import delete_message, edit_card
from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.context import Interaction, ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.actions import Action
from bot.edge.layouts.cards import status_card
from bot.queue.job import ForgottenJob, Job, JobState, Route, wall_clock_ms
from bot.texts.jobs.status import CardView
from bot.texts.languages.spoken import speaking
from bot.texts.replies import not_yours_text
from bot.texts.safety.forgetting import deleting_posts_text, forgotten_text, no_posts_known_text, posts_deleted_text
from bot.work.ongoing import Owner, Request

log = logging.getLogger(__name__)

ANSWER_SECONDS = 13 * 60.0
"""how long posts are deleted: an answer is possible for 15 minutes"""


def note_request(interaction: Interaction) -> None:
    """Let the task that handles this interaction be interrupted when its person or server is forgotten."""
    task = asyncio.current_task()
    assert task is not None
    owner = Owner(interaction.user.id, interaction.guild_id)
    interaction.client.services.crew.ongoing.take(owner, task, interaction)


async def forget_guild(client: ServiceClient, guild_id: int) -> None:
    """Forget a server that has removed the bot."""
    client.kept.forget(lambda owner: owner.guild_id == guild_id)
    cleared = await client.services.requests.forget_guild(guild_id)
    await _withdraw(cleared.interrupted)


async def press_forget(interaction: Interaction, action: Action, user_id: int, _key: str) -> None:
    """Forget the person who presses the button, if it is theirs."""
    if interaction.user.id != user_id:
        await answer(interaction, not_yours_text())
    elif await acknowledge(interaction, private=True) is not None:
        await forget(interaction, with_posts=action is Action.ERASE)


async def forget(interaction: Interaction, *, with_posts: bool) -> None:
    """Delete all that is kept about the person, close their open cards, delete their posts if they want, and say so."""
    client = interaction.client
    client.kept.forget(lambda owner: owner.user_id == interaction.user.id)
    cleared = await client.services.requests.forget_user(interaction.user.id)
    await _withdraw(cleared.interrupted)
    posts = [post for item in cleared.jobs for post in _posts_of(item)] if with_posts else []
    for item in cleared.jobs:
        if not item.is_answered:
            await _close_card(client, item.job)
    told = forgotten_text(cleared.files)
    if posts:
        await fill_in(interaction, f"{told} {deleting_posts_text(len(posts))}")
        told = f"{told} {posts_deleted_text(*await _delete_posts(client, posts))}"
    elif with_posts:
        told = f"{told} {no_posts_known_text()}"
    await fill_in(interaction, told)


async def _withdraw(interrupted: Iterable[Request]) -> None:
    """Delete the answers of requests that were cut short."""
    for interaction in interrupted:
        assert isinstance(interaction, discord.Interaction)
        with contextlib.suppress(*NETWORK_ERRORS):  # it may not have been acknowledged
            await interaction.delete_original_response()


async def _close_card(client: ServiceClient, job: Job) -> None:
    """Remove the picture from a card that nothing else will edit any more."""
    await client.services.cards.finish(job.id)
    with speaking(job.route.language):
        view = status_card(CardView(job=replace(job, state=JobState.CANCELLED)))
    try:
        await edit_card(client, job, view, now_ms=wall_clock_ms(), bare=True)
    except NETWORK_ERRORS as error:
        log.info("job=%d card not closed: %s", job.id, type(error).__name__)


def _posts_of(item: ForgottenJob) -> list[tuple[Route, int]]:
    """Return the messages about a job: its clip or failure, and its card."""
    found = dict.fromkeys((item.message_id, item.job.card_message_id))
    return [(item.job.route, message_id) for message_id in found if message_id is not None]


async def _delete_posts(client: ServiceClient, posts: list[tuple[Route, int]]) -> tuple[int, int]:
    """Delete messages; return how many are gone, and how many are left."""
    gone = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            for route, message_id in posts:
                gone += await delete_post(client, route, message_id)
    return gone, len(posts) - gone


async def delete_post(client: ServiceClient, route: Route, message_id: int) -> bool:
    """Delete a message on a job's route, wherever it was posted in the end; return False when it could not be."""
    try:
        return await delete_message(client, route, message_id)
    except discord.NotFound:
        # A thread that was closed to the bot had its clip posted into the channel above.
        parent_id = await _channel_above(client, route.channel_id)
        return parent_id is None or await delete_post(client, replace(route, channel_id=parent_id), message_id)
    except NETWORK_ERRORS as error:
        log.info("a post of somebody forgotten could not be deleted: %s", type(error).__name__)
        return False


async def _channel_above(client: ServiceClient, channel_id: int) -> int | None:
    """Return the channel that a thread is in; None for what is no thread. An archived one is known to Discord alone."""
    channel = client.get_channel(channel_id)
    if channel is None:
        with contextlib.suppress(*NETWORK_ERRORS):
            return getattr(await client.fetch_channel(channel_id), "parent_id", None)
    return channel.parent_id if isinstance(channel, discord.Thread) else None
