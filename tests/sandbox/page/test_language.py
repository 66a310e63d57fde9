"""Changing the language of a person's client: what commands are called then, and that others' clients keep theirs."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN
from tests.support.browser import become, drop_picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


NAMES = {"image": "bild", "motion": "bewegung"}


def translate(sandbox: Sandbox) -> None:
    """Give the page bot's /animate a German name, as a bot registers it."""
    commands = [dict(item) for item in sandbox.world.commands.all(None)]
    animate = next(item for item in commands if item["name"] == "animate")
    animate |= {
        "name_localizations": {"de": "animieren"},
        "description_localizations": {"de": "Erwecke ein Bild zum Leben"},
        "options": [
            option | {"name_localizations": {"de": NAMES.get(option["name"], option["name"])}}
            for option in animate["options"]
        ],
    }
    sandbox.world.commands.overwrite(None, commands)


async def speak(page: Page, name: str) -> None:
    await page.locator("#language").click()
    await page.get_by_role("menuitem", name=name).click()
    await expect(page.locator("#language")).to_have_accessible_name(f"Language: {name}")


async def test_a_person_reads_and_types_commands_in_their_language(ada: Page, sandbox: Sandbox) -> None:
    translate(sandbox)
    await expect(ada.locator("#language")).to_have_accessible_name("Language: English, US")
    await speak(ada, "Deutsch")
    assert (sandbox.world.locale(ADA), sandbox.world.locale(BEN)) == ("de", "en-US")
    await ada.locator("#message-text").fill("/anim")
    offered = ada.get_by_role("option").filter(has_text="/animieren")
    await expect(offered).to_contain_text("Erwecke ein Bild zum Leben")
    await expect(offered).to_contain_text("bild")
    await ada.keyboard.press("Enter")
    form = ada.get_by_role("form", name="/animieren")
    await form.get_by_label("More options").fill("bewegung")
    await expect(ada.get_by_role("option", selected=True)).to_contain_text("bewegung")
    await ada.keyboard.press("Escape")
    await become(ada, "Ben")
    await expect(ada.locator("#language")).to_have_accessible_name("Language: English, US")
    await ada.locator("#message-text").fill("/anim")
    await expect(ada.get_by_role("option").filter(has_text="/animate")).to_be_visible()
    await expect(ada.get_by_role("option").filter(has_text="/animieren")).to_have_count(0)


async def test_the_english_name_is_understood_as_well_and_the_bot_hears_the_language(
    ada: Page, sandbox: Sandbox
) -> None:
    translate(sandbox)
    await speak(ada, "Deutsch")
    await ada.locator("#message-text").fill("/animate")
    await expect(ada.get_by_role("option", selected=True)).to_contain_text("/animieren")
    await ada.keyboard.press("Enter")
    await drop_picture(ada)
    async with ada.expect_response("**/api/invoke") as response:
        await ada.get_by_role("button", name="Send command").click()
    sent = await (await response.value).json()
    payload = sandbox.world.interactions.get(sent["id"]).payload
    assert (payload["locale"], payload["data"]["name"]) == ("de", "animate"), "requests have the command's own name"
    await speak(ada, "English, US")
