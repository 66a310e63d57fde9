"""/admin drain, cancel, limits, block, unblock, blocks, take-down, block-pictures, audit and announce.

`AdminCommands` in `bot/edge/commands/admin.py` takes them into its group, and lets only admins through.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any, Literal

import discord
from discord import app_commands

from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.commands.trust.announcing import announce_everywhere
from bot.edge.commands.trust.takedown import TakeDown, take_down
from bot.edge.context import Interaction
from bot.policy.blocking import Block, Subject
from bot.queue.job import JobState, wall_clock_ms
from bot.queue.servers.settings import AuditEntry
from bot.texts.replies import explain_cancel, no_job_text
from bot.texts.safety.operators import (
    announced_text,
    audit_row,
    audit_text,
    blocks_text,
    imported_text,
    limits_text,
    no_id_text,
    now_blocked_text,
    now_draining_text,
    too_large_list_text,
    unblocked_text,
)
from generator.memory import MIB

log = logging.getLogger(__name__)

LARGEST_LIST_MIB = 8
"""about 120,000 hashes: comparing with so many takes 27 ms a picture (median of 7, one core)"""
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_DAY_MS = 24 * 3_600_000
Reason = app_commands.Range[str, 1, 200]


@app_commands.command(description="Finish what is waiting, take nothing new, and say when that is done")
@app_commands.describe(reason="What people are told")
async def drain(interaction: Interaction, reason: Reason) -> None:
    """Take nothing new until /admin resume; the owners are told when everything is finished."""
    if await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    told = reason if reason[-1] in ".!?…" else f"{reason}."
    await services.switches.drain(told)
    await note(interaction, "drain", {"reason": told})
    counts = await services.store.jobs.counts()
    await fill_in(interaction, now_draining_text(counts[JobState.QUEUED] + counts[JobState.RUNNING]))


@app_commands.command(description="Cancel any request, whoever asked for it")
@app_commands.describe(job="Its number; its card and its recipe say it")
async def cancel(interaction: Interaction, job: int) -> None:
    """Cancel a job of anybody."""
    if await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    if await services.store.jobs.get(job) is None:
        await fill_in(interaction, no_job_text(job))
        return
    outcome = await services.requests.cancel(job, by_moderator=True)
    services.cards.changed(job)
    await note(interaction, "cancel", {"job": job})
    await fill_in(interaction, explain_cancel(outcome, job))


@app_commands.command(description="How much each person or each server may have; without a number, show it")
@app_commands.describe(
    whose="Whose limit",
    clips_per_day="Clips in 24 hours; 0 is no limit",
    gpu_seconds_per_day="Seconds of the GPU in 24 hours; 0 is no limit",
    clips_at_once="Clips waiting or being made; 0 is no limit",
    gpu_seconds_at_once="Seconds of the GPU waiting or in use; 0 is no limit",
    reset="Back to what the configuration says",
)
async def limits(
    interaction: Interaction,
    whose: Literal["person", "server"],
    clips_per_day: app_commands.Range[int, 0, 100_000] | None = None,
    gpu_seconds_per_day: app_commands.Range[int, 0, 1_000_000] | None = None,
    clips_at_once: app_commands.Range[int, 0, 100_000] | None = None,
    gpu_seconds_at_once: app_commands.Range[int, 0, 1_000_000] | None = None,
    reset: bool = False,
) -> None:
    """Show or change the operator's quota of each person, or of each server; what is left out stays as it is."""
    if await acknowledge(interaction, private=True) is None:
        return
    switches = interaction.client.services.switches
    numbers = {
        "clips_per_day": clips_per_day,
        "gpu_seconds_per_day": gpu_seconds_per_day,
        "clips_at_once": clips_at_once,
        "gpu_seconds_at_once": gpu_seconds_at_once,
    }
    changes = {name: number for name, number in numbers.items() if number is not None}
    if reset:
        await switches.limit(whose, None)
    elif changes:
        await switches.limit(whose, getattr(switches.limits, whose).model_copy(update=changes))
    if reset or changes:
        await note(interaction, "limits", {"whose": whose, "reset": reset or None, **changes})
    await fill_in(interaction, limits_text(switches.limits.person, switches.limits.server))


@app_commands.command(description="Take no requests from a person or a server")
@app_commands.describe(
    reason="What they are told",
    person="Who; or a server",
    server="A server's id: right-click it with Developer Mode on",
    days="For how long; leave it out for good",
)
async def block(
    interaction: Interaction,
    reason: Reason,
    person: discord.User | None = None,
    server: str | None = None,
    days: app_commands.Range[int, 1, 3650] | None = None,
) -> None:
    """Keep somebody out, and cancel what they have waiting."""
    subject = _subject(person, server)
    if subject is None:
        await answer(interaction, no_id_text())
        return
    if await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    until_ms = None if days is None else wall_clock_ms() + days * _DAY_MS
    told = reason if reason[-1] in ".!?…" else f"{reason}."
    wanted = Block(subject=subject[0], number=subject[1], reason=told, until_ms=until_ms)
    await services.store.trust.blocks.block(wanted, interaction.user.id)
    log.info("%s %d blocked by %d", wanted.subject, wanted.number, interaction.user.id)
    cancelled = await _cancel_all(interaction, wanted)
    nobody = discord.AllowedMentions.none()
    await fill_in(interaction, now_blocked_text(wanted, cancelled), allowed_mentions=nobody)


