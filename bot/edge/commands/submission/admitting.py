"""Gathers what is known about a request, and has it decided whether it may be taken. Every entrance comes through here.

Tested in tests/bot/edge/commands/submission/test_entrances.py.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Any

import discord

from bot.edge.commands.submission.channel import can_post, elsewhere_of, is_age_restricted, missing_permissions
from bot.edge.commands.submission.options import Setting
from bot.edge.commands.submission.permissions import is_operator
from bot.edge.commands.submission.shares import own_roles, roles_of
from bot.edge.context import Interaction
from bot.policy.admission import BLOCKS, ReasonKind, decide, what_to_mend
from bot.policy.blocking import Subject
from bot.policy.facts import NOTHING_KNOWN, ChannelKind, Entrance, Facts, Person, PictureFacts, Where
from bot.policy.quota import Allowance, Exceeded, Scope, allowance
from bot.queue.job import Job, NewJob, QueueFull
from bot.queue.servers.quotas import Ask, QuotaReached
from bot.queue.spool import SpoolFull
from bot.texts.explanations import explain_full
from bot.texts.refusals import explain_refusal
from generator.clip import ClipSettings

log = logging.getLogger(__name__)

_PLACE_SECONDS = 1.0
"""of the three within which Discord wants the acknowledgement; the queue asks again before it accepts"""
_QUOTA_SECONDS = 1.0
"""of the three within which Discord wants the acknowledgement; the queue asks again before it accepts"""


def setting_of(interaction: Interaction) -> Setting:
    """Return what the model, the operator and the server of an interaction take and prefer."""
    services = interaction.client.services
    server = services.store.servers.settings(interaction.guild_id)
    return Setting(variant=services.switches.variant, config=services.config.generator, server=server)


class Refused(Exception):
    """The request cannot be taken; `text` is what the person is told, beside `more` of a message.

    With `is_kept` its picture is, until the moderators have decided. `mend` says what the person can change so that it
    may be taken: an option, "picture" or "channel"; "" is nothing, but later it may be; None is nothing at all.
    """

    def __init__(self, text: str, *, is_kept: bool = False, mend: str | None = None, **more: Any) -> None:
        super().__init__(text)
        self.text = text
        self.is_kept = is_kept
        self.mend = mend
        self.more = more


class AskAuthor(Refused):
    """The picture's author has to agree first; `text` is for where they cannot be asked."""

    def __init__(self, text: str, facts: Facts) -> None:
        super().__init__(text)
        self.facts = facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for, as far as it is known; it is decided again when more is."""

    entrance: Entrance
    settings: ClipSettings | None = None
    picture: PictureFacts = NOTHING_KNOWN
    coming: int = 1
    """how many requests of this person are being taken, this one included"""
    behalf: Person | None = None
    """who asked, where the interaction is somebody else's: the author's, who agreed"""


async def admit(interaction: Interaction, asked: Asked) -> Facts:
    """Decide whether a request may be taken, from all that is known of it. Raises Refused."""
    facts = await _gather(interaction, asked)
    reason = decide(facts)
    if reason is not None:
        log.info("interaction=%d not taken: %s", interaction.id, reason.kind)
        if reason.kind is ReasonKind.ASK_AUTHOR:
            raise AskAuthor(explain_refusal(reason), facts)
        raise Refused(explain_refusal(reason), mend=what_to_mend(reason))
    return facts


async def refuse_blocked(interaction: Interaction, new: NewJob) -> None:
    """Refuse a request that was held back, where it or its person was blocked since. Raises Refused."""
    picture = PictureFacts(hash=new.source.hash, who=new.source.who)
    person = Person(id=new.user_id, roles=frozenset())
    reason = decide(
        await _gather(interaction, Asked(entrance=Entrance.ALLOWED, picture=picture, behalf=person)), BLOCKS
    )
    if reason is not None:
        raise Refused(explain_refusal(reason))


async def facts_of_job(interaction: Interaction, job: Job) -> PictureFacts:
    """Return what is known about the picture of an earlier job."""
    source = await interaction.client.services.store.trust.pictures.source(job.id)
    return PictureFacts(
        author_id=job.user_id,
        is_spoiler=job.route.spoiler,
        can_answer=source.who is None,
        hash=source.hash,
        who=source.who,
    )


async def _gather(interaction: Interaction, asked: Asked) -> Facts:
    services = interaction.client.services
    person, blocks = asked.behalf or _person(interaction), services.store.trust.blocks
    return Facts(
        entrance=asked.entrance,
        person=person,
        where=_where(interaction),
        server=services.store.servers.settings(interaction.guild_id),
        settings=asked.settings,
        picture=await _picture(interaction, asked.picture, person),
        exceeded=await _exceeded(interaction, asked),
        paused=services.switches.gate.paused,
        draining=services.switches.draining,
        person_block=blocks.of(Subject.PERSON, person.id),
        server_block=blocks.of(Subject.SERVER, interaction.guild_id),
        has_room=_has_room(interaction),
    )


async def _picture(interaction: Interaction, known: PictureFacts, person: Person) -> PictureFacts:
    """Add to what is known of a picture what the bot keeps about it and about who posted it."""
    pictures = interaction.client.services.store.trust.pictures
    is_others = known.author_id is not None and known.author_id != person.id
    who = known.who or (pictures.who(known.author_id) if is_others and known.author_id else None)
    return replace(
        known,
        who=who,
        has_opted_out=pictures.has_opted_out(who),
        is_blocked=await pictures.is_blocked(known.hash, interaction.guild_id),
    )


def _person(interaction: Interaction) -> Person:
    return Person(
        id=interaction.user.id,
        roles=own_roles(interaction),
        manages_server=interaction.guild_id is not None and interaction.permissions.manage_guild,
        is_operator=is_operator(interaction),
    )


def _where(interaction: Interaction) -> Where:
    assert interaction.channel_id is not None
    if elsewhere := elsewhere_of(interaction):
        return elsewhere.where
    channel = interaction.channel
    return Where(
        guild_id=interaction.guild_id,
        channel_id=interaction.channel_id,
        parents=_parents(channel),
        kind=_kind(interaction),
        is_age_restricted=is_age_restricted(interaction.guild, interaction.channel),
        is_member=can_post(interaction),
        missing=tuple(missing_permissions(interaction)),
    )


def _parents(channel: object) -> frozenset[int]:
    """Return the channel of a thread, and the category of a channel."""
    found = [getattr(channel, "parent_id", None)]
    parent = channel.parent if isinstance(channel, discord.Thread) else channel
    found.append(getattr(parent, "category_id", None))
    return frozenset(number for number in found if number is not None)


def _kind(interaction: Interaction) -> ChannelKind:
    if interaction.guild_id is None:
        return ChannelKind.DIRECT if interaction.context.dm_channel else ChannelKind.OTHERS_DIRECT
    if not isinstance(interaction.channel, discord.Thread):
        return ChannelKind.TEXT
    return ChannelKind.PRIVATE_THREAD if interaction.channel.is_private() else ChannelKind.THREAD


def _has_room(interaction: Interaction) -> bool:
    try:
        interaction.client.services.spool.require_room()  # one system call: microseconds
    except SpoolFull:
        return False
    return True


async def _exceeded(interaction: Interaction, asked: Asked) -> Exceeded | None:
    """Return the limit of a quota that the request would exceed, as far as can be told without asking Discord."""
    if asked.settings is None:
        return None
    services = interaction.client.services
    ask = Ask(
        user_id=interaction.user.id if asked.behalf is None else asked.behalf.id,
        guild_id=interaction.guild_id,
        allowance=_early_allowance(interaction) if asked.behalf is None else allowance_on(interaction, asked.behalf),
    )
    try:
        async with asyncio.timeout(_QUOTA_SECONDS):
            await services.store.jobs.refuse_over_quota(ask, asked.settings, asked.coming)
    except QuotaReached as error:
        return error.exceeded
    except TimeoutError:
        log.warning("interaction=%d the queue did not tell in time what was used of a quota", interaction.id)
    return None


def _early_allowance(interaction: Interaction) -> Allowance:
    """Return what the request is held against; without the operator's part where only Discord knows the roles."""
    found = _allowance(interaction, own_roles(interaction))
    roles = interaction.client.services.config.quota.roles
    if not roles or interaction.client.get_guild(interaction.guild_id or 0) is not None:
        return found
    return Allowance(tuple(item for item in found.quotas if item[0] is not Scope.PERSON))


