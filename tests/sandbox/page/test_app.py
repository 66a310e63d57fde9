"""The page around the messages, in a real browser: its connection, channels, themes, widths, names of controls."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import become, messages, open_page, run_command

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_nothing_is_asked_of_other_hosts(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.reload()
    await run_command(page, "components")
    await expect(page.locator("video").last).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith((sandbox.page_url, "blob:"))] == []
    await page.context.close()


async def test_direct_messages_and_other_channels_stay_apart(ada: Page) -> None:
    await ada.get_by_role("button", name="Direct messages").click()
    await expect(ada.locator(".channel[aria-current]")).to_have_text(re.compile("vivant", re.IGNORECASE))
    await ada.locator("#message-text").fill("Between us")
    await ada.keyboard.press("Enter")
    await expect(messages(ada)).to_have_count(1)
    await become(ada, "Ben")
    await ada.get_by_role("button", name="Direct messages").click()
    await expect(ada.locator(".intro")).to_be_visible()
    await expect(messages(ada)).to_have_count(0)


async def test_a_lost_connection_is_opened_again_and_nothing_is_missed(browser: Browser, sandbox: Sandbox) -> None:
    sockets = []
    page = await open_page(browser, sandbox)
    await page.route_web_socket(
        re.compile("/api/events"), lambda socket: sockets.append((socket, socket.connect_to_server()))
    )
    await page.reload()
    await expect(page.locator("#banner")).to_contain_text("nothing here leaves this machine")
    await sockets[0][0].close()
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    sandbox.world.post(sandbox.world.actor("Ben"), sandbox.world.channel("pictures"), "While you were away")
    await expect(messages(page).last).to_contain_text("While you were away")
    await expect(page.locator("#banner")).to_contain_text("nothing here leaves this machine")
    await page.context.close()


async def test_the_page_is_dark_as_discord_is_until_light_is_chosen(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox, color_scheme="light")
    root = page.locator("html")
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.get_by_role("button", name="Switch to light").click()
    await page.reload()
    await expect(root).to_have_attribute("data-theme", "light")
    await page.context.close()


async def test_a_phones_width_hides_the_channels_behind_a_button(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox, viewport={"width": 360, "height": 740})
    await expect(page.locator("#sidebar")).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="Channels", exact=True).click()
    await page.get_by_role("button", name="general").click()
    await expect(page.locator("#sidebar")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Welcome to #general")).to_be_visible()
    await page.context.close()


async def test_every_control_has_a_name(ada: Page) -> None:
    await run_command(ada, "components")
    await expect(messages(ada).last.locator("video")).to_be_visible()
    nameless = await ada.evaluate(
        "[...document.querySelectorAll('button, input:not([hidden]), textarea, video')]"
        ".filter((one) => !one.textContent.trim() && !one.ariaLabel && !one.ariaLabelledByElements?.length)"
        ".map((one) => one.outerHTML.slice(0, 120))"
    )
    assert nameless == []


async def test_a_bot_that_is_away_is_shown_so(browser: Browser) -> None:
    async with Sandbox() as lonely:
        page = await open_page(browser, lonely)
        await expect(page.locator("#bot-state")).to_contain_text("is offline")
        await page.locator("#message-text").fill("/")
        await expect(page.locator("#suggestions")).to_contain_text("may still be starting")
        await page.context.close()
