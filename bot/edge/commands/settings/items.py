"""What the menus, buttons and the form of the settings panel do. Each press is checked anew.

Tested in tests/bot/edge/commands/settings/test_command.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

import discord
from discord import ui

from bot.edge.commands.forgetting import note_request
from bot.edge.commands.settings.choices import WrongNumber, read_choice, read_quota
from bot.edge.commands.settings.log_channel import can_write, write_to_channel
from bot.edge.commands.settings.panel import Page, Shown, settings_panel
from bot.edge.commands.submission.answers import Form, answer, answer_first, reporting
from bot.edge.commands.submission.permissions import is_served
from bot.edge.connection.languages import language_here
from bot.edge.context import Interaction
from bot.policy.quota import Quota
from bot.policy.server import FilterAction, ServerSettings
from bot.texts.languages.spoken import speaking
from bot.texts.safety.filter import no_moderators_text, unusable_filter_text
from bot.texts.settings.quotas import FORM_LABELS, form_label
from bot.texts.settings.server_settings import (
    audit_text,
    changed_text,
    log_not_written_text,
    not_manager_text,
    only_in_servers_text,
)
from bot.texts.settings.settings_panel import quota_form_title
from generator.picture.filter.model import missing

_CHANGES_SHOWN = 5


async def may_manage(interaction: Interaction) -> bool:
    """Tell whether the person may change this server's settings; where not, answer so."""
    if interaction.guild_id is None or not interaction.is_guild_integration():
        await answer(interaction, only_in_servers_text())
    elif not interaction.permissions.manage_guild:
        await answer(interaction, not_manager_text())
    else:
        return True
    return False


async def panel_of(interaction: Interaction, page: Page) -> ui.LayoutView:
    """Lay out a page of the panel as the server's settings are now."""
    services, guild_id = interaction.client.services, interaction.guild_id
    settings = services.store.servers.settings(guild_id)
    entries = await services.store.servers.audit(guild_id, _CHANGES_SHOWN) if page is Page.REPLIES else []
    unwritable = [number for number in (settings.log_channel, settings.report_channel) if number is not None]
    warnings = _filter_warnings(interaction, settings) if page is Page.SAFETY else []
    warnings += [log_not_written_text(number) for number in unwritable if not can_write(interaction, number)]
    return settings_panel(
        Shown(
            page=page,
            settings=settings,
            server=interaction.guild.name if interaction.guild else "",
            variants=sorted(services.switches.variants),
            changes=[audit_text(list(entry.what), entry.made_ms, entry.user_id) for entry in entries],
            warning="\n".join(warnings[:1]),
        )
    )


async def show_page(interaction: Interaction, page: Page) -> None:
    """Show a page in the message whose menu or button was used."""
    view = await panel_of(interaction, page)
    await answer_first(interaction, lambda: interaction.response.edit_message(view=view))


def _filter_warnings(interaction: Interaction, settings: ServerSettings) -> list[str]:
    """Say what keeps the chosen filter from working: what is to be installed, or that nobody can be asked."""
    if settings.filter_action is FilterAction.OFF:
        return []
    lacks = missing(interaction.client.services.pictures.filter_model)
    warnings = [unusable_filter_text(lacks)] if lacks else []
    if settings.filter_action is FilterAction.MODERATORS and settings.log_channel is None:
        warnings.append(no_moderators_text())
    return warnings


async def change(interaction: Interaction, page: Page, changes: Mapping[str, Any]) -> None:
    """Change settings, show the page as it is then, and note it in the log channel."""
    assert interaction.guild_id is not None
    servers = interaction.client.services.store.servers
    before = servers.settings(interaction.guild_id)
    after = await servers.change(interaction.guild_id, interaction.user.id, changes)
    await show_page(interaction, page)
    await _log(interaction, before, after)


async def _log(interaction: Interaction, before: ServerSettings, after: ServerSettings) -> None:
    """Write each change into the log channel, and into the one that was it until now."""
    names = [name for name in ServerSettings.model_fields if getattr(before, name) != getattr(after, name)]
    for channel_id in dict.fromkeys((before.log_channel, after.log_channel)):
        for name in names:
            with speaking(language_here(interaction).code):
                text = changed_text(interaction.user.id, name, before, after)
            await write_to_channel(interaction.client, channel_id, text)


