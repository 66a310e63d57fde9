"""Reporting a clip: the button under it, who is told of it, and what they do about it."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import discord

from bot.edge.commands.submission.answers import acknowledge, acknowledge_press, answer, fill_in
from bot.edge.commands.submission.permissions import is_operator
from bot.edge.commands.trust.takedown import TakeDown, take_down
from bot.edge.connection.languages import language_here, server_language
from bot.edge.context import Interaction, ServiceClient
from bot.edge.http_errors import NETWORK_ERRORS
from bot.edge.layouts.actions import Action
from bot.edge.layouts.buttons import confirm_report_button, report_buttons
from bot.edge.owner_alerts import owner_ids
from bot.queue.job import Job, Route
from bot.queue.servers.trust.reports import Report, Told
from bot.texts.languages.spoken import speak, speaking
from bot.texts.safety.trust import (
    ask_report_text,
    dismissed_text,
    not_moderator_text,
    report_text,
    reported_already_text,
    reported_text,
)

log = logging.getLogger(__name__)


async def press_report(interaction: Interaction, job: Job | None) -> None:
    """Ask before a clip is reported: the button is easily hit by accident."""
    assert interaction.message is not None
    view = confirm_report_button(interaction.message.id, "" if job is None else str(job.id))
    await answer(interaction, ask_report_text(), view=view)


async def press_report_further(interaction: Interaction, action: Action, number: int, key: str) -> None:
    """Take a report that is meant, or a decision about one."""
    if action is Action.REPORTING:
        await _confirm_report(interaction, number, key)
    else:
        await _decide_report(interaction, action, number)


async def _confirm_report(interaction: Interaction, message_id: int, key: str) -> None:
    """Keep the report; the server and the operators are told by `tell_reports`, also after a restart."""
    if await acknowledge(interaction, private=True) is None or interaction.channel_id is None:
        return
    reports = interaction.client.services.store.trust.reports
    job_id = int(key) if key.isdigit() else None
    is_new = await reports.add(message_id, interaction.channel_id, interaction.guild_id, job_id)
    log.info("a clip was reported, job=%s", job_id)
    await fill_in(interaction, reported_text() if is_new else reported_already_text())


async def _decide_report(interaction: Interaction, action: Action, report_id: int) -> None:
    """Take the reported clip down, or dismiss the report."""
    report = await interaction.client.services.store.trust.reports.get(report_id)
    if report is None or not _may_decide(interaction, report):
        await answer(interaction, not_moderator_text())
        return
    await acknowledge_press(interaction)
    speak(language_here(interaction).code)  # whoever moderates reads what follows
    if action is Action.TAKE_DOWN:
        text = await take_down(interaction.client, _wanted(interaction, report))
    else:
        text = dismissed_text(_link(report), interaction.user.id)
    await interaction.edit_original_response(content=text, view=None, allowed_mentions=discord.AllowedMentions.none())


def _may_decide(interaction: Interaction, report: Report) -> bool:
    same_guild = interaction.guild_id is not None and interaction.guild_id == report.guild_id
    return is_operator(interaction) or (same_guild and interaction.permissions.manage_messages)


def _wanted(interaction: Interaction, report: Report) -> TakeDown:
    route = Route(application_id=interaction.application_id, channel_id=report.channel_id, guild_id=report.guild_id)
    return TakeDown(
        job_id=report.job_id,
        by=interaction.user.id,
        guild_id=None if is_operator(interaction) else report.guild_id,
        message=(route, report.message_id),
    )


def _link(report: Report) -> str:
    where = report.guild_id or "@me"
    return f"https://discord.com/channels/{where}/{report.channel_id}/{report.message_id}"


async def tell_reports(client: ServiceClient) -> None:
    """Tell servers and operators of each report, once, until cancelled; also of those from before a restart."""
    await client.wait_until_ready()
    reports = client.services.store.trust.reports
    while True:
        reports.new.clear()
        for report in await reports.untold():
            for whom in report.untold:
                await (_tell_server if whom is Told.SERVER else _tell_operators)(client, report)
                await reports.told(report, whom)
        await reports.new.wait()


async def _content(client: ServiceClient, report: Report) -> dict[str, Any]:
    job = None if report.job_id is None else await client.services.store.jobs.get(report.job_id)
    text = report_text(_link(report), job.id if job else None, job.user_id if job else None)
    return {
        "content": text,
        "view": report_buttons(report.id),
        "allowed_mentions": discord.AllowedMentions.none(),
        "suppress_embeds": True,
    }


async def _tell_server(client: ServiceClient, report: Report) -> None:
    channel_id = client.services.store.servers.settings(report.guild_id).reports_to
    if channel_id is None:
        return
    try:
        channel = client.get_partial_messageable(channel_id, guild_id=report.guild_id)
        with speaking(server_language(client, report.guild_id).code):
            await channel.send(**await _content(client, report))
    except NETWORK_ERRORS as error:
        log.warning("guild=%s could not be told of a report: %s", report.guild_id, type(error).__name__)


async def _tell_operators(client: ServiceClient, report: Report) -> None:
    content = await _content(client, report)
    for owner_id in owner_ids(client, client.services.config.owners):
        with contextlib.suppress(*NETWORK_ERRORS):  # who cannot be written to still has the log
            owner = await client.fetch_user(owner_id)
            await owner.send(**content)
    log.warning("report=%d job=%s: %s", report.id, report.job_id, _link(report))
