"""Typing commands in a real browser: suggestions, options, pictures, and another person meanwhile."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import SAMPLE, become, drop_picture, messages, paste_picture, plays, type_command

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_typing_a_slash_offers_what_this_person_may_use(ada: Page) -> None:
    await ada.locator("#message-text").fill("/")
    await expect(ada.get_by_role("option").filter(has_text="/animate")).to_contain_text("Bring a picture to life")
    await expect(ada.get_by_role("option").filter(has_text="/admin")).to_have_count(0)
    await become(ada, "Olga")
    await expect(ada.locator("#who")).to_be_focused()
    await ada.locator("#message-text").fill("/")
    await expect(ada.get_by_role("option").filter(has_text="/admin variant")).to_be_visible()
    await ada.keyboard.press("Escape")
    await expect(ada.get_by_role("option")).to_have_count(0)


async def test_typing_on_while_the_person_changes_keeps_the_field_and_its_offers(ada: Page) -> None:
    """Late answers for the person before must not take the focus, nor replace the new person's commands."""
    asked: list[Route] = []
    await ada.route(re.compile(f"/api/commands.*actor={await actor_of(ada)}"), lambda route: asked.append(route))
    await ada.locator("#message-text").fill("/")
    switched = asyncio.Event()
    await ada.route(re.compile("/api/session"), lambda route: answer_after(switched, route))
    await ada.locator("#who").click()
    await ada.get_by_role("menuitem", name="Olga").click()
    await ada.locator("#message-text").fill("/")
    await expect(ada.get_by_role("option").filter(has_text="/admin")).to_have_count(0)
    switched.set()
    await expect(ada.get_by_role("option").filter(has_text="/admin variant")).to_be_visible()
    assert asked
    async with ada.expect_response(asked[0].request.url):
        await asked[0].continue_()
    await expect(ada.get_by_role("option").filter(has_text="/admin variant")).to_be_visible()
    await expect(ada.locator("#message-text")).to_be_focused()


async def actor_of(page: Page) -> str:
    return str(await page.evaluate("sessionStorage['vivant-actor']"))


async def answer_after(event: asyncio.Event, route: Route) -> None:
    await event.wait()
    await route.continue_()


async def test_the_last_of_two_quick_changes_of_person_wins(ada: Page, sandbox: Sandbox) -> None:
    released = asyncio.Event()
    olga = sandbox.world.actor("Olga")
    await ada.route(re.compile(f"/api/session.*actor={olga}"), lambda route: answer_after(released, route))
    await ada.locator("#who").click()
    await ada.get_by_role("menuitem", name="Olga").click()
    await become(ada, "Ben")
    async with ada.expect_response(re.compile(f"/api/session.*actor={olga}")):
        released.set()
    await ada.locator("#message-text").fill("Still me")
    await ada.keyboard.press("Enter")
    await expect(messages(ada).last).to_contain_text("Still me")
    await expect(messages(ada).last).to_contain_text("Ben")
    await expect(ada.locator("#who")).to_have_accessible_name(re.compile("You are Ben"))


async def test_a_dropped_picture_becomes_a_clip_that_plays(ada: Page) -> None:
    await drop_picture(ada)
    await expect(ada.get_by_role("form", name="/animate")).to_contain_text(SAMPLE.name)
    await ada.keyboard.press("Enter")
    await expect(messages(ada).last).to_contain_text("Done, @Ada")
    await expect(messages(ada).last).to_have_class(re.compile("mentions-me"))
    card = messages(ada).filter(has_text="Rendering").filter(has_text="used /animate").last
    await expect(card).to_contain_text(f"{SAMPLE.name} {SAMPLE.stat().st_size} bytes")
    assert await plays(ada.locator("video").last)


async def test_a_pasted_picture_fills_the_command_too(ada: Page) -> None:
    await ada.locator("#message-text").click()
    await paste_picture(ada)
    await expect(ada.locator(".tile img")).to_be_visible()
    await ada.keyboard.press("Escape")


async def test_one_click_on_a_sample_animates_it_and_its_button_says_so(ada: Page) -> None:
    sample = ada.get_by_role("button", name="Animate: A lighthouse")
    await expect(sample).to_have_text("Animate")
    await sample.click()
    card = messages(ada).filter(has_text="lighthouse.webp").filter(has_text="used /animate")
    await expect(card.last).to_contain_text("Rendering")
    await expect(ada.get_by_role("form", name="/animate")).to_have_count(0)


async def test_options_are_filled_by_keyboard_alone_and_checked(ada: Page) -> None:
    await type_command(ada, "animate")
    await expect(ada.get_by_role("button", name="image: The picture")).to_be_focused()
    await paste_picture(ada)
    await ada.keyboard.type("mot")
    await ada.keyboard.press("Enter")
    await ada.keyboard.press("ArrowDown")
    await ada.keyboard.press("ArrowDown")
    await ada.keyboard.press("Enter")
    await ada.keyboard.type("strength")
    await ada.keyboard.press("Enter")
    await ada.keyboard.type("300")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_role("alert")).to_have_text("strength must be 255 or less.")
    await ada.keyboard.press("Backspace")
    await expect(ada.get_by_role("alert")).to_be_hidden()
    await ada.keyboard.press("Tab")
    await ada.keyboard.type("title")
    await ada.keyboard.press("Enter")
    await ada.keyboard.type("Lake")
    await ada.get_by_role("option", name="Lake at dusk").click()
    await ada.keyboard.press("Enter")
    await expect(messages(ada).filter(has_text="strength=30").last).to_contain_text("motion=normal")
    await expect(messages(ada).filter(has_text="strength=30").last).to_contain_text("title=Lake-at dusk")


async def test_a_required_option_is_asked_for(ada: Page) -> None:
    await type_command(ada, "animate")
    await ada.get_by_role("button", name="Send command").click()
    await expect(ada.get_by_role("alert")).to_contain_text("image is required")
    await ada.keyboard.press("Escape")
    await expect(ada.locator("#message-text")).to_be_focused()
