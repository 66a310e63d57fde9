"""What a newcomer does in the demo: a real browser, the real bot, the demo model."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from bot.sandbox.demo import running_bot
from bot.sandbox.server import Sandbox
from tests.support.browser import (
    become,
    chromium,
    drop_picture,
    messages,
    newest,
    open_page,
    plays,
    run_command,
    type_command,
)
from tests.support.long_render import MANY_FRAMES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
RENDER_MS = 120_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    async with Sandbox() as running, running_bot(running, tmp_path_factory.mktemp("bot")):
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def ada(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Page]:
    page = await open_page(browser, sandbox)
    await expect(page.locator("#bot-state")).to_contain_text("is online", timeout=30_000)
    yield page
    await page.context.close()


async def set_option(page: Page, name: str, value: str) -> None:
    """Pick an option from the list and fill it, with the keyboard alone."""
    await page.keyboard.type(name)
    await page.keyboard.press("Enter")
    await expect(page.locator(f"input[data-option={name}]")).to_be_focused()
    await page.keyboard.type(value)
    await page.keyboard.press("Tab")


async def animate(page: Page, **options: str) -> Locator:
    """Drop a picture, set options, send, and return the status card."""
    await drop_picture(page)
    await expect(page.get_by_label("More options")).to_be_focused()
    for name, value in options.items():
        await set_option(page, name, value)
    await page.keyboard.press("Enter")
    return await newest(page, "used /animate")


async def test_a_dropped_picture_comes_back_as_a_clip_that_plays(ada: Page, browser: Browser, sandbox: Sandbox) -> None:
    ben = await open_page(browser, sandbox, "Ben")
    card = await animate(ada, quality="fast", frames=str(MANY_FRAMES))
    await expect(card.locator(".thumbnail img")).to_be_visible()
    await expect(card.get_by_role("button", name="Cancel")).to_be_visible()
    await expect(card).to_contain_text(re.compile(rf"step \d+ of {MANY_FRAMES}"), timeout=RENDER_MS)
    clip = messages(ada).filter(has=ada.locator("video"))
    await expect(clip).to_contain_text("@Ada", timeout=RENDER_MS)
    await expect(clip).to_contain_text("Demo model")
    assert await plays(clip.locator("video"))
    await expect(card).to_have_count(0)

    await expect(messages(ben).locator("video")).to_be_visible()
    await messages(ben).get_by_role("button", name="Delete").click()
    await expect(messages(ben).last).to_contain_text("Only you can see this")
    await expect(messages(ada).filter(has_text="Only you can see this")).to_have_count(0)
    await expect(clip.locator("video")).to_be_visible()
    await ben.context.close()


async def test_a_button_kills_the_gpu_process_and_the_clip_comes_all_the_same(ada: Page) -> None:
    clips = messages(ada).filter(has=ada.locator("video"))
    before = await clips.count()
    await ada.get_by_role("button", name="Kill the GPU process").click()
    card = await newest(ada, "used /animate")
    await expect(ada.locator("#toasts")).to_contain_text("is killed", timeout=RENDER_MS)
    await expect(ada.locator("#toasts")).to_contain_text("took over after", timeout=RENDER_MS)
    await expect(clips).to_have_count(before + 1, timeout=RENDER_MS)
    await expect(card).to_have_count(0, timeout=RENDER_MS)
    moving = "(video) => !video.paused && video.muted && video.loop"
    await clips.last.scroll_into_view_if_needed()
    assert await clips.last.locator("video").evaluate(moving), "it plays by itself, and goes on"


async def test_cancel_ends_a_render(ada: Page) -> None:
    card = await animate(ada, frames="50")
    await card.get_by_role("button", name="Cancel").click()
    await expect(card).to_contain_text("Cancelled", timeout=RENDER_MS)
    await expect(card.get_by_role("button", name="Cancel")).to_have_count(0)


async def test_what_is_no_picture_is_refused_in_a_sentence(ada: Page) -> None:
    await type_command(ada, "animate")
    file: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not a picture"}
    await ada.locator("input[type=file][data-option=image]").set_input_files(file)
    await ada.keyboard.press("Enter")
    await expect(messages(ada).last).to_contain_text(re.compile("picture"), timeout=RENDER_MS)
    await expect(messages(ada).last).not_to_contain_text("Error")


async def test_answers_to_one_person_leave_the_screen_with_that_person(ada: Page) -> None:
    await run_command(ada, "queue")
    await expect(messages(ada).last).to_contain_text("Only you can see this")
    for name, seen in (("Ben", 0), ("Ada", 1)):
        await become(ada, name)
        await expect(messages(ada).filter(has_text="used /queue")).to_have_count(seen)


async def test_only_the_owner_is_offered_and_obeyed_in_admin_commands(ada: Page) -> None:
    await ada.locator("#message-text").fill("/admin")
    await expect(ada.locator("#suggestions")).to_contain_text("No command matches")
    await become(ada, "Olga")
    await type_command(ada, "admin pause")
    await expect(ada.locator("input[data-option=reason]")).to_be_focused()
    await ada.keyboard.type("New fans")
    await ada.keyboard.press("Enter")
    await expect(messages(ada).last).to_contain_text(re.compile("paus", re.IGNORECASE))
    await run_command(ada, "admin resume")
    await expect(messages(ada).last).to_contain_text("used /admin resume")
