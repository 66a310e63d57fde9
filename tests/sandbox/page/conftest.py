"""One browser and one sandbox, with a bot that posts every kind of component, for each file of page tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page

from bot.sandbox.server import Sandbox
from tests.support.browser import begin_anew, bot_process, chromium, open_page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running, bot_process(running, "tests.support.page_bot", running.proxy_url, running.token):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def adas_window(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Page]:
    page = await open_page(browser, sandbox)
    yield page
    await page.context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def ada(adas_window: Page) -> Page:
    await begin_anew(adas_window)
    return adas_window