async def _cancel_all(interaction: Interaction, wanted: Block) -> int:
    services = interaction.client.services
    jobs = [
        job
        for job in await services.store.jobs.active()
        if wanted.number == (job.user_id if wanted.subject is Subject.PERSON else job.route.guild_id)
    ]
    for job in jobs:
        await services.requests.cancel(job.id, by_moderator=True)
        services.cards.changed(job.id)
    return len(jobs)


@app_commands.command(description="Take requests from a person or a server again")
@app_commands.describe(person="Who; or a server", server="A server's id")
async def unblock(interaction: Interaction, person: discord.User | None = None, server: str | None = None) -> None:
    """Let somebody in again."""
    subject = _subject(person, server)
    if subject is None:
        await answer(interaction, no_id_text())
        return
    if await acknowledge(interaction, private=True) is None:
        return
    was = await interaction.client.services.store.trust.blocks.unblock(*subject, interaction.user.id)
    await fill_in(interaction, unblocked_text(was_blocked=was))


def _subject(person: discord.User | None, server: str | None) -> tuple[Subject, int] | None:
    """Return who is meant; None unless exactly one of the two is given."""
    if person is not None and server is None:
        return Subject.PERSON, person.id
    if person is None and server is not None and server.isascii() and server.isdigit() and len(server) < 20:
        return Subject.SERVER, int(server)
    return None


@app_commands.command(description="Who is blocked, why and until when")
async def blocks(interaction: Interaction) -> None:
    """List everybody who is kept out."""
    trust = interaction.client.services.store.trust
    text = blocks_text(trust.blocks.all(), trust.pictures.count_blocked())
    await answer(interaction, text, allowed_mentions=discord.AllowedMentions.none())


@app_commands.command(name="take-down", description="Take a clip away with its variations, and block its picture")
@app_commands.describe(job="Its number")
async def take_down_command(interaction: Interaction, job: int) -> None:
    """Take a clip down everywhere."""
    if await acknowledge(interaction, private=True) is None:
        return
    if await interaction.client.services.store.jobs.get(job) is None:
        await fill_in(interaction, no_job_text(job))
        return
    await fill_in(
        interaction, await take_down(interaction.client, TakeDown(job_id=job, by=interaction.user.id, guild_id=None))
    )


@app_commands.command(
    name="block-pictures", description="Import a list of hashes (PDQ) of pictures that nobody may animate"
)
@app_commands.describe(hashes="A text file: one hash of 64 hexadecimal digits in each line")
async def block_pictures(interaction: Interaction, hashes: discord.Attachment) -> None:
    """Add hashes to the block list; the first word of each line counts, and # begins a comment."""
    if hashes.size > LARGEST_LIST_MIB * MIB:
        await answer(interaction, too_large_list_text(LARGEST_LIST_MIB))
        return
    if await acknowledge(interaction, private=True) is None:
        return
    lines = (await hashes.read()).decode("utf-8", "replace").splitlines()
    found, wrong = read_hashes(lines)
    pictures = interaction.client.services.store.trust.pictures
    new = await pictures.block(found, None, interaction.user.id)
    log.info("%d hashes of pictures imported by %d", new, interaction.user.id)
    await fill_in(interaction, imported_text(new, pictures.count_blocked(), wrong))


def read_hashes(lines: list[str]) -> tuple[list[str], int]:
    """Return the hashes at the beginnings of lines, and how many lines have none; # begins a comment."""
    texts = [text.split(",")[0].split() for line in lines if (text := line.partition("#")[0].strip())]
    words = [parts[0] if parts else "" for parts in texts]
    found = [word.lower() for word in words if _HASH.fullmatch(word)]
    return found, len(words) - len(found)


@app_commands.command(description="What the people who run this bot did, newest first")
async def audit(interaction: Interaction) -> None:
    """Show the log."""
    entries = await interaction.client.services.store.servers.audit(None)
    rows = [audit_row(entry.made_ms, entry.user_id, entry.action, _short(entry)) for entry in entries]
    await answer(interaction, audit_text(rows), allowed_mentions=discord.AllowedMentions.none())


def _short(entry: AuditEntry) -> str:
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in entry.what.items() if value is not None)


@app_commands.command(description="Post a message into the log channel of every server")
@app_commands.describe(text="What servers are told")
async def announce(interaction: Interaction, text: app_commands.Range[str, 1, 1500]) -> None:
    """Tell all servers something."""
    if await acknowledge(interaction, private=True) is None:
        return
    await note(interaction, "announce", {"text": text})
    done = await announce_everywhere(interaction.client, text)
    await fill_in(interaction, announced_text(done.reached, done.failed, done.without))


async def note(interaction: Interaction, action: str, what: dict[str, object]) -> None:
    """Write into the log what an admin did."""
    entry = AuditEntry(guild_id=None, user_id=interaction.user.id, made_ms=wall_clock_ms(), action=action, what=what)
    await interaction.client.services.store.servers.note(entry)


COMMANDS: tuple[app_commands.Command[Any, ..., None], ...] = (
    drain,
    cancel,
    limits,
    block,
    unblock,
    blocks,
    take_down_command,
    block_pictures,
    audit,
    announce,
)
