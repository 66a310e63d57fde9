"""What Discord refuses to register as a command."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.world.standard import VIVANT
from tests.support.raw_bot import RawBot

BAD_COMMANDS = {
    "a capital in the name": [{"name": "Animate", "description": "x"}],
    "no description": [{"name": "animate"}],
    "the same name twice": [{"name": "a", "description": "x"}, {"name": "a", "description": "y"}],
    "required after optional": [
        {
            "name": "a",
            "description": "x",
            "options": [
                {"type": 3, "name": "b", "description": "x"},
                {"type": 3, "name": "c", "description": "x", "required": True},
            ],
        }
    ],
}


@pytest.mark.parametrize("commands", BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
async def test_a_bad_command_is_refused(bot: RawBot, commands: list[dict[str, Any]]) -> None:
    status, answer = await bot.call("PUT", f"/applications/{VIVANT}/commands", commands)
    assert (status, answer["code"]) == (400, 50035)
