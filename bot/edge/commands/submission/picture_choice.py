"""Which of a message's pictures shall move: a private question with a button for each.

Tested in tests/bot/edge/commands/test_animate.py.
"""

from __future__ import annotations

import contextlib
from typing import Any

import discord
from discord import ui

from bot.edge.commands.forgetting import note_request
from bot.edge.commands.submission.answers import answer, report
from bot.edge.commands.submission.options import Options
from bot.edge.commands.submission.permissions import is_served
from bot.edge.commands.submission.sources import Source
from bot.edge.commands.submission.submit import submit
from bot.edge.context import Interaction
from bot.edge.http_errors import NETWORK_ERRORS
from bot.policy.facts import Entrance, PictureFacts
from bot.texts.limits import shorten
from bot.texts.replies import choose_picture_text, chosen_picture_text

_MOST = 25
"""buttons that Discord takes in a message"""
_LABEL_LETTERS = 80
_OPEN_SECONDS = 14 * 60
"""the question can be answered while its interaction's token lives"""


async def offer_pictures(interaction: Interaction, pictures: list[Source], facts: PictureFacts) -> None:
    """Ask privately which picture is meant, and submit the chosen one with the usual settings."""
    view = ui.View(timeout=_OPEN_SECONDS)
    for number, picture in enumerate(pictures[:_MOST], 1):
        label = shorten(f"{number}. {_name(picture)}", _LABEL_LETTERS)
        view.add_item(_PictureButton(interaction, picture, facts, label))
    shown = min(len(pictures), _MOST)
    await answer(interaction, choose_picture_text(shown, len(pictures)), view=view)


class _PictureButton(ui.Button[ui.View]):
    """Submits its picture. The first press ends the question."""

    def __init__(self, asked: Interaction, picture: Source, facts: PictureFacts, label: str) -> None:
        super().__init__(label=label)
        self._asked, self._picture, self._facts = asked, picture, facts

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        note_request(interaction)
        if self.view is not None:
            self.view.stop()
        try:
            if await is_served(interaction):
                await submit(interaction, self._picture, Options(), Entrance.MESSAGE, self._facts)
        except Exception as error:  # noqa: BLE001 - a button has no tree to catch its errors
            await report(interaction, error)
        with contextlib.suppress(*NETWORK_ERRORS):
            await self._asked.edit_original_response(content=chosen_picture_text(self.label or ""), view=None)


def _name(picture: Source) -> str:
    return picture.filename.removeprefix("SPOILER_") or "picture"
