"""Messages and their components in a real browser: shown, pressed, edited, deleted, seen by the right people."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, FilePayload, Page, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import SAMPLE, messages, newest, open_page, run_command

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_only_its_person_sees_an_ephemeral_answer(ada: Page, browser: Browser, sandbox: Sandbox) -> None:
    ben = await open_page(browser, sandbox, "Ben")
    await run_command(ada, "whisper")
    await expect(messages(ada).last).to_contain_text("A secret for you")
    await expect(messages(ada).last).to_contain_text("Only you can see this")
    await run_command(ada, "slow")
    await expect(messages(ben).last).to_contain_text("Thought enough")
    await expect(messages(ben).filter(has_text="A secret")).to_have_count(0)
    await ada.get_by_role("button", name="Dismiss message").last.click()
    await expect(messages(ada).filter(has_text="A secret")).to_have_count(0)
    await ben.context.close()


async def test_a_deferred_answer_is_thinking_until_it_comes(ada: Page) -> None:
    await run_command(ada, "slow")
    await expect(messages(ada).last).to_contain_text("is thinking…")
    await expect(messages(ada).last).to_contain_text("Thought enough")


async def test_a_missing_answer_is_said_after_three_seconds(ada: Page) -> None:
    await run_command(ada, "silent")
    await expect(messages(ada).last).to_contain_text("The application did not respond")
    await expect(messages(ada).last).to_contain_text("Ada used /silent")


async def test_components_are_drawn_and_answer(ada: Page) -> None:
    await run_command(ada, "components")
    message = await newest(ada, "Header")
    await expect(message.get_by_role("heading", name="Header")).to_be_visible()
    await expect(message.locator("strong", has_text="bold")).to_be_visible()
    await expect(message.get_by_role("link", name="link", exact=True)).to_have_attribute("rel", "noopener noreferrer")
    await expect(message.locator("pre")).to_have_text('print("<b>not bold</b>")')
    await expect(message.locator("time.stamp")).to_contain_text("years ago")
    await expect(message.locator(".media-image")).to_have_count(4)
    await expect(message.get_by_role("button", name="Off")).to_be_disabled()
    await expect(message.get_by_role("link", name="Site")).to_have_attribute("target", "_blank")
    await message.get_by_role("button", name="Pressed 0").last.click()
    await expect(message.get_by_role("button", name="Pressed 1")).to_be_visible()
    await message.get_by_role("button", name="Variant").click()
    await ada.get_by_role("option", name="svd-xt").click()
    await expect(messages(ada).last).to_contain_text("Picked svd-xt")
    await message.get_by_role("button", name="People").click()
    await ada.get_by_role("option", name="Ben").click()
    await ada.get_by_role("option", name="Mia").click()
    await ada.get_by_role("button", name="Done", exact=True).last.click()
    await expect(messages(ada).last).to_contain_text("Picked 2 people")


async def test_text_never_becomes_markup(ada: Page) -> None:
    hostile = '<img src=x onerror="document.title=1"> <script>document.title=2</script> [x](javascript:alert(1))'
    await ada.locator("#message-text").fill(hostile)
    await ada.keyboard.press("Enter")
    await expect(messages(ada).last.locator(".markup")).to_have_text(hostile)
    await expect(messages(ada).last.locator(".markup :is(img, script, a)")).to_have_count(0)


async def test_an_edit_leaves_a_playing_clip_alone(ada: Page) -> None:
    await run_command(ada, "components")
    message = await newest(ada, "Header")
    video = message.locator("video")
    await video.evaluate("(video) => { video.loop = true; video.dataset.same = 'yes'; return video.play() }")
    await message.get_by_role("button", name="Pressed 0").last.click()
    await expect(message.get_by_role("button", name="Pressed 1")).to_be_visible()
    assert await video.evaluate("(video) => video.dataset.same === 'yes' && !video.paused")


async def test_an_unanswered_press_is_said_at_the_button(ada: Page) -> None:
    await run_command(ada, "components")
    button = (await newest(ada, "Header")).get_by_role("button", name="Never answers")
    await button.click()
    await expect(button).to_have_class(re.compile("waiting"))
    await expect(messages(ada).last).to_contain_text("This interaction failed")
    await expect(button).not_to_have_class(re.compile("waiting"))


async def test_a_form_goes_to_the_bot_with_its_file(ada: Page) -> None:
    await run_command(ada, "form")
    form = ada.get_by_role("dialog", name="Animate with care")
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert")).to_contain_text("needs an answer")
    await form.get_by_label("Name").fill("Lake")
    await form.get_by_role("button", name="Variant").click()
    await ada.get_by_role("option", name="svd-xt").click()
    await form.get_by_label("Picture").set_input_files(SAMPLE)
    await form.get_by_text("Fast").click()
    await form.get_by_text("Loop").click()
    await form.get_by_role("button", name="Submit").click()
    await expect(messages(ada).last).to_contain_text(f"Form: ['Lake', ['svd-xt'], ['{SAMPLE.name}'], 'Fast', ['Loop']]")
    await expect(form).to_have_count(0)


async def test_a_message_with_a_picture_has_the_bots_entry_in_its_menu(ada: Page) -> None:
    await ada.locator("#message-files").set_input_files(SAMPLE)
    await ada.locator("#message-text").fill("Look")
    await ada.keyboard.press("Enter")
    message = messages(ada).filter(has_text="Look").last
    await message.click(button="right", position={"x": 300, "y": 8})
    await ada.get_by_role("menuitem", name="Animate this image").click()
    await expect(messages(ada).last).to_contain_text(f"Would animate {SAMPLE.name}")


async def test_a_file_that_is_only_named_like_a_picture_is_shown_as_a_file(ada: Page) -> None:
    file: FilePayload = {"name": "broken.png", "mimeType": "image/png", "buffer": b"not a picture"}
    await ada.locator("#message-files").set_input_files(file)
    await ada.locator("#message-text").fill("Here it is")
    await ada.keyboard.press("Enter")
    message = messages(ada).filter(has_text="Here it is").last
    await expect(message.locator(".file-card")).to_contain_text("broken.png")
    await expect(message.locator("img[src*=broken]")).to_have_count(0)


async def test_others_see_messages_come_and_go_and_only_some_may_delete(
    ada: Page, browser: Browser, sandbox: Sandbox
) -> None:
    ben = await open_page(browser, sandbox, "Ben")
    mia = await open_page(browser, sandbox, "Mia")
    await ada.locator("#message-text").fill("Morning, all")
    await ada.keyboard.press("Enter")
    entries = {}
    for page in (ada, ben, mia):
        await messages(page).filter(has_text="Morning, all").hover()
        await messages(page).filter(has_text="Morning, all").get_by_role("button", name="More actions").click()
        entries[page] = page.get_by_role("menuitem", name="Delete message")
    await expect(entries[ben]).to_have_count(0)
    await expect(entries[ada]).to_be_visible()
    await entries[mia].click()
    await expect(messages(ben).filter(has_text="Morning, all")).to_have_count(0)
    await ben.context.close()
    await mia.context.close()
