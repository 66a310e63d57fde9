"""What the form says and remembers, on the page in Chromium and at 200 % zoom; tests/test_flows.py fills it in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BEN, PICTURES
from tests.support.axe import serious_findings
from tests.support.browser import chromium, messages, open_page, run_command, type_command
from tests.support.edge import Edge, png, running_edge, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
ZOOMED: dict[str, Any] = {"viewport": {"width": 640, "height": 360}}
"""a window of 1280x720 at 200 %"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    async with Sandbox() as sandbox, running_edge(tmp_path_factory.mktemp("bot"), sandbox) as running:
        yield running


def form_on(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Animate a picture")


async def test_the_form_tells_what_each_field_is_and_begins_with_the_last_choice(browser: Browser, edge: Edge) -> None:
    await edge.store.choices.keep(int(BEN), {"motion": "wild", "format": "gif"})
    page = await open_page(browser, edge.sandbox, "Ben")
    await run_command(page, "animate-form")
    form = form_on(page)
    about = "JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC · One file, at most 10 MB."
    await expect(form.get_by_label("Picture (required)")).to_have_accessible_description(about)
    group = form.get_by_role("radiogroup", name="Motion (required)")
    await expect(group).to_have_accessible_description("How much shall move")
    await expect(group.get_by_role("radio", name="Wild Everything moves, and the clip departs")).to_be_checked()
    await expect(form.get_by_role("button", name="Format (required) GIF")).to_be_visible()
    await form.get_by_role("button", name="Submit").press("Enter")
    await expect(form.get_by_role("alert").last).to_have_text("“Picture” needs an answer.")
    assert await serious_findings(page, "dialog") == []
    await page.context.close()


async def test_every_field_can_be_reached_at_200_percent(browser: Browser, edge: Edge) -> None:
    edge.world.post(BEN, PICTURES, "Make this one fly.", [png()])
    before = len(edge.backend.requests)
    page = await open_page(browser, edge.sandbox, **ZOOMED)
    message = messages(page).filter(has_text="Make this one fly.").last
    await message.get_by_role("button", name="More actions").press("Enter")
    await page.get_by_role("menuitem", name="Animate with choices").press("Enter")
    form = form_on(page)
    await expect(form).to_be_visible()
    await expect(form.locator("input[type=file]")).to_have_count(0)
    for target in (form.get_by_role("radio", name="Gentle"), form.get_by_role("checkbox", name="Smooth")):
        await target.scroll_into_view_if_needed()
        await target.check()
        await expect(target).to_be_in_viewport(ratio=1)
    assert await form.evaluate("(form) => form.scrollWidth <= form.clientWidth"), "nothing sticks out sideways"
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_have_count(0)
    await until(lambda: len(edge.backend.requests) > before, "a render")
    settings = edge.backend.requests[-1].settings
    assert (settings.motion_bucket, settings.smooth) == (60, True)
    await page.context.close()


async def test_both_commands_are_found_by_their_first_letters(browser: Browser, edge: Edge) -> None:
    page = await open_page(browser, edge.sandbox)
    await page.locator("#message-text").fill("/anim")
    names = page.get_by_role("option")
    await expect(names.first).to_contain_text("/animate")
    await expect(names.filter(has_text="/animate-form")).to_have_count(1)
    await page.locator("#message-text").fill("")
    await type_command(page, "animate")
    await page.context.close()


async def test_what_to_try_next_opens_the_form(browser: Browser, edge: Edge) -> None:
    page = await open_page(browser, edge.sandbox)
    await page.locator("#tour").press("Enter")
    await page.get_by_role("menuitem", name="Fill in the form").press("Enter")
    await expect(form_on(page).get_by_label("Picture (required)")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(form_on(page)).to_have_count(0)
    await page.context.close()
