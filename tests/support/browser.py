"""A real Chromium for the tests, and the actions on the page that they share."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from bot.sandbox.server import Sandbox

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SAMPLE = Path(__file__).parents[2] / "bot" / "sandbox" / "page" / "static" / "sample-lake.webp"
DROP = """([selector, name, bytes, type]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  for (const type of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector(selector).dispatchEvent(event);
  }
}"""
PASTE = """([name, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/webp" }));
  document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium; skip the test with a message in capitals where there is none."""
    expect.set_options(timeout=20_000)  # the page may run beside a render on two cores
    async with async_playwright() as playwright:
        found = next(filter(None, map(shutil.which, NAMES)), playwright.chromium.executable_path)
        if not Path(found).exists():
            pytest.skip("NO BROWSER: the page is NOT tested here. Install one: apt-get install chromium")
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def bot_process(sandbox: Sandbox, module: str, *arguments: str, **environment: str) -> AsyncIterator[None]:
    """Run a bot beside the sandbox until the block ends; the block begins when it is connected."""
    env = os.environ | {"SSL_CERT_FILE": str(sandbox.ca_path)} | environment
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, env=env)
    try:
        await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def open_page(
    browser: Browser, sandbox: Sandbox, who: str = "Ada", *, patience_ms: float = 10_000, **options: Any
) -> Page:
    """Open the page as somebody, in a context (a browser profile) of its own."""
    context = await browser.new_context(locale="en-GB", **options)
    context.set_default_timeout(patience_ms)
    await context.add_init_script(f"sessionStorage['vivant-actor'] ??= '{sandbox.world.actor(who)}'")
    page = await context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"The page threw: {error}"))
    await page.goto(sandbox.page_url)
    await expect(page.locator("body.ready")).to_be_attached()
    return page


async def begin_anew(page: Page) -> None:
    """Forget what the page keeps and what a test did to it, and load it: for a quarter of what a new context costs."""
    await page.unroute_all(behavior="ignoreErrors")
    await page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    await page.mouse.move(0, 0)
    await page.goto(page.url)
    await expect(page.locator("body.ready")).to_be_attached()


async def become(page: Page, name: str) -> None:
    """Switch to another person, and wait until the page shows that person."""
    await page.locator("#who").click()
    await page.get_by_role("menuitem", name=name).click()
    await expect(page.locator("#who")).to_have_accessible_name(re.compile(f"You are {name}"))


async def type_command(page: Page, name: str) -> None:
    """Type a command's name and choose it; without required options a second Enter sends it."""
    field = page.locator("#message-text")
    await field.click()
    await field.fill(f"/{name}")
    await expect(page.get_by_role("option", selected=True)).to_contain_text(f"/{name}")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("form", name=f"/{name}")).to_be_visible()


async def run_command(page: Page, name: str) -> None:
    """Type a command that needs no options, and send it."""
    await type_command(page, name)
    await page.keyboard.press("Enter")


async def drop_picture(page: Page) -> None:
    """Drop the sample picture on the channel."""
    await drop_file(page, SAMPLE.name, "image/webp", SAMPLE.read_bytes())


async def drop_file(page: Page, name: str, kind: str, data: bytes) -> None:
    """Drop a file on the channel."""
    await page.evaluate(DROP, ["#scroller", name, list(data), kind])


async def paste_picture(page: Page) -> None:
    """Paste the sample picture into the focused element."""
    await page.evaluate(PASTE, [SAMPLE.name, list(SAMPLE.read_bytes())])


def messages(page: Page) -> Locator:
    """Return the messages on the page."""
    return page.locator(".message")


async def newest(page: Page, text: str) -> Locator:
    """Wait until the newest message has this text, and return it; later messages do not change the locator."""
    await expect(messages(page).last).to_contain_text(text)
    return page.locator(f'[data-message="{await messages(page).last.get_attribute("data-message")}"]')


async def plays(video: Locator) -> bool:
    """Start a clip and return whether its time advances."""
    return bool(
        await video.evaluate(
            "async (video) => { await video.play(); const moved = (done) => () => video.currentTime > 0.2 && done();"
            " await new Promise((done) => video.addEventListener('timeupdate', moved(done)));"
            " return video.readyState >= 2 && video.videoWidth > 0; }"
        )
    )
