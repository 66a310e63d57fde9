"""Edits of the bot's messages: by the bot token, or by an interaction's token while that lives.

Tested in tests/bot/edge/test_status_cards.py and tests/bot/edge/test_posting.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord

from bot.edge.http_errors import Next, classify
from bot.edge.layouts.cards import sent_card
from bot.queue.job import Job, Route, wall_clock_ms
from bot.texts.languages.spoken import speaking


def token_is_alive(route: Route, now_ms: int, *, spare_ms: int = 60_000) -> bool:
    """Tell whether the interaction can still be answered, with a minute to spare for the upload."""
    return bool(route.interaction_token) and (route.token_expires_ms or 0) - now_ms > spare_ms


def answer_webhook(client: discord.Client, route: Route) -> discord.Webhook:
    """Return the webhook that edits an interaction's answer."""
    webhook = discord.Webhook.partial(route.application_id, str(route.interaction_token), client=client)
    webhook.proxy = client.http.proxy  # which discord.py 2.7.1 forgets here
    return webhook


async def edit_card(client: discord.Client, job: Job, view: discord.ui.LayoutView, *, now_ms: int, bare: bool) -> bool:
    """Edit a job's card by the route it was accepted on; `bare` also removes its preview.

    Does nothing without a card, or when only an expired token could edit it. Raises discord's errors. Returns whether
    the channel is closed to the bot, so that only the token can edit it.
    """
    if job.card_message_id is None:
        return False
    content: dict[str, Any] = {"view": view, "allowed_mentions": discord.AllowedMentions.none()}
    content |= {"attachments": []} if bare else {}
    refusal = None
    if job.route.can_post:
        try:
            await own_message(client, job.route, job.card_message_id).edit(**content)
            return False
        except discord.HTTPException as error:
            # Put out of the channel or locked out of the thread meanwhile: the token needs no permission.
            closed = classify(error).next in (Next.ELSEWHERE, Next.PARENT) and error.status != 404
            if not closed or not token_is_alive(job.route, now_ms, spare_ms=0):
                raise
            refusal = error
    if token_is_alive(job.route, now_ms, spare_ms=0):
        try:
            await answer_webhook(client, job.route).edit_message(job.card_message_id, **content)
        except discord.HTTPException as error:
            if refusal is None or error.status not in (401, 404):
                raise
            raise refusal from error  # the token is dead, whatever this machine's clock says
    return refusal is not None


async def remove_card(client: discord.Client, job: Job, url: str | None, *, now_ms: int) -> None:
    """End the card of a job that was answered by another message: the card goes, and the answer alone is left.

    `url` is the answer's address, None when it was deleted again. A card in another channel than its answer leads there
    instead. Raises discord's errors.
    """
    channel_id, message_id = (None, None) if url is None else map(int, url.split("/")[-2:])
    if job.card_message_id in (None, message_id):
        return  # the card itself is the answer
    if url is not None and channel_id != job.route.channel_id:
        with speaking(job.route.language):
            view = sent_card(job, url)
        await edit_card(client, job, view, now_ms=now_ms, bare=True)
        return
    try:
        await delete_message(client, job.route, job.card_message_id)
    except discord.Forbidden:
        # Put out of the channel meanwhile: the token needs no permission.
        if job.route.can_post:
            await delete_message(client, replace(job.route, can_post=False), job.card_message_id)


def own_message(client: discord.Client, route: Route, message_id: int) -> discord.PartialMessage:
    """Return a message to be edited with the bot token; the interaction's token ends after 15 minutes."""
    channel = client.get_partial_messageable(route.channel_id, guild_id=route.guild_id)
    return channel.get_partial_message(message_id)


async def delete_message(client: discord.Client, route: Route, message_id: int) -> bool:
    """Delete a message on a job's route. Return False when nothing may delete it any more. Raises discord's errors."""
    if route.can_post:
        await own_message(client, route, message_id).delete()
        return True
    if not token_is_alive(route, wall_clock_ms(), spare_ms=0):
        return False
    await answer_webhook(client, route).delete_message(message_id)
    return True