async def _is_allowed(interaction: Interaction) -> bool:
    note_request(interaction)
    return await is_served(interaction) and await may_manage(interaction)


class SettingMenu(ui.DynamicItem[ui.Item[Any]], template=r"vivant-settings:(?P<page>[a-z]+):(?P<name>[a-z_]+)"):
    """Changes the setting whose menu was used."""

    def __init__(self, item: ui.Item[Any], page: Page, name: str) -> None:
        super().__init__(item)
        self.page, self.name = page, name

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the menu from a choice."""
        return cls(item, Page(match["page"]), match["name"])

    @reporting
    async def callback(self, interaction: Interaction) -> None:
        """Change what was chosen; for a role's quota, open its form."""
        if not await _is_allowed(interaction):
            return
        data: Any = interaction.data
        values: list[str] = data["values"]
        if self.name == "role_quotas":
            await open_form(interaction, values[0])
        else:
            await change(interaction, self.page, {self.name: read_choice(self.name, values)})


class PageButton(ui.DynamicItem[ui.Button[Any]], template=r"vivant-settings-page:(?P<page>[a-z]+)"):
    """Opens another page of the panel."""

    def __init__(self, item: ui.Button[Any], page: Page) -> None:
        super().__init__(item)
        self.page = page

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the button from a press."""
        assert isinstance(item, ui.Button)
        return cls(item, Page(match["page"]))

    @reporting
    async def callback(self, interaction: Interaction) -> None:
        """Show the page in the same message."""
        if await _is_allowed(interaction):
            await show_page(interaction, self.page)


class QuotaButton(ui.DynamicItem[ui.Button[Any]], template=r"vivant-settings-quota:(?P<name>[a-z_]+)"):
    """Opens the form for a quota."""

    def __init__(self, item: ui.Button[Any], name: str) -> None:
        super().__init__(item)
        self.name = name

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the button from a press."""
        assert isinstance(item, ui.Button)
        return cls(item, match["name"])

    @reporting
    async def callback(self, interaction: Interaction) -> None:
        """Open the form."""
        if await _is_allowed(interaction):
            await open_form(interaction, self.name)


async def open_form(interaction: Interaction, target: str) -> None:
    """Open the form for a quota: of each person, of the server, or of the role with that id."""
    settings = interaction.client.services.store.servers.settings(interaction.guild_id)
    form = QuotaForm(interaction.id, target, _quota_of(settings, target))
    await answer_first(interaction, lambda: interaction.response.send_modal(form))


def _quota_of(settings: ServerSettings, target: str) -> Quota:
    if target.isdecimal():
        return settings.role_quotas.get(int(target), Quota())
    return settings.server_quota if target == "server_quota" else settings.member_quota


def quota_changes(settings: ServerSettings, target: str, quota: Quota) -> dict[str, Any]:
    """Return what changes when a quota is set; a role without any limit has none of its own any more."""
    if not target.isdecimal():
        return {target: quota}
    others = {role: kept for role, kept in settings.role_quotas.items() if role != int(target)}
    return {"role_quotas": others if quota.is_unlimited else {**others, int(target): quota}}


class QuotaForm(Form):
    """Asks for the four numbers of a quota."""

    def __init__(self, interaction_id: int, target: str, quota: Quota) -> None:
        super().__init__(interaction_id, title=quota_form_title(target), name=f"vivant-settings-form:{target}")
        self.target = target
        self.fields: dict[str, ui.TextInput[Any]] = {}
        for name in FORM_LABELS:
            number = getattr(quota, name)
            field: ui.TextInput[Any] = ui.TextInput(
                custom_id=name, required=False, max_length=7, default=str(number) if number else None
            )
            self.fields[name] = field
            self.add_item(ui.Label(text=form_label(name), component=field))

    async def on_submit(self, interaction: Interaction) -> None:  # type: ignore[override]
        """Change the quota, or say what is wrong with a number."""
        if not await _is_allowed(interaction):
            return
        settings = interaction.client.services.store.servers.settings(interaction.guild_id)
        try:
            quota = read_quota({name: field.value for name, field in self.fields.items()})
        except WrongNumber as error:
            await answer(interaction, error.text)
            return
        await change(interaction, Page.LIMITS, quota_changes(settings, self.target, quota))


ITEMS = (SettingMenu, PageButton, QuotaButton)
"""what the client answers for"""
