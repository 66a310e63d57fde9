"""The button under a refusal that its person can mend.

Tested in tests/bot/edge/commands/submission/choosing/test_mending.py.
"""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from bot.texts.asking.mending import mend_label, mend_until_text
from bot.texts.limits import MESSAGE_LETTERS, count_letters, shorten


class MendButton(ui.Button[Any]):
    """Opens the form; its custom id names the request."""

    def __init__(self, key: str) -> None:
        super().__init__(label=mend_label(), style=discord.ButtonStyle.primary, custom_id=f"vivant-mend:{key}")

    def is_dispatchable(self) -> bool:
        """Return False, so that discord.py does not keep the message's view for this object's callback."""
        return False


def mendable(text: str, key: str, until_ms: int) -> tuple[str, dict[str, Any]]:
    """Return what a person reads about a refusal that they can mend, and what else its message has."""
    view = ui.View(timeout=None)
    view.add_item(MendButton(key))
    until = mend_until_text(until_ms)
    return f"{shorten(text, MESSAGE_LETTERS - count_letters(until) - 1)}\n{until}", {"view": view}
