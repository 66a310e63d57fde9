"""Which language a task speaks, and the tasks that it starts."""

from __future__ import annotations

import asyncio

from bot.texts.languages.spoken import speak, speaking, spoken


async def said() -> str:
    await asyncio.sleep(0)
    return spoken().code


def test_english_is_spoken_until_something_else_is_said() -> None:
    assert spoken().code == "en"
    with speaking("de"):
        assert spoken().code == "de"
        with speaking("it"):
            assert spoken().code == "de", "a language that is not spoken changes nothing"
        with speaking(None):
            assert spoken().code == "de"
    assert spoken().code == "en"


async def test_a_task_goes_on_in_the_language_in_which_it_was_started() -> None:
    with speaking("de"):
        german = asyncio.create_task(said())
    with speaking("ja"):
        japanese = asyncio.create_task(said())
    assert list(await asyncio.gather(german, japanese, said())) == ["de", "ja", "en"]


async def test_what_a_task_speaks_from_then_on_stays_in_it() -> None:
    async def switch() -> str:
        speak("fr")
        return await said()

    assert await asyncio.create_task(switch()) == "fr"
    assert spoken().code == "en"
