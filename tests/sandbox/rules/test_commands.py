"""What Discord refuses to register as a command."""

from __future__ import annotations

from typing import Any

import pytest
from discord import Locale

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.locales import LOCALES, as_shown
from bot.sandbox.world.standard import ADA, VIVANT
from bot.sandbox.world.world import World
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
    "a language that Discord has not": [{"name": "a", "description": "x", "name_localizations": {"tlh": "b"}}],
    "a capital in a translated name": [{"name": "a", "description": "x", "name_localizations": {"de": "Lauf"}}],
    "a translated description that is too long": [
        {"name": "a", "description": "x", "description_localizations": {"fr": "y" * 101}}
    ],
    "a translated name that another command has": [
        {"name": "a", "description": "x", "name_localizations": {"de": "lauf"}},
        {"name": "b", "description": "x", "name_localizations": {"de": "lauf"}},
    ],
    "a translated name that another command has by itself": [
        {"name": "a", "description": "x", "name_localizations": {"de": "b"}},
        {"name": "b", "description": "x"},
    ],
    "two options of one name in a language": [
        {
            "name": "a",
            "description": "x",
            "options": [
                {"type": 3, "name": "b", "description": "x", "name_localizations": {"ja": "名前"}},
                {"type": 3, "name": "c", "description": "x", "name_localizations": {"ja": "名前"}},
            ],
        }
    ],
    "a translated choice that is too long": [
        {
            "name": "a",
            "description": "x",
            "options": [
                {
                    "type": 3,
                    "name": "b",
                    "description": "x",
                    "choices": [{"name": "c", "value": "c", "name_localizations": {"de": "d" * 101}}],
                }
            ],
        }
    ],
    "more than 8000 letters in the longest languages": [
        {
            "name": "a",
            "description": "x",
            "options": [
                {
                    "type": 3,
                    "name": f"b{number}",
                    "description": "x",
                    "choices": [{"name": "c", "value": "c" * 100, "name_localizations": {"de": "d" * 100}}] * 2,
                }
                for number in range(20)
            ],
        }
    ],
    "a translated menu entry that is too long": [{"type": 3, "name": "a", "name_localizations": {"de": "d" * 33}}],
}


@pytest.mark.parametrize("commands", BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
async def test_a_bad_command_is_refused(bot: RawBot, commands: list[dict[str, Any]]) -> None:
    status, answer = await bot.call("PUT", f"/applications/{VIVANT}/commands", commands)
    assert (status, answer["code"]) == (400, 50035)


async def test_translated_commands_are_kept_and_shown_to_each_person_in_their_language(bot: RawBot) -> None:
    definition = {
        "name": "run",
        "description": "Run",
        "name_localizations": {"de": "lauf", "ja": "走る"},
        "description_localizations": {"de": "Laufen"},
        "options": [
            {
                "type": 3,
                "name": "speed",
                "description": "How fast",
                "name_localizations": {"de": "tempo"},
                "choices": [{"name": "fast", "value": "f", "name_localizations": {"de": "schnell"}}],
            }
        ],
    }
    status, answer = await bot.call("PUT", f"/applications/{VIVANT}/commands", [definition])
    assert status == 200 and answer[0]["name_localizations"] == definition["name_localizations"]
    german = as_shown(answer[0], "de")
    assert (german["name"], german["name_localized"], german["description"]) == ("run", "lauf", "Laufen")
    [speed] = german["options"]
    assert (speed["name"], speed["name_localized"], speed["description"]) == ("speed", "tempo", "How fast")
    assert speed["choices"][0] | {"name_localizations": None} == {
        "name": "schnell",
        "value": "f",
        "name_localizations": None,
    }
    assert "name_localized" not in as_shown(answer[0], "fr")
    assert answer[0]["name"] == "run", "what was registered stays as it was"


def test_a_client_can_be_set_to_discords_languages_alone() -> None:
    assert {locale.value for locale in Locale} == set(LOCALES)
    world = World()
    assert world.locale(ADA) == "en-US"
    world.set_locale(ADA, "ja")
    assert world.locale(ADA) == "ja"
    with pytest.raises(NotPossible):
        world.set_locale(ADA, "tlh")
