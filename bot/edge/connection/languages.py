"""Which language an interaction is answered in, and the commands' names and descriptions in every language."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from bot.edge.context import Interaction, ServiceClient
from bot.policy.language import ENGLISH, Heard, Language, channel_language, language_of, person_language
from bot.texts.languages.sentences import catalogue
from bot.texts.languages.spoken import speaking

CONTEXTS = {
    Location.command_name: "command name",
    Location.group_name: "command name",
    Location.parameter_name: "option name",
    Location.choice_name: "choice",
    Location.command_description: "description",
    Location.group_description: "description",
    Location.parameter_description: "description",
}
"""what a text is called in the catalogue; the names also say which of Discord's limits it has"""
MENU_ENTRY = "menu entry"


def context_of(context: app_commands.TranslationContextTypes) -> str:
    """Return the catalogue's context of a text of a command."""
    is_menu = isinstance(context.data, app_commands.ContextMenu)
    return MENU_ENTRY if is_menu else CONTEXTS[context.location]


class CatalogueTranslator(app_commands.Translator):
    """Gives discord.py what the catalogues have for Discord's languages."""

    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """Return a text in a language; None where the English one is shown."""
        language = language_of(locale.value)
        if language is None or language == ENGLISH:
            return None
        found = catalogue(language).pgettext(context_of(context), string.message)
        return None if found == string.message else found


def answer_in_own_language(client: ServiceClient) -> None:
    """Let each interaction be handled in its person's language, whatever it is: every one comes in here.

    discord.py starts a task for each, which goes on in the language that is spoken at that moment.
    """
    parsers: dict[str, Any] = client._connection.parsers  # discord.py offers no other place before the tasks
    parse = parsers["INTERACTION_CREATE"]

    def parse_in_own_language(data: dict[str, Any]) -> None:
        heard = Heard(person=data.get("locale"))
        with speaking(person_language(heard, usual_language(client)).code):
            parse(data)

    parsers["INTERACTION_CREATE"] = parse_in_own_language


def language_here(interaction: Interaction) -> Language:
    """Return the language of what everybody reads where the interaction came from."""
    guild = interaction.guild
    heard = Heard(
        person=interaction.locale.value,
        server=interaction.guild_locale.value if interaction.guild_locale else None,
        is_community=guild is not None and "COMMUNITY" in guild.features,
        chosen=interaction.client.services.store.servers.settings(interaction.guild_id).language,
    )
    return channel_language(heard, usual_language(interaction.client))


def server_language(client: ServiceClient, guild_id: int | None) -> Language:
    """Return the language of what is written in a server without anybody having asked for it there."""
    guild = client.get_guild(guild_id) if guild_id is not None else None
    heard = Heard(
        person=None,
        server=guild.preferred_locale.value if guild else None,
        is_community=guild is not None and "COMMUNITY" in guild.features,
        chosen=client.services.store.servers.settings(guild_id).language,
    )
    return channel_language(heard, usual_language(client))


def usual_language(client: ServiceClient) -> Language:
    """Return the language that the operator chose."""
    return language_of(client.services.config.language) or ENGLISH
