"""The form as a person meets it: the bot and the page in Chromium, by the keyboard alone, on a phone, at 200 % zoom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BEN, PICTURES
from tests.support.axe import serious_findings
from tests.support.browser import SAMPLE, chromium, messages, open_page, run_command, type_command
from tests.support.edge import Edge, png, running_edge, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
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


async def choose_file(page: Page) -> None:
    async with page.expect_file_chooser() as chooser:
        await form_on(page).get_by_label("Picture (required)").press("Space")
    await (await chooser.value).set_files(SAMPLE)


async def pick(page: Page, field: str, choice: str) -> None:
    """Choose from a menu by the keyboard."""
    await form_on(page).get_by_role("button", name=field).press("Enter")
    await page.get_by_role("option", name=choice).press("Enter")
    await expect(form_on(page).get_by_role("button", name=field)).to_contain_text(choice)


async def test_a_picture_is_animated_by_the_form_with_the_keyboard_alone(browser: Browser, edge: Edge) -> None:
    page = await open_page(browser, edge.sandbox)
    await run_command(page, "animate-form")
    await expect(form_on(page).get_by_label("Picture (required)")).to_be_focused()
    await choose_file(page)
    await page.keyboard.press("Tab")  # the button that removes the file
    await page.keyboard.press("Tab")
    await expect(form_on(page).get_by_role("radio", name="As usual")).to_be_focused()
    for _ in range(3):
        await page.keyboard.press("ArrowDown")
    await expect(form_on(page).get_by_role("radio", name="Strong")).to_be_checked()
    await pick(page, "Loop", "Boomerang")
    await form_on(page).get_by_role("button", name="Submit").press("Enter")
    await expect(form_on(page)).to_have_count(0)
    await until(lambda: edge.backend.requests, "a render")
    settings = edge.backend.requests[-1].settings
    assert (settings.motion_bucket, settings.loop) == (185, "boomerang")
    await page.context.close()


async def test_the_form_tells_what_each_field_is_and_begins_with_the_last_choice(browser: Browser, edge: Edge) -> None:
    await edge.store.choices.keep(int(BEN), {"motion": "wild", "format": "gif"})
    page = await open_page(browser, edge.sandbox, "Ben")
    await run_command(page, "animate-form")
    form = form_on(page)
    about = "JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC One file, at most 10 MB."
    await expect(form.get_by_label("Picture (required)")).to_have_accessible_description(about)
    group = form.get_by_role("radiogroup", name="Motion (required)")
    await expect(group).to_have_accessible_description("How much shall move")
    await expect(group.get_by_role("radio", name="Wild Everything moves, and the clip departs")).to_be_checked()
    await expect(form.get_by_role("button", name="Format (required) GIF")).to_be_visible()
    await form.get_by_role("button", name="Submit").press("Enter")
    await expect(form.get_by_role("alert").last).to_have_text("“Picture” needs an answer.")
    assert await serious_findings(page, "dialog") == []
    await page.context.close()


@pytest.mark.parametrize("options", [PHONE, ZOOMED], ids=["phone", "at 200 %"])
async def test_from_a_message_the_form_needs_no_picture(browser: Browser, edge: Edge, options: dict[str, Any]) -> None:
    edge.world.post(BEN, PICTURES, "Make this one fly.", [png()])
    before = len(edge.backend.requests)
    page = await open_page(browser, edge.sandbox, **options)
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


async def test_animate_this_image_is_still_one_gesture(browser: Browser, edge: Edge) -> None:
    edge.world.post(BEN, PICTURES, "And this one.", [png()])
    before = len(edge.backend.requests)
    page = await open_page(browser, edge.sandbox)
    message = messages(page).filter(has_text="And this one.").last
    await message.get_by_role("button", name="More actions").press("Enter")
    await page.get_by_role("menuitem", name="Animate this image").press("Enter")
    await until(lambda: len(edge.backend.requests) > before, "a render")
    await expect(page.get_by_role("dialog")).to_have_count(0)
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
