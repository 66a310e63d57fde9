"""Holds back what the server's filter does not let through, and shows it to the moderators in the log channel.

Tested in tests/bot/edge/commands/reviews/test_reviews.py.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import discord

from bot.edge.commands.submission.admitting import Refused
from bot.edge.commands.submission.channel import is_age_restricted
from bot.edge.connection.languages import server_language
from bot.edge.context import Interaction, ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.buttons import appeal_buttons, decision_buttons
from bot.edge.posting import Unposted
from bot.policy.facts import Facts
from bot.policy.filtering import Outcome
from bot.queue.job import DeadReason, Job, JobState, NewJob, Route
from bot.queue.servers.reviews import Review, ReviewState, of_clip, of_picture
from bot.queue.spool import ClipGone
from bot.texts.languages.spoken import speaking
from bot.texts.safety.filter import (
    held_picture_text,
    not_restricted_text,
    refused_picture_text,
    review_clip_text,
    review_picture_text,
    unusable_filter_text,
)
from bot.work.uplink.screening import Screened
from generator.errors import FilterUnusable

log = logging.getLogger(__name__)


async def screen_picture(interaction: Interaction, new: NewJob, facts: Facts) -> NewJob:
    """Return the request as it may be enqueued, by what the filter guesses of its picture. Raises Refused."""
    client, restricted = interaction.client, facts.where.is_age_restricted
    try:
        found = await client.services.screening.picture(new.route.guild_id, new.picture, is_age_restricted=restricted)
    except FilterUnusable as error:
        log.error("the picture filter cannot be asked: %s", error.text)
        raise Refused(unusable_filter_text(error.data.get("remedy", ""))) from error
    if found.outcome is Outcome.PASS or found.guess is None:
        return new
    score, threshold = found.guess.score, found.guess.threshold
    log.info("interaction=%d filter=%s score=%.3f", interaction.id, found.outcome, score)
    if found.outcome is Outcome.SPOILER:
        return replace(new, route=replace(new.route, spoiler=True))
    if found.outcome is Outcome.ASK and new.route.can_post:
        review = of_picture(new, found.guess, ReviewState.ASKED)
        await client.services.store.reviews.add(review)
        if await post_card(client, review):
            raise Refused(held_picture_text(score, threshold), is_kept=True)
        await client.services.store.reviews.decide(review.key, allowed=False)
        raise Refused(refused_picture_text(score, threshold, False))
    can_appeal = new.route.can_post and facts.server.log_channel is not None
    say = not_restricted_text if found.outcome is Outcome.NOT_RESTRICTED else refused_picture_text
    text = say(score, threshold, can_appeal)
    if not can_appeal:
        raise Refused(text)
    await client.services.store.reviews.add(of_picture(new, found.guess, ReviewState.OFFERED))
    raise Refused(text, is_kept=True, view=appeal_buttons(new.key))


async def screen_clip(client: ServiceClient, job: Job) -> Job:
    """Return a job as it may be posted, by what the filter guesses of its clip.

    Raises Unposted, ClipGone and GeneratorError.
    """
    if job.state is not JobState.RENDERED:
        return job
    found = await _screened(client, job)
    if found.outcome is Outcome.PASS:
        return job
    if found.outcome is Outcome.SPOILER:
        return replace(job, route=replace(job.route, spoiler=True))
    if found.guess is not None:
        log.info("job=%d filter=%s score=%.3f", job.id, found.outcome, found.guess.score)
        asks = found.outcome is Outcome.ASK
        review = of_clip(job, found.guess, ReviewState.ASKED if asks else ReviewState.OFFERED)
        if await client.services.store.reviews.add(review) and asks:
            await post_card(client, review)
    raise Unposted(DeadReason.HELD if found.outcome is Outcome.ASK else DeadReason.FILTERED)


async def to_hand_over(client: ServiceClient, job: Job) -> Job | None:
    """Return a job as its clip may be handed to its person; None when the filter holds it back. Raises ClipGone."""
    try:
        outcome = (await _screened(client, job)).outcome
    except FilterUnusable:
        return None
    if outcome is Outcome.SPOILER:
        return replace(job, route=replace(job.route, spoiler=True))
    return job if outcome is Outcome.PASS else None


async def _screened(client: ServiceClient, job: Job) -> Screened:
    restricted = _is_restricted(client, job.route)
    return await client.services.screening.clip(job, is_age_restricted=restricted)


def _is_restricted(client: ServiceClient, route: Route) -> bool:
    return is_age_restricted(client.get_guild(route.guild_id or 0), client.get_channel(route.channel_id))


async def post_missing_cards(client: ServiceClient) -> None:
    """Show the moderators what they were to be asked about when the bot ended."""
    for review in await client.services.store.reviews.without_card():
        await post_card(client, review)


async def post_card(client: ServiceClient, review: Review) -> bool:
    """Show a picture or a clip to the moderators, covered; return False when there is no way to."""
    channel_id = client.services.store.servers.settings(review.guild_id).log_channel
    path = await _file_of(client, review)
    if channel_id is None or path is None:
        return False
    say = review_picture_text if review.job_id is None else review_clip_text
    channel = client.get_partial_messageable(channel_id, guild_id=review.guild_id)
    with speaking(server_language(client, review.guild_id).code):
        text, view = say(review.user_id, review.score, review.threshold), decision_buttons(review.key)
    file = discord.File(path, filename=f"review{path.suffix}", spoiler=True)
    try:
        message = await channel.send(text, file=file, view=view, allowed_mentions=discord.AllowedMentions.none())
    except NETWORK_ERRORS as error:
        log.error("review=%s cannot be shown to the moderators: %s", review.key, type(error).__name__)
        return False
    await client.services.store.reviews.note_card(review.key, message.id)
    return True


async def _file_of(client: ServiceClient, review: Review) -> Path | None:
    spool = client.services.spool
    if review.job_id is None:
        path = spool.path(review.picture) if review.picture else None
        return path if path is not None and path.is_file() else None
    job = await client.services.store.jobs.get(review.job_id)
    try:
        return None if job is None else spool.clip_of(job)
    except ClipGone:
        return None