async def allowance_of(interaction: Interaction) -> Allowance:
    """Return what the request is held against when it is enqueued."""
    wanted = interaction.client.services.switches.limits.roles
    return _allowance(interaction, own_roles(interaction) | await roles_of(interaction, wanted))


def allowance_on(interaction: Interaction, person: Person) -> Allowance:
    """Return what a request on behalf of somebody is held against, by the roles that they had when they asked."""
    return _allowance(interaction, person.roles)


def _allowance(interaction: Interaction, roles: frozenset[int]) -> Allowance:
    services = interaction.client.services
    server = None if interaction.guild_id is None else services.store.servers.settings(interaction.guild_id).limits
    return allowance(services.switches.limits, server, roles)


async def refuse_full(interaction: Interaction, coming: int) -> None:
    """Refuse what would not find a place in the queue, before anything is fetched for it. Raises Refused."""
    jobs = interaction.client.services.store.jobs
    try:
        async with asyncio.timeout(_PLACE_SECONDS):
            await jobs.refuse_when_full(interaction.user.id, interaction.guild_id, coming)
    except QueueFull as error:
        raise Refused(explain_full(error.scope, error.limit), mend="") from error
    except TimeoutError:
        log.warning("interaction=%d the queue did not tell in time whether it is full", interaction.id)
