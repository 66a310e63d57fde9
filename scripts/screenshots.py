"""Take the README's screenshots from the running demo: `python -m scripts.screenshots`."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, expect

from bot.sandbox.demo import running_bot
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BEN, PICTURES
from tests.support.browser import SAMPLE, chromium, drop_picture, messages, newest, open_page, run_command

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
WIDE = {"width": 1180, "height": 720}
PHONE = {"width": 390, "height": 780}
# The page allows no evaluated scripts, and Playwright's waiting for a condition is one.
SHARP: dict[str, Any] = {"device_scale_factor": 1.25, "bypass_csp": True}
RENDER_MS = 600_000
MOST_FRAMES = 50
"""the demo model has one step: many frames are what there is to see on its card"""


async def save(page: Page, name: str) -> None:
    """Write the page as PNG of few colours: sharp text in a small file."""
    await page.mouse.move(0, 0)
    await page.evaluate("document.fonts.ready")
    picture = Image.open(BytesIO(await page.screenshot()))
    path = FOLDER / f"{name}.png"
    palette = picture.convert("RGB").quantize(256, kmeans=4, dither=Image.Dither.FLOYDSTEINBERG)
    palette.save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size // 1024} KiB\n")


def say_hello(sandbox: Sandbox) -> None:
    """Let Ben post a picture, so that the channel is not empty."""
    balloon = SAMPLE.with_name("sample-balloon.webp")
    upload = Upload("balloons.webp", "image/webp", balloon.read_bytes())
    sandbox.world.post(BEN, PICTURES, "Look what I found! Somebody make this one fly.", [upload])


async def type_command(page: Page) -> None:
    """Fill /animate up to its choices."""
    await drop_picture(page)
    await page.keyboard.type("motion")
    await page.keyboard.press("Enter")
    strong = page.get_by_role("option", name="strong")
    await expect(strong).to_be_visible()
    while await strong.get_attribute("aria-selected") != "true":
        await page.keyboard.press("ArrowDown")


async def open_form(page: Page) -> None:
    """Open the form on Ben's message, and choose a motion."""
    await messages(page).first.get_by_role("button", name="More actions").press("Enter")
    await page.get_by_role("menuitem", name="Animate with choices").press("Enter")
    form = page.get_by_role("dialog", name="Animate a picture")
    await form.get_by_role("radio", name="Strong").check()


async def render(page: Page) -> None:
    """Send the command with many frames, and take the card while it moves and the clip when it is there."""
    await page.keyboard.press("Enter")
    await page.keyboard.type("frames")
    await page.keyboard.press("Enter")
    await page.keyboard.type(str(MOST_FRAMES))
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    card = await newest(page, "used /animate")
    await expect(card).to_contain_text(re.compile(rf"step \d+ of {MOST_FRAMES}"), timeout=RENDER_MS)
    await save(page, "progress")
    await expect(card).to_have_count(0, timeout=RENDER_MS)
    await moves(page)
    await save(page, "clip")


async def moves(page: Page) -> None:
    """Wait until the channel's newest clip can be seen."""
    clip = messages(page).filter(has=page.locator("video")).last
    await expect(clip).to_be_visible(timeout=RENDER_MS)
    await page.wait_for_function("[...document.querySelectorAll('video')].at(-1).readyState >= 2")


async def change(page: Page) -> None:
    """Open the menu below the clip."""
    await page.locator("[data-action=select]").last.press("Enter")
    await expect(page.get_by_role("option").last).to_be_visible()
    await save(page, "menu")
    await page.keyboard.press("Escape")


async def draft(page: Page) -> None:
    """Ask for drafts with the button below the clip."""
    await messages(page).filter(has=page.locator("video")).last.get_by_role("button", name="Drafts").press("Enter")
    sheet = messages(page).filter(has=page.get_by_role("button", name="4", exact=True))
    await expect(sheet).to_be_visible(timeout=RENDER_MS)
    await seen(page)
    await save(page, "drafts")


async def seen(page: Page) -> None:
    """Wait until every picture of the page is there."""
    await page.wait_for_function("[...document.images].every((one) => one.complete)")


async def look_back(page: Page) -> None:
    """Show one's own clips."""
    await run_command(page, "history")
    await expect(messages(page).last).to_contain_text("Only you can see this")
    await seen(page)
    await save(page, "history")


async def mend(page: Page) -> None:
    """Type what no motion is called, and open the form that mends it."""
    await drop_picture(page)
    await page.keyboard.type("motion:slowly")
    await page.keyboard.press("Enter")
    await messages(page).last.get_by_role("button", name="Mend and try again").press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Refused")
    await save(page, "mend")
    await page.keyboard.press("Escape")


async def speak_german(page: Page) -> None:
    """Let a person have a Discord in German, who asks what there is and begins a command."""
    await page.locator("#language").click()
    await page.get_by_role("menuitem", name="Deutsch").click()
    await page.locator("#message-text").fill("/")
    await expect(page.get_by_role("option").filter(has_text="/animieren")).to_be_visible()
    await run_command(page, "hilfe")
    await expect(messages(page).last).to_contain_text("Only you can see this")
    await drop_picture(page)
    await save(page, "german")


async def tour(browser: Browser, sandbox: Sandbox) -> None:
    """Walk through the page and take every picture."""
    page = await open_page(browser, sandbox, viewport=WIDE, **SHARP)
    await expect(page.locator("#bot-state")).to_contain_text("is online", timeout=60_000)
    await save(page, "channel")
    say_hello(sandbox)
    await expect(messages(page)).to_have_count(1)
    await open_form(page)
    await save(page, "form")
    await page.keyboard.press("Escape")
    await speak_german(await open_page(browser, sandbox, "Ben", viewport=WIDE, **SHARP))
    await mend(page)
    await type_command(page)
    await save(page, "command")
    await render(page)
    await change(page)
    await look_back(page)
    for name, options in (
        ("light", {"viewport": WIDE}),
        ("phone", {"viewport": PHONE, "has_touch": True, "is_mobile": True}),
    ):
        other = await open_page(browser, sandbox, **options, **SHARP)
        if name == "light":
            await other.get_by_role("button", name="Switch to light").click()
        await moves(other)
        await save(other, name)
    await draft(page)


async def main() -> None:
    """Start everything, take the pictures, stop everything."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        async with chromium() as browser, Sandbox() as sandbox, running_bot(sandbox, Path(data)):
            await tour(browser, sandbox)


if __name__ == "__main__":
    asyncio.run(main())
