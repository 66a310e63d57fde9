"""When the demo does not answer, restarts, or its bot is away or paused: what the page shows, and what it keeps."""

from __future__ import annotations

import re
import socket

import pytest
from playwright.async_api import Browser, Page, Route, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import drop_picture, open_page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
GREEN = re.compile(r"\bonline\b")


async def test_offline_is_noticed_before_anything_is_sent_and_so_is_its_end(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox)
    state = page.locator("#bot-state")
    await expect(state).to_have_class(GREEN)
    await page.context.set_offline(True)
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    await expect(state).to_have_text("Connection lost")
    await expect(state).not_to_have_class(GREEN)
    await expect(page.locator("#members")).to_contain_text("connection lost")
    await page.context.set_offline(False)
    await expect(state).to_contain_text("is online")
    await expect(page.locator("#banner")).to_contain_text("nothing here leaves this machine")
    await page.context.close()


async def test_a_demo_that_hangs_is_noticed_though_its_socket_is_open(ada: Page) -> None:
    async def hang_up(route: Route) -> None:
        await route.abort()

    await ada.route(re.compile("/api/alive"), hang_up)
    await ada.route(re.compile("/api/session"), hang_up)
    await expect(ada.locator("#bot-state")).to_have_text("Connection lost")


async def test_what_cannot_be_sent_is_kept_and_said_in_a_sentence(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox)
    await page.context.set_offline(True)
    await page.locator("#message-text").fill("Keep this")
    await page.keyboard.press("Enter")
    await expect(page.locator("#toasts")).to_contain_text("The demo does not answer")
    await expect(page.locator("#toasts")).not_to_contain_text("fetch")
    await expect(page.locator("#message-text")).to_have_value("Keep this")
    await page.context.close()


async def test_a_restart_keeps_a_form_that_is_half_filled(browser: Browser) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with Sandbox(port=port) as first:
        await offer(first)
        page = await open_page(browser, first)
        await drop_picture(page)
        await page.keyboard.type("title")
        await page.keyboard.press("Enter")
        await page.keyboard.type("By the lake")
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    async with Sandbox(port=port) as second:
        await offer(second)
        await expect(page.locator("#banner")).to_contain_text("nothing here leaves this machine")
        await expect(page.locator("input[data-option=title]")).to_have_value("By the lake")
        await expect(page.locator("input[data-option=title]")).to_be_focused()
        await expect(page.locator(".tile")).to_contain_text("sample-lake.webp")
        await page.context.close()


async def test_another_person_gets_no_half_filled_form(ada: Page) -> None:
    """The negative control of a restart."""
    await drop_picture(ada)
    await ada.locator("#who").click()
    await ada.get_by_role("menuitem", name="Ben").click()
    await expect(ada.get_by_role("form", name="/animate")).to_have_count(0)


async def offer(sandbox: Sandbox) -> None:
    """Register /animate as a bot would."""
    options = [
        {"type": 11, "name": "image", "description": "The picture", "required": True},
        {"type": 3, "name": "title", "description": "A title"},
    ]
    command = {"type": 1, "name": "animate", "description": "Bring a picture to life", "options": options}
    sandbox.world.commands.overwrite(None, [command])


async def test_a_paused_bot_is_not_shown_as_online(ada: Page, sandbox: Sandbox) -> None:
    before = dict(sandbox.gateway.presence)
    sandbox.gateway.show_presence({"status": "idle", "activities": [{"state": "paused"}]})
    state = ada.locator("#bot-state")
    await expect(state).to_have_text("Vivant is paused")
    await expect(state).not_to_have_class(GREEN)
    await expect(ada.locator("#members")).to_contain_text("paused")
    sandbox.gateway.show_presence({"status": before["status"], "activities": []})
    await expect(state).to_have_class(GREEN)


@pytest.mark.parametrize(
    ("server", "channel", "says"),
    [
        ("Tableaux", "no-files", "may not attach files here"),
        ("Tableaux", "read-only", "may not write here"),
        ("Elsewhere", "lobby", "is not on this server"),
    ],
)
@pytest.mark.parametrize("width", [1280, 360])
async def test_a_channel_that_refuses_on_purpose_says_so_before(
    browser: Browser, sandbox: Sandbox, server: str, channel: str, says: str, width: int
) -> None:
    page = await open_page(browser, sandbox, viewport={"width": width, "height": 740})
    if width == 360:
        await page.locator("#open-channels").click()
    for button in (server, channel):
        await page.get_by_role("button", name=button, exact=True).click()
    await expect(page.locator(".intro .notice")).to_contain_text(says)
    await expect(page.locator(".intro .notice")).to_be_in_viewport()
    await expect(page.locator("#channel-note" if width == 360 else ".topic")).to_contain_text(says)
    await page.context.close()
