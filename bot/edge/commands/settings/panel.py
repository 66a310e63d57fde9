"""The panel of /settings as a Components V2 layout: pages, each setting with what it means. Pure.

Nothing is kept between presses: a custom id names the page and the setting, so a panel works on after a restart.

Tested in tests/bot/edge/commands/settings/test_panel.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import discord
from discord import ui

from bot.edge.commands.settings.choices import CHANNEL, CHANNELS, MANY, ROLES, choices_for
from bot.policy.server import ServerSettings
from bot.texts.limits import CHOICE_LETTERS, shorten
from bot.texts.settings.server_settings import describe_setting, no_changes_text, setting_title
from bot.texts.settings.settings_panel import (
    edit_quota_text,
    page_title,
    panel_note_text,
    panel_title,
    placeholder_text,
)

_COLOUR = discord.Colour(0x5865F2)
MOST_IDS = 25
"""channels or roles that one menu takes"""


class Page(StrEnum):
    """A page of the panel."""

    WHERE = "where"
    CLIPS = "clips"
    REPLIES = "replies"
    SAFETY = "safety"
    LIMITS = "limits"


PAGES: dict[Page, tuple[str, ...]] = {
    Page.WHERE: ("channels", "roles", "age_rule"),
    Page.CLIPS: (
        "default_motion",
        "most_motion",
        "default_format",
        "formats",
        "default_quality",
        "qualities",
        "variants",
        "longest_clip",
    ),
    Page.REPLIES: ("private_replies", "language", "log_channel"),
    Page.SAFETY: ("others_pictures", "filter_action", "report_channel"),
    Page.LIMITS: ("member_quota", "server_quota", "role_quotas"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the panel shows."""

    page: Page
    settings: ServerSettings
    server: str = ""
    """its name"""
    variants: Sequence[str] = ()
    changes: Sequence[str] = ()
    """the newest changes, each as a text"""
    warning: str = ""


def settings_panel(shown: Shown) -> ui.LayoutView:
    """Lay out one page of the panel."""
    box: ui.Container[Any] = ui.Container(accent_colour=_COLOUR)
    box.add_item(ui.TextDisplay(panel_title(shown.server, page_title(shown.page))))
    if shown.warning:
        box.add_item(ui.TextDisplay(shown.warning))
    for name in PAGES[shown.page]:
        box.add_item(ui.TextDisplay(f"**{setting_title(name)}**\n{describe_setting(name, shown.settings)}"))
        box.add_item(ui.ActionRow(_control(name, shown)))
    if shown.page is Page.REPLIES:
        box.add_item(ui.TextDisplay("\n".join(shown.changes) or no_changes_text()))
    box.add_item(ui.Separator())
    box.add_item(ui.ActionRow(*(PageLink(page, is_open=page is shown.page) for page in Page)))
    box.add_item(ui.TextDisplay(panel_note_text()))
    layout = ui.LayoutView(timeout=None)
    layout.add_item(box)
    return layout


def _control(name: str, shown: Shown) -> ui.Item[Any]:
    custom_id = setting_id(shown.page, name)
    if name in ("member_quota", "server_quota"):
        return QuotaLink(name)
    if name in CHANNELS | CHANNEL:
        return ChannelMenu(name, custom_id, shown.settings)
    if name in ROLES or name == "role_quotas":
        return RoleMenu(name, custom_id, shown.settings)
    return Menu(name, custom_id, shown)


def setting_id(page: Page, name: str) -> str:
    """Return the custom id of a setting's menu."""
    return f"vivant-settings:{page}:{name}"


class _Lasting:
    """An item that discord.py does not keep in memory: its custom id names all that is needed."""

    def is_dispatchable(self) -> bool:
        """Return False, so that the message's view is not kept for this object's callback."""
        return False


class PageLink(_Lasting, ui.Button[Any]):
    """Opens another page."""

    def __init__(self, page: Page, *, is_open: bool) -> None:
        style = discord.ButtonStyle.primary if is_open else discord.ButtonStyle.secondary
        super().__init__(label=page_title(page), style=style, custom_id=f"vivant-settings-page:{page}")


class QuotaLink(_Lasting, ui.Button[Any]):
    """Opens the form for a quota."""

    def __init__(self, name: str) -> None:
        super().__init__(label=edit_quota_text(name), custom_id=f"vivant-settings-quota:{name}")


class Menu(_Lasting, ui.Select[Any]):
    """Offers what can be chosen for a setting."""

    def __init__(self, name: str, custom_id: str, shown: Shown) -> None:
        choices = choices_for(name, shown.settings, shown.variants)
        options = [
            discord.SelectOption(label=shorten(item.label, CHOICE_LETTERS), value=item.value, default=item.is_chosen)
            for item in choices
        ]
        super().__init__(
            custom_id=custom_id,
            placeholder=placeholder_text(name),
            min_values=0 if name in MANY else 1,
            max_values=len(options) if name in MANY else 1,
            options=options,
        )


_WRITABLE = [discord.ChannelType.text, discord.ChannelType.news]
_USABLE = [
    *_WRITABLE,
    *(discord.ChannelType.voice, discord.ChannelType.stage_voice, discord.ChannelType.forum),
    *(discord.ChannelType.media, discord.ChannelType.category),
]


class ChannelMenu(_Lasting, ui.ChannelSelect[Any]):
    """Offers channels: several for where clips are made, one to write into."""

    def __init__(self, name: str, custom_id: str, settings: ServerSettings) -> None:
        several = name in CHANNELS
        chosen = getattr(settings, name)
        super().__init__(
            custom_id=custom_id,
            placeholder=placeholder_text(name),
            channel_types=_USABLE if several else _WRITABLE,
            min_values=0,
            max_values=MOST_IDS if several else 1,
            default_values=_defaults(chosen if several else [chosen], discord.SelectDefaultValueType.channel),
        )


class RoleMenu(_Lasting, ui.RoleSelect[Any]):
    """Offers roles: several for who may ask, one whose quota is to be changed."""

    def __init__(self, name: str, custom_id: str, settings: ServerSettings) -> None:
        several = name in ROLES
        super().__init__(
            custom_id=custom_id,
            placeholder=placeholder_text(name),
            min_values=0 if several else 1,
            max_values=MOST_IDS if several else 1,
            default_values=_defaults(settings.roles if several else [], discord.SelectDefaultValueType.role),
        )


def _defaults(ids: Iterable[int | None], kind: discord.SelectDefaultValueType) -> list[discord.SelectDefaultValue]:
    known = sorted(number for number in ids if number is not None)
    return [discord.SelectDefaultValue(id=number, type=kind) for number in known[:MOST_IDS]]
