"""The page without a mouse and on small windows: where the focus goes, what can be reached, how large targets are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import drop_picture, messages, newest, open_page, run_command, type_command

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
SMALL_TARGETS = """(least) => [...document.querySelectorAll('button, a[href]')]
  .filter((one) => one.checkVisibility() && !one.closest('.markup, .skip, #scrim') && one.id !== 'scrim')
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([one, box]) => box.width > 0 && (box.width < least - 0.5 || box.height < least - 0.5))
  .map(([one, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${one.outerHTML.slice(0, 90)}`)"""


async def focused_message(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.closest('[data-message]')?.innerText ?? ''"))


async def test_after_a_message_is_deleted_the_focus_is_on_its_neighbour(ada: Page) -> None:
    for text in ("Before it", "Delete me", "After it"):
        await ada.locator("#message-text").fill(text)
        await ada.keyboard.press("Enter")
        await expect(messages(ada).last).to_contain_text(text)
    await messages(ada).filter(has_text="Delete me").get_by_role("button", name="More actions").focus()
    await ada.keyboard.press("Enter")
    await ada.get_by_role("menuitem", name="Delete message").press("Enter")
    await expect(messages(ada).filter(has_text="Delete me")).to_have_count(0)
    assert "After it" in await focused_message(ada)


async def test_after_a_dismissal_and_a_switch_of_channels_the_focus_stays_near(ada: Page) -> None:
    await ada.locator("#message-text").fill("Above")
    await ada.keyboard.press("Enter")
    await run_command(ada, "whisper")
    dismiss = (await newest(ada, "A secret")).get_by_role("button", name="Dismiss message")
    await dismiss.press("Enter")
    await expect(messages(ada).filter(has_text="A secret")).to_have_count(0)
    assert await focused_message(ada)
    await ada.get_by_role("button", name="general", exact=True).press("Enter")
    await expect(ada.get_by_role("heading", name="Welcome to #general")).to_be_visible()
    await expect(ada.get_by_role("button", name="general", exact=True)).to_be_focused()


async def test_a_pressed_button_keeps_the_focus_and_one_that_goes_leaves_it_to_its_message(ada: Page) -> None:
    await run_command(ada, "components")
    message = await newest(ada, "Header")
    await message.get_by_role("button", name="Pressed 0").last.press("Enter")
    await expect(message.get_by_role("button", name="Pressed 1")).to_be_focused()


@pytest.mark.parametrize("size", [(640, 360), (360, 320)])
async def test_every_option_can_be_reached_in_a_low_window(
    browser: Browser, sandbox: Sandbox, size: tuple[int, int]
) -> None:
    """A window of 1280 by 720 at 200 % has the room of one of 640 by 360."""
    page = await open_page(browser, sandbox, viewport={"width": size[0], "height": size[1]})
    await drop_picture(page)
    await expect(page.get_by_label("More options")).to_be_focused()
    options = page.get_by_role("option")
    count = await options.count()
    assert count == 4
    for number in range(count):
        await page.keyboard.press("ArrowDown")
        chosen = page.get_by_role("option", selected=True)
        await expect(chosen).to_have_attribute("data-index", str(number))
        box = await chosen.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= size[1]
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.context.close()


@pytest.mark.parametrize(("touch", "least"), [(False, 24), (True, 44)])
async def test_targets_are_large_enough(browser: Browser, sandbox: Sandbox, touch: bool, least: int) -> None:
    phone: dict[str, Any] = {"has_touch": True, "is_mobile": True, "viewport": {"width": 360, "height": 740}}
    page = await open_page(browser, sandbox, **(phone if touch else {}))
    for name in ("whisper", "components"):
        await type_command(page, name)
        await page.get_by_role("button", name="Send command").click()
        await newest(page, {"whisper": "A secret", "components": "Header"}[name])
    await type_command(page, "animate")
    await page.get_by_label("More options").fill("motion:lively")
    await page.get_by_role("button", name="Send command").click()
    await expect(page.get_by_role("alert")).to_contain_text("image is required")
    assert await page.evaluate(SMALL_TARGETS, least) == []
    if touch:
        await page.locator("#open-channels").click()
        assert await page.evaluate(SMALL_TARGETS, least) == []
        await page.keyboard.press("Escape")
        await expect(page.locator("#open-channels")).to_be_focused()
    assert await page.evaluate(SMALL_TARGETS, 400) != [], "the negative control: nothing is as large as this"
    await page.context.close()


async def test_a_phone_is_not_told_of_keys_that_it_lacks(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    await page.locator("#message-text").fill("One")
    await page.keyboard.press("Enter")
    await page.keyboard.type("Two")
    await expect(page.locator("#message-text")).to_have_value("One\nTwo")
    await page.locator("#message-text").fill("")
    await type_command(page, "animate")
    await expect(page.locator(".tile")).to_contain_text("Choose a picture")
    await page.get_by_label("More options").focus()
    await expect(page.locator("#suggestions")).to_contain_text("the arrow sends")
    await expect(page.locator("#suggestions")).not_to_contain_text(re.compile("enter", re.IGNORECASE))
    await page.context.close()


async def test_a_tap_leaves_no_colour_of_the_browsers_own(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    colour = "getComputedStyle(document.querySelector('#open-channels')).webkitTapHighlightColor"
    assert await page.evaluate(colour) == "rgba(0, 0, 0, 0)"
    await page.evaluate("document.querySelector('link[href*=\"touch\"]').disabled = true")
    assert await page.evaluate(colour) != "rgba(0, 0, 0, 0)", "the negative control"
    await page.context.close()
