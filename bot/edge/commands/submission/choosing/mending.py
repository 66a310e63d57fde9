"""The button under a refusal, and the form behind it: what was chosen, filled in, and the refused value marked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import discord
from discord import ui

from bot.edge.commands.forgetting import note_request
from bot.edge.commands.submission.answers import Form, answer, answer_first, reporting
from bot.edge.commands.submission.choosing.elsewhere import move, open_channels
from bot.edge.commands.submission.choosing.parts import choices_of, value_of
from bot.edge.commands.submission.choosing.reading import OPTIONS, WORDS, join_typed, read_lines, write_lines
from bot.edge.commands.submission.choosing.refusing import refuse, refused_settings
from bot.edge.commands.submission.choosing.typed import submit_typed
from bot.edge.commands.submission.permissions import is_served
from bot.edge.commands.submission.sources import Source
from bot.edge.connection.kept_requests import KEEP_SECONDS, Kept, shown
from bot.edge.context import Interaction
from bot.policy.facts import NOTHING_KNOWN, Entrance
from bot.policy.motion import Motion
from bot.policy.server import ServerSettings
from bot.texts.asking.choosing import choice_hint, choice_label, typed_word
from bot.texts.asking.mending import (
    field_label,
    mend_title,
    motion_hint,
    not_kept_text,
    refused_channel_text,
    refused_field_text,
    refused_picture_text,
    rest_hint,
    usual_choice_text,
)
from bot.texts.limits import CHOICE_LETTERS, shorten
from generator.errors import SettingsError

_FIELDS = 3
"""beside the refusal above them and the field for all other options: a form has five parts"""
_USUAL = ("motion", "format", "quality", "loop")
_LONGEST_VALUE = 100
_LONGEST_REST = 1000
_HINTS = {"motion": motion_hint, "rest": rest_hint}


class MendPress(ui.DynamicItem[ui.Button[Any]], template=r"vivant-mend:(?P<key>\d+)"):
    """Opens the form for the request that the button names."""

    def __init__(self, item: ui.Button[Any], key: str) -> None:
        super().__init__(item)
        self.key = key

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the button from a press."""
        assert isinstance(item, ui.Button)
        return cls(item, match["key"])

    @reporting
    async def callback(self, interaction: Interaction) -> None:
        """Open the form, or say that the request is no longer kept."""
        note_request(interaction)
        kept = interaction.client.kept.get(self.key)
        if not await is_served(interaction):
            return
        if kept is None or kept.owner.user_id != interaction.user.id:
            await answer(interaction, not_kept_text())
            return
        server = interaction.client.services.store.servers.settings(interaction.guild_id)
        form = MendForm(interaction.id, self.key, kept, Offered(server, open_channels(interaction)))
        await answer_first(interaction, lambda: interaction.response.send_modal(form))


@dataclass(frozen=True, slots=True)
class Offered:
    """What the form may offer: what the server allows, and where else the person may ask."""

    server: ServerSettings
    channels: Sequence[discord.TextChannel]


class MendForm(Form):
    """Asks for a refused request again."""

    def __init__(self, interaction_id: int, key: str, kept: Kept, offered: Offered) -> None:
        super().__init__(interaction_id, title=mend_title(), name=f"vivant-mend-form:{key}", timeout=KEEP_SECONDS)
        self.key = key
        self.add_item(ui.TextDisplay(kept.why))
        names = fields_of(kept, offered)
        self.fields: dict[str, ui.Item[Any]] = {name: _field(name, kept.typed, offered) for name in names}
        rest = {name: value for name, value in kept.typed.items() if name not in names}
        self.rest: ui.TextInput[Any] = ui.TextInput(
            custom_id="rest",
            style=discord.TextStyle.paragraph,
            required=False,
            max_length=_LONGEST_REST,
            default=shorten(write_lines(rest), _LONGEST_REST) or None,
        )
        for name, field in {**self.fields, "rest": self.rest}.items():
            is_refused = name == kept.mend or (name == "rest" and kept.mend in rest)
            hint = _mark(kept) if is_refused else _HINTS[name]() if name in _HINTS else None
            self.add_item(ui.Label(text=field_label(name), description=hint, component=field))

    async def on_submit(self, interaction: Interaction) -> None:  # type: ignore[override]
        """Submit the request as it is now."""
        note_request(interaction)
        kept = interaction.client.kept.get(self.key)
        if not await is_served(interaction):
            return
        if kept is None:
            await answer(interaction, not_kept_text())
            return
        interaction.client.kept.drop(self.key)  # once; a further refusal keeps it anew
        given = self._given(kept.typed)
        picture: Source | None = given.pop("picture", None)
        move(interaction, given.pop("channel", ""))
        source, facts = (picture, NOTHING_KNOWN) if picture else (kept.source, kept.picture)
        try:
            typed = join_typed(given, self.rest.value)
        except SettingsError as error:
            await refuse(interaction, refused_settings(error), source, {**read_lines(self.rest.value), **given}, facts)
            return
        await submit_typed(interaction, source, typed, Entrance.MEND, facts)

    def _given(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is in the fields; a line below counts instead of a field that was left as it opened."""
        found = {name: value for name, field in self.fields.items() if (value := value_of(field)) is not None}
        lines = read_lines(self.rest.value)
        return {name: value for name, value in found.items() if name not in lines or value != _filled(name, typed)}


def fields_of(kept: Kept, offered: Offered) -> list[str]:
    """Return what has a field of its own: what was refused first, then what people change most."""
    own = (*OPTIONS, "picture", *(["channel"] if offered.channels else []))
    first = [kept.mend] if kept.mend in own else []
    return list(dict.fromkeys([*first, *_USUAL]))[:_FIELDS]


def _mark(kept: Kept) -> str:
    """Say in the refused field that it is the one."""
    texts = {"picture": refused_picture_text(), "channel": refused_channel_text()}
    return texts.get(kept.mend) or refused_field_text(shown(kept.typed.get(kept.mend, "")))


def _filled(name: str, typed: Mapping[str, Any]) -> str:
    """Return what a field holds when it opens."""
    value = shown(typed.get(name, ""))
    return typed_word(Motion(value)) if name == "motion" and value in set(Motion) else value


def _field(name: str, typed: Mapping[str, Any], offered: Offered) -> ui.Item[Any]:
    value = _filled(name, typed)
    if name == "picture":
        return ui.FileUpload(custom_id=name, required=False, min_values=0, max_values=1)
    if name == "channel":
        options = [
            discord.SelectOption(label=shorten(f"#{item.name}", CHOICE_LETTERS), value=str(item.id))
            for item in offered.channels
        ]
        return ui.Select(custom_id=name, required=False, min_values=0, options=options)
    if name in WORDS:
        return _menu(name, value, offered.server)
    return ui.TextInput(
        custom_id=name, required=False, max_length=_LONGEST_VALUE, default=shorten(value, _LONGEST_VALUE) or None
    )


def _menu(name: str, value: str, server: ServerSettings) -> ui.Select[Any]:
    allowed = {"format": server.formats, "quality": server.qualities}.get(name) or frozenset(WORDS[name])
    texts = {str(item): (choice_label(item), choice_hint(item)) for item in WORDS[name] if item in allowed}
    options = choices_of(discord.SelectOption, texts, [value])
    usual = usual_choice_text()
    return ui.Select(custom_id=name, required=False, min_values=0, options=options, placeholder=usual)
