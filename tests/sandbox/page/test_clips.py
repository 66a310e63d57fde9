"""Clips on the page: they play by themselves, can be stopped, and stand still for who prefers that."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from tests.support.browser import messages, newest, open_page, run_command
from tests.support.page_bot import clip, moving_webp

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PLAYS = "(video) => !video.paused && video.muted && video.loop && video.currentTime > 0.1"
PAUSED = "(video) => video.paused && video.readyState >= 2"


async def until(page: Page, condition: str) -> None:
    """Wait until the newest video is in a state; the page forbids what Playwright's own waiting evaluates."""
    for _ in range(200):
        if await page.locator("video").last.evaluate(condition):
            return
        await page.wait_for_timeout(50)
    raise AssertionError(condition)


async def test_a_clip_plays_by_itself_muted_and_again_and_again(ada: Page) -> None:
    await run_command(ada, "components")
    await newest(ada, "Header")
    await until(ada, PLAYS)


async def test_a_clip_is_stopped_and_played_by_keyboard_and_keeps_the_focus(ada: Page) -> None:
    before = await messages(ada).filter(has_text="Header").count()
    await run_command(ada, "components")
    await expect(messages(ada).filter(has_text="Header")).to_have_count(before + 1)
    message = await newest(ada, "Header")
    await until(ada, PLAYS)
    button = message.get_by_role("button", name="Pause clip")
    await button.focus()
    await ada.keyboard.press("Enter")
    await until(ada, PAUSED)
    play = message.get_by_role("button", name="Play clip")
    await expect(play).to_be_focused()
    await ada.keyboard.press("Enter")
    await until(ada, PLAYS)
    await message.get_by_role("button", name="Open clip").press("Enter")
    await expect(ada.get_by_role("dialog").locator("video[controls]")).to_be_visible()
    await ada.keyboard.press("Escape")
    await expect(message.get_by_role("button", name="Open clip")).to_be_focused()


async def test_what_nobody_sees_does_not_play(ada: Page, sandbox: Sandbox) -> None:
    answers = messages(ada).filter(has_text="Header")
    before = await answers.count()
    await run_command(ada, "components")
    # An earlier test's clip plays here too: what is posted before the bot answers would lie above its answer.
    await expect(answers).to_have_count(before + 1)
    await until(ada, PLAYS)
    for number in range(12):
        sandbox.world.post(sandbox.world.actor("Ada"), sandbox.world.channel("pictures"), f"line {number}\n" * 4)
    await expect(messages(ada).last).to_contain_text("line 11")
    await until(ada, PAUSED)


async def test_nothing_moves_for_who_prefers_that(browser: Browser, sandbox: Sandbox) -> None:
    world = sandbox.world
    page = await open_page(browser, sandbox, reduced_motion="reduce")
    files = [Upload("moving.webp", "image/webp", moving_webp())]
    world.post(world.actor("Ada"), world.channel("pictures"), "A WebP", files)
    still = messages(page).filter(has_text="A WebP").last
    await expect(still.locator("canvas")).to_be_visible()
    await expect(still.locator("img")).to_be_hidden()
    await still.get_by_role("button", name="Play moving.webp").click()
    await expect(still.locator("img")).to_be_visible()
    await still.get_by_role("button", name="Pause moving.webp").click()
    await expect(still.locator("canvas")).to_be_visible()
    await run_command(page, "components")
    await newest(page, "Header")
    await until(page, PAUSED)
    await expect(messages(page).last.get_by_role("button", name="Play clip")).to_be_visible()
    await page.context.close()


async def test_a_clip_is_as_large_as_webp_as_it_is_as_mp4_and_both_are_named(ada: Page, sandbox: Sandbox) -> None:
    world = sandbox.world
    channel, who = world.channel("pictures"), world.actor("Ada")
    world.post(who, channel, "MP4 here", [Upload("a.mp4", "video/mp4", clip().read())])
    world.post(who, channel, "WebP here", [Upload("b.webp", "image/webp", moving_webp())])
    mp4 = messages(ada).filter(has_text="MP4 here").last.get_by_role("figure", name="Clip: a.mp4")
    webp = messages(ada).filter(has_text="WebP here").last.get_by_role("figure", name="Picture: b.webp")
    await expect(webp.locator("img")).to_be_visible()
    boxes = [await one.bounding_box() for one in (mp4, webp)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert abs(boxes[0]["width"] - boxes[1]["width"]) < 1


async def test_a_still_webp_has_nothing_to_stop(ada: Page, sandbox: Sandbox) -> None:
    world = sandbox.world
    still = moving_webp(frames=1)
    world.post(world.actor("Ada"), world.channel("pictures"), "Still", [Upload("s.webp", "image/webp", still)])
    message = messages(ada).filter(has_text="Still").last
    await expect(message.locator("img")).to_have_js_property("complete", True)
    await expect(message.get_by_role("button", name=re.compile("Pause|Play"))).to_have_count(0)
