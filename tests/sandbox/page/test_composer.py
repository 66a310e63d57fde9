"""Typing commands in a real browser: suggestions, options, pictures, and another person meanwhile."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import FilePayload, Page, Route, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import SAMPLE, become, drop_file, drop_picture, messages, paste_picture, plays, type_command

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
CHOOSE_LARGE = """(input) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new ArrayBuffer(10.5 * 2 ** 20)], "large.png", { type: "image/png" }));
  input.files = transfer.files;
  input.dispatchEvent(new Event("change"));
}"""


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


async def test_the_list_of_another_field_takes_no_key_while_the_bot_still_looks_for_suggestions(ada: Page) -> None:
    answered = asyncio.Event()
    await ada.route(re.compile("/api/autocomplete"), lambda route: answer_after(answered, route))
    await drop_picture(ada)
    await ada.keyboard.type("title")
    await ada.keyboard.press("Enter")
    title = ada.locator("input[data-option=title]")
    await expect(title).to_be_focused()
    await expect(ada.get_by_role("option")).to_have_count(0)
    await ada.keyboard.type("Sea")
    await ada.keyboard.press("Tab")
    await expect(title).to_have_count(1)
    await expect(title).to_have_value("Sea")
    await expect(ada.get_by_label("More options")).to_be_focused()
    answered.set()
    await ada.keyboard.type("strength")
    await ada.keyboard.press("Enter")
    await expect(ada.locator("input[data-option=strength]")).to_be_focused()
    await ada.keyboard.press("Escape")


async def test_a_list_for_fewer_letters_takes_no_key_before_the_bot_answers(ada: Page) -> None:
    await drop_picture(ada)
    await ada.keyboard.type("title")
    await ada.keyboard.press("Enter")
    await ada.keyboard.type("La")
    await expect(ada.get_by_role("option", selected=True)).to_have_text("La at dusk")
    answered = asyncio.Event()
    await ada.route(re.compile("/api/autocomplete"), lambda route: answer_after(answered, route))
    await ada.keyboard.type("dder")
    await ada.keyboard.press("Tab")
    await expect(ada.locator("input[data-option=title]")).to_have_value("Ladder")
    answered.set()
    await ada.keyboard.press("Shift+Tab")
    await expect(ada.get_by_role("option", selected=True)).to_have_text("Ladder at dusk")
    await ada.keyboard.press("Tab")
    await expect(ada.locator("input[data-option=title]")).to_have_value("Ladder at dusk")
    await ada.keyboard.press("Escape")


async def test_a_required_option_is_asked_for(ada: Page) -> None:
    await type_command(ada, "animate")
    await ada.get_by_role("button", name="Send command").click()
    await expect(ada.get_by_role("alert")).to_contain_text("image is required")
    await ada.keyboard.press("Escape")
    await expect(ada.locator("#message-text")).to_be_focused()


async def test_an_option_that_does_not_exist_is_named_and_nothing_is_sent(ada: Page) -> None:
    before = await messages(ada).count()
    await drop_picture(ada)
    await ada.keyboard.type("strenght")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_role("alert")).to_contain_text("/animate has no option “strenght”")
    await expect(ada.get_by_label("More options")).to_be_focused()
    await ada.get_by_label("More options").fill("motion:lively strenght:3")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_role("alert")).to_contain_text("/animate has no option “strenght”")
    await expect(ada.locator("input[data-option=motion]")).to_have_value("Lively")
    assert await messages(ada).count() == before
    await ada.keyboard.press("Escape")


async def test_a_command_is_typed_whole(ada: Page) -> None:
    await ada.locator("#message-text").fill('/animate motion:gentle strength:7 title:"By the lake"')
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_role("form", name="/animate")).to_be_visible()
    await drop_picture(ada)
    await ada.keyboard.press("Enter")
    done = messages(ada).filter(has_text="title=By the lake").last
    await expect(done).to_contain_text("motion=gentle strength=7")


async def test_an_option_without_a_value_is_not_dropped_without_a_word(ada: Page) -> None:
    await drop_picture(ada)
    await ada.keyboard.type("strength")
    await ada.keyboard.press("Enter")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_role("alert")).to_contain_text("strength has no value")
    await ada.get_by_role("button", name="Remove strength").click()
    await expect(ada.get_by_role("alert")).to_be_hidden()
    await ada.keyboard.press("Escape")


async def test_at_and_hash_complete_to_people_and_channels(ada: Page, sandbox: Sandbox) -> None:
    field = ada.locator("#message-text")
    await field.fill("")
    await field.press_sequentially("Look @b")
    await expect(ada.get_by_role("option", name="@Ben")).to_have_attribute("aria-selected", "true")
    await ada.keyboard.press("Enter")
    await field.press_sequentially("in #gen")
    await ada.keyboard.press("Tab")
    await expect(field).to_have_value("Look @Ben in #general ")
    await field.press_sequentially("not@ben, @ben")
    await ada.keyboard.press("Escape")
    await ada.keyboard.press("Enter")
    message = messages(ada).last
    await expect(message.locator(".mention")).to_have_text(["@Ben", "#general", "@Ben"])
    sent = sandbox.world.messages_for(sandbox.world.actor("Ben"), sandbox.world.channel("pictures"))[-1]
    assert [user["id"] for user in sent["mentions"]] == [sandbox.world.actor("Ben")]


async def test_a_file_over_the_limit_is_refused_before_it_is_sent_and_the_limit_is_named(ada: Page) -> None:
    await type_command(ada, "animate")
    await expect(ada.locator(".tile")).to_contain_text("up to 10 MB")
    await ada.locator("input[type=file][data-option=image]").evaluate(CHOOSE_LARGE)
    await expect(ada.get_by_role("alert")).to_contain_text("large.png has 10.5 MB. A file may have at most 10 MB")
    await expect(ada.locator(".tile")).to_contain_text("Drop, paste or choose a picture")
    await ada.keyboard.press("Escape")
    await ada.locator("#message-files").evaluate(CHOOSE_LARGE)
    await expect(ada.locator("#toasts")).to_contain_text("at most 10 MB")
    await expect(ada.locator(".tray")).to_be_hidden()


async def test_what_is_no_picture_does_not_fill_a_pictures_tile(ada: Page) -> None:
    await type_command(ada, "animate")
    await drop_file(ada, "notes.txt", "text/plain", b"not a picture")
    await expect(ada.get_by_role("alert")).to_contain_text("notes.txt is not a picture")
    await expect(ada.locator(".tile")).to_contain_text("Drop, paste or choose a picture")
    await ada.keyboard.press("Escape")
    await drop_file(ada, "notes.txt", "text/plain", b"not a picture")
    await expect(ada.locator(".tray .file-name")).to_have_text("notes.txt")
    await expect(ada.get_by_role("form", name="/animate")).to_have_count(0)
    await ada.get_by_role("button", name="Remove notes.txt").click()
    await expect(ada.locator("#message-text")).to_be_focused()


async def test_a_tile_that_takes_any_file_says_so_and_hides_none(ada: Page) -> None:
    await type_command(ada, "recipe")
    await expect(ada.locator(".tile")).to_contain_text("choose a file")
    assert await ada.locator("input[type=file][data-option=clip]").get_attribute("accept") is None
    clip: FilePayload = {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": b"0"}
    await ada.locator("input[type=file][data-option=clip]").set_input_files(clip)
    await expect(ada.locator(".tile")).to_contain_text("clip.mp4")
    await ada.keyboard.press("Escape")
    await type_command(ada, "animate")
    accept = await ada.locator("input[type=file][data-option=image]").get_attribute("accept")
    assert accept is not None
    assert accept.startswith("image/*,.heic")
    await ada.keyboard.press("Escape")
