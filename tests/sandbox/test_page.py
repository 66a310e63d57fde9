"""The page in a real browser, with a bot that posts every kind of component."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import (
    SAMPLE,
    become,
    bot_process,
    chromium,
    drop_picture,
    messages,
    newest,
    open_page,
    paste_picture,
    plays,
    run_command,
    type_command,
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running, bot_process(running, "tests.support.page_bot", running.proxy_url, running.token):
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def ada(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Page]:
    page = await open_page(browser, sandbox)
    yield page
    await page.context.close()


async def test_nothing_is_asked_of_other_hosts(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.reload()
    await run_command(page, "parts")
    await expect(page.locator("video").last).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith((sandbox.page_url, "blob:"))] == []
    await page.context.close()


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
    """Late answers to the old person must take neither the focus nor the new one's commands."""
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


async def test_a_pasted_picture_and_a_sample_fill_the_command_too(ada: Page) -> None:
    await ada.locator("#message-text").click()
    await paste_picture(ada)
    await expect(ada.locator(".tile img")).to_be_visible()
    await ada.keyboard.press("Escape")
    await ada.get_by_role("button", name="Animate: A lighthouse").click()
    await expect(ada.get_by_role("form", name="/animate")).to_contain_text("lighthouse.webp")


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
    await run_command(ada, "parts")
    parts = await newest(ada, "Header")
    await expect(parts.get_by_role("heading", name="Header")).to_be_visible()
    await expect(parts.locator("strong", has_text="bold")).to_be_visible()
    await expect(parts.get_by_role("link", name="link", exact=True)).to_have_attribute("rel", "noopener noreferrer")
    await expect(parts.locator("pre")).to_have_text('print("<b>not bold</b>")')
    await expect(parts.locator("time.stamp")).to_contain_text("years ago")
    await expect(parts.locator(".media-image")).to_have_count(4)
    await expect(parts.get_by_role("button", name="Off")).to_be_disabled()
    await expect(parts.get_by_role("link", name="Site")).to_have_attribute("target", "_blank")
    await parts.get_by_role("button", name="Pressed 0").last.click()
    await expect(parts.get_by_role("button", name="Pressed 1")).to_be_visible()
    await parts.get_by_role("button", name="Variant").click()
    await ada.get_by_role("option", name="svd-xt").click()
    await expect(messages(ada).last).to_contain_text("Picked svd-xt")
    await parts.get_by_role("button", name="People").click()
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
    await run_command(ada, "parts")
    parts = await newest(ada, "Header")
    video = parts.locator("video")
    await video.evaluate("(video) => { video.loop = true; video.dataset.same = 'yes'; return video.play() }")
    await parts.get_by_role("button", name="Pressed 0").last.click()
    await expect(parts.get_by_role("button", name="Pressed 1")).to_be_visible()
    assert await video.evaluate("(video) => video.dataset.same === 'yes' && !video.paused")


async def test_an_unanswered_press_is_said_at_the_button(ada: Page) -> None:
    await run_command(ada, "parts")
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
    file = {"name": "broken.png", "mimeType": "image/png", "buffer": b"not a picture"}
    await ada.locator("#message-files").set_input_files(file)  # type: ignore[arg-type]
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


async def test_direct_messages_and_other_channels_stay_apart(ada: Page) -> None:
    await ada.get_by_role("button", name="Direct messages").click()
    await expect(ada.locator(".channel[aria-current]")).to_have_text(re.compile("vivant", re.IGNORECASE))
    await ada.locator("#message-text").fill("Between us")
    await ada.keyboard.press("Enter")
    await expect(messages(ada)).to_have_count(1)
    await become(ada, "Ben")
    await ada.get_by_role("button", name="Direct messages").click()
    await expect(ada.locator(".intro")).to_be_visible()
    await expect(messages(ada)).to_have_count(0)


async def test_a_broken_line_is_mended_and_nothing_is_missed(browser: Browser, sandbox: Sandbox) -> None:
    lines = []
    page = await open_page(browser, sandbox)
    await page.route_web_socket(re.compile("/api/events"), lambda line: lines.append((line, line.connect_to_server())))
    await page.reload()
    await expect(page.locator("#banner")).to_contain_text("nothing here leaves this machine")
    await lines[0][0].close()
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    sandbox.world.post(sandbox.world.actor("Ben"), sandbox.world.channel("pictures"), "While you were away")
    await expect(messages(page).last).to_contain_text("While you were away")
    await expect(page.locator("#banner")).to_contain_text("nothing here leaves this machine")
    await page.context.close()


async def test_light_and_dark_follow_the_system_until_chosen(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox, color_scheme="light")
    root = page.locator("html")
    await expect(root).to_have_attribute("data-theme", "light")
    await page.get_by_role("button", name="Switch to dark").click()
    await page.reload()
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.context.close()


async def test_a_phones_width_hides_the_channels_behind_a_button(browser: Browser, sandbox: Sandbox) -> None:
    page = await open_page(browser, sandbox, viewport={"width": 360, "height": 740})
    await expect(page.locator("#sidebar")).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="Channels", exact=True).click()
    await page.get_by_role("button", name="general").click()
    await expect(page.locator("#sidebar")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Welcome to #general")).to_be_visible()
    await page.context.close()


async def test_every_control_has_a_name(ada: Page) -> None:
    await run_command(ada, "parts")
    await expect(messages(ada).last.locator("video")).to_be_visible()
    nameless = await ada.evaluate(
        "[...document.querySelectorAll('button, input:not([hidden]), textarea, video')]"
        ".filter((one) => !one.textContent.trim() && !one.ariaLabel && !one.ariaLabelledByElements?.length)"
        ".map((one) => one.outerHTML.slice(0, 120))"
    )
    assert nameless == []


async def test_a_bot_that_is_away_is_shown_so(browser: Browser) -> None:
    async with Sandbox() as lonely:
        page = await open_page(browser, lonely)
        await expect(page.locator("#bot-state")).to_contain_text("is offline")
        await page.locator("#message-text").fill("/")
        await expect(page.locator("#suggestions")).to_contain_text("may still be starting")
        await page.context.close()


async def test_other_sites_are_refused(sandbox: Sandbox) -> None:
    url = sandbox.page_url
    own = {"Origin": url}
    async with aiohttp.ClientSession() as session:
        form = {"payload_json": '{"actor": "1", "channel": "1", "message": "1"}'}
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {}):
            async with session.post(f"{url}/api/delete", headers=headers, data=form) as answer:
                assert answer.status == 403
        async with session.get(f"{url}/", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{url}/api/events?actor=1", headers={"Origin": "http://evil.example"})
        async with session.get(f"{url}/", headers=own) as answer:
            assert answer.status == 200
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_an_uploaded_page_is_only_ever_downloaded(sandbox: Sandbox) -> None:
    from bot.sandbox.rules.uploads import Upload

    world = sandbox.world
    upload = Upload("page.html", "text/html", b"<script>alert(1)</script>")
    message = world.post(world.actor("Ben"), world.channel("general"), "", [upload])
    path = message["attachments"][0]["url"].removeprefix("https://cdn.discordapp.com")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{sandbox.page_url}/cdn{path}") as answer:
            assert answer.content_type == "application/octet-stream"
            assert answer.headers["Content-Disposition"] == "attachment"
        async with session.get(f"{sandbox.page_url}/cdn{path}", headers={"Range": "bytes=8-12"}) as answer:
            assert (answer.status, await answer.read()) == (206, upload.data[8:13])
