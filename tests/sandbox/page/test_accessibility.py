"""axe-core on every view of the page, dark and light, wide and on a phone: nothing serious may be found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from bot.sandbox.server import Sandbox
from tests.support.axe import serious_findings
from tests.support.browser import SAMPLE, drop_picture, newest, open_page, run_command, type_command

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
Look = Callable[[str, str], Awaitable[None]]
VIEWS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1280, "height": 800}},
    "at 200 %": {"viewport": {"width": 640, "height": 400}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}


async def open_view(browser: Browser, sandbox: Sandbox, view: str, theme: str) -> Page:
    page = await open_page(browser, sandbox, reduced_motion="reduce", **VIEWS[view])
    if theme == "light":
        await page.evaluate("localStorage['vivant-theme'] = 'light'")
        await page.reload()
        await expect(page.locator("body.ready")).to_be_attached()
    await expect(page.locator("html")).to_have_attribute("data-theme", theme)
    return page


@pytest.mark.parametrize(
    ("view", "theme"), [("wide", "dark"), ("wide", "light"), ("at 200 %", "light"), ("phone", "dark")]
)
async def test_nothing_serious_is_found(browser: Browser, sandbox: Sandbox, view: str, theme: str) -> None:
    page = await open_view(browser, sandbox, view, theme)
    found: dict[str, list[str]] = {}

    async def look(name: str, part: str) -> None:
        found[name] = await serious_findings(page, part)

    await write(page, look)
    await read(page, look)
    await page.locator("#tour").click()
    await look("what to try next", ".menu")
    await page.keyboard.press("Escape")
    if view != "wide":
        await page.locator("#open-channels").click()
        await look("channels", ".app")
    assert {name: items for name, items in found.items() if items} == {}
    await page.context.close()


async def write(page: Page, look: Look) -> None:
    """Look at the composer: commands, people, an empty form, a filled one with a mistake in it."""
    await look("channel", "html")
    field = page.locator("#message-text")
    await field.fill("/")
    await expect(page.get_by_role("option").first).to_be_visible()
    await look("commands", ".foot")
    await field.fill("@")
    await expect(page.get_by_role("option", name="@Ben")).to_be_visible()
    await look("people", ".foot")
    await type_command(page, "animate")
    await look("empty form", ".foot")
    await drop_picture(page)
    await page.get_by_label("More options").fill("nothing")
    await page.get_by_role("button", name="Send command").click()
    await expect(page.get_by_role("alert")).to_contain_text("no option")
    await look("filled form", ".foot")
    await page.get_by_label("More options").fill("")
    await page.get_by_role("button", name="Send command").click()


async def read(page: Page, look: Look) -> None:
    """Look at messages with everything in them, and at what opens above them."""
    await newest(page, "Done")
    await run_command_by_button(page, "whisper")
    await newest(page, "A secret")
    await run_command_by_button(page, "components")
    message = await newest(page, "Header")
    await look("messages", "#scroller")
    await message.get_by_role("button", name="Variant").click()
    await look("choices", ".menu")
    await page.keyboard.press("Escape")
    await message.get_by_role("button", name="Open clip").first.click()
    await look("large clip", "dialog")
    await page.keyboard.press("Escape")
    await run_command_by_button(page, "form")
    await expect(page.get_by_role("dialog", name="Animate with care")).to_be_visible()
    await look("the bot's form", "dialog")
    await page.keyboard.press("Escape")
    await run_command_by_button(page, "boxes")
    form = page.get_by_role("dialog", name="Boxes and files")
    await form.get_by_label("Files (required)").set_input_files(SAMPLE)
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_contain_text("needs an answer")
    await look("a form with mistakes", "dialog")
    await page.keyboard.press("Escape")


async def run_command_by_button(page: Page, name: str) -> None:
    """Send a command without Enter, which begins a new line on a phone."""
    if not await page.evaluate("matchMedia('(pointer: coarse)').matches"):
        return await run_command(page, name)
    await type_command(page, name)
    return await page.get_by_role("button", name="Send command").click()


async def test_a_page_that_is_broken_on_purpose_is_caught(ada: Page) -> None:
    await ada.evaluate("document.querySelector('#composer .send').removeAttribute('aria-label')")
    await ada.evaluate("document.querySelector('.channel-header h2').style.color = '#333'")
    found = " ".join(await serious_findings(ada))
    assert "button-name" in found
    assert "color-contrast" in found
