"""Who may do what: operators, admins, moderators, the person who asked; and where the bot serves at all."""

from __future__ import annotations

from typing import TypeVar

import discord
from discord import app_commands

from bot.edge.commands.submission.answers import answer
from bot.edge.connection.languages import language_here
from bot.edge.context import Interaction
from bot.edge.owner_alerts import owner_ids
from bot.queue.job import Job
from bot.texts.languages.spoken import speak
from bot.texts.replies import not_here_text

T = TypeVar("T")

ALWAYS_OPEN = ("privacy", "my-data", "forget-me")
"""also where the bot does not work: people may always ask about, and delete, what it keeps of them"""


def usable_everywhere(command: T) -> T:
    """Offer a command in servers, direct messages and group chats, also to who installed the bot for themselves."""
    command = app_commands.allowed_installs(guilds=True, users=True)(command)
    return app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)(command)


async def is_served(interaction: Interaction) -> bool:
    """Tell whether the bot works in this server for this command; where it does not, answer so."""
    allowed = interaction.client.services.config.allowed_guilds
    if not allowed or interaction.guild_id in allowed or is_operator(interaction):
        return True
    if interaction.command is not None and interaction.command.name in ALWAYS_OPEN:
        return True
    if interaction.type is not discord.InteractionType.autocomplete:
        await answer(interaction, not_here_text())
    return False


def replies_privately(interaction: Interaction) -> bool:
    """Tell whether answers to /queue, /recipe, /help and /quota are seen by who asked alone: the server chooses.

    Where everybody sees them, the channel's language is spoken from here on.
    """
    private = interaction.client.services.store.servers.settings(interaction.guild_id).private_replies
    if not private:
        speak(language_here(interaction).code)
    return private


def is_operator(interaction: Interaction) -> bool:
    """Tell whether the person owns this bot: listed in `owners`, or one of those `owner_ids` names."""
    owners = owner_ids(interaction.client, interaction.client.services.config.owners)
    return interaction.user.id in owners


def is_admin(interaction: Interaction) -> bool:
    """Tell whether the person may pause, resume and see the status: an operator, or listed in `admins`."""
    return is_operator(interaction) or interaction.user.id in interaction.client.services.config.admins


def may_end(interaction: Interaction, job: Job) -> bool:
    """Tell whether the person may cancel or delete: the requester, a moderator of that very server, an operator."""
    if interaction.user.id == job.user_id or is_operator(interaction):
        return True
    same_guild = interaction.guild_id is not None and interaction.guild_id == job.route.guild_id
    return same_guild and interaction.permissions.manage_messages
