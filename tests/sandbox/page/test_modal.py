"""The bot's forms on the page: by the keyboard alone, on a phone, at 200 % zoom, and what a screen reader is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import SAMPLE, messages, open_page, run_command, type_command

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
ZOOMED: dict[str, Any] = {"viewport": {"width": 640, "height": 360}}
"""a window of 1280x720 at 200 %"""
SMALL = """(form) => [...form.querySelectorAll('button, .option, .drop-zone')]
  .filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect())
  .filter((box) => box.width < 24 || box.height < 24).length"""


async def open_form(page: Page, command: str = "boxes", name: str = "Boxes and files") -> Locator:
    if await page.evaluate("matchMedia('(pointer: coarse)').matches"):
        await type_command(page, command)
        await page.get_by_role("button", name="Send command").click()
    else:
        await run_command(page, command)
    form = page.get_by_role("dialog", name=name)
    await expect(form).to_be_visible()
    return form


async def choose_files(page: Page, form: Locator, *files: Any) -> None:
    """Choose files as a person does: by the field that opens the system's dialog."""
    async with page.expect_file_chooser() as chooser:
        await form.get_by_label("Files (required)").press("Space")
    await (await chooser.value).set_files(list(files))


async def test_a_form_is_filled_in_and_sent_by_the_keyboard_alone(ada: Page) -> None:
    form = await open_form(ada)
    await expect(form.get_by_label("Files (required)")).to_be_focused()
    await choose_files(ada, form, SAMPLE)
    await ada.keyboard.press("Tab")
    await expect(form.get_by_role("button", name=f"Remove {SAMPLE.name}")).to_be_focused()
    for key in ("Tab", "Space", "Tab", "Tab", "Space"):
        await ada.keyboard.press(key)
    await expect(form.get_by_label("C", exact=True)).to_be_checked()
    for key in ("Tab", "ArrowUp", "Tab", "Space", "Enter"):
        await ada.keyboard.press(key)
    await expect(messages(ada).last).to_contain_text(f"Boxes: ['{SAMPLE.name}'] ['A', 'C'] Slow True")
    await expect(form).to_have_count(0)


async def test_a_screen_reader_is_told_the_labels_what_is_required_and_the_limits(ada: Page) -> None:
    form = await open_form(ada)
    await expect(form).to_contain_text("Read this first.")
    await expect(form).to_contain_text("What has a star is required.")
    files = form.get_by_label("Files (required)")
    await expect(files).to_have_accessible_description("One or two pictures · Up to 2 files, at most 10 MB each.")
    await expect(files).to_have_attribute("aria-required", "true")
    await expect(form.get_by_role("group", name="Pair (required)")).to_have_accessible_description("Choose 2.")
    radios = form.get_by_role("radiogroup", name="Speed (required)")
    await expect(radios).to_have_attribute("aria-required", "true")
    await expect(radios.get_by_role("radio", name="Slow Takes its time")).not_to_be_checked()
    await expect(radios.get_by_role("radio", name="Fast")).to_be_checked()
    sure = form.get_by_role("checkbox", name="Sure", exact=True)
    await expect(sure).to_have_accessible_description("Think twice")
    await ada.keyboard.press("Escape")


async def test_what_is_missing_is_told_at_its_field_which_gets_the_focus(ada: Page) -> None:
    form = await open_form(ada)
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert").last).to_have_text("“Files” needs an answer.")
    files = form.get_by_label("Files (required)")
    await expect(files).to_be_focused()
    await expect(files).to_have_attribute("aria-invalid", "true")
    await choose_files(ada, form, SAMPLE)
    await form.get_by_label("A", exact=True).check()
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert").last).to_have_text("At least 2 boxes, please.")
    await expect(form.get_by_label("A", exact=True)).to_be_focused()
    for name in "BC":
        await form.get_by_label(name, exact=True).check()
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert").last).to_have_text("At most 2 boxes, please.")
    await expect(files).not_to_have_attribute("aria-invalid", "true")
    await ada.keyboard.press("Escape")


async def test_files_are_limited_removed_and_chosen_again(ada: Page) -> None:
    form = await open_form(ada)
    huge = {"name": "huge.png", "mimeType": "image/png", "buffer": bytes(11 * 1024 * 1024)}
    await choose_files(ada, form, huge)
    await expect(form.get_by_role("alert").first).to_have_text(re.compile(r"huge\.png has 11 MB.*at most 10 MB here"))
    chosen = form.get_by_role("list", name="Chosen files").get_by_role("listitem")
    await expect(chosen).to_have_count(0)
    small = [{"name": f"{name}.png", "mimeType": "image/png", "buffer": b"x"} for name in "abc"]
    await choose_files(ada, form, *small[:2])
    await choose_files(ada, form, small[2])
    await expect(form.get_by_role("alert").first).to_have_text("Only 2 of these files fit here.")
    await expect(chosen).to_have_text([re.compile(r"a\.png"), re.compile(r"b\.png")])
    await form.get_by_role("button", name="Remove a.png").press("Enter")
    await expect(form.get_by_label("Files (required)")).to_be_focused()
    await choose_files(ada, form, small[0])
    await expect(chosen).to_have_text([re.compile(r"b\.png"), re.compile(r"a\.png")])
    await ada.keyboard.press("Escape")


@pytest.mark.parametrize("options", [PHONE, ZOOMED, {"viewport": {"width": 360, "height": 320}}])
async def test_every_field_can_be_reached_in_a_small_window(
    browser: Browser, sandbox: Sandbox, options: dict[str, Any]
) -> None:
    page = await open_page(browser, sandbox, **options)
    form = await open_form(page)
    await choose_files(page, form, SAMPLE)
    for target in (
        form.get_by_label("A", exact=True),
        form.get_by_label("B", exact=True),
        form.get_by_role("radio", name="Slow"),
        form.get_by_role("checkbox", name="Sure"),
    ):
        await target.scroll_into_view_if_needed()
        await target.check()
        await expect(target).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
    assert await form.evaluate("(form) => form.scrollWidth <= form.clientWidth")
    assert await form.evaluate(SMALL) == 0
    await form.get_by_role("button", name="Submit").click()
    await expect(messages(page).last).to_contain_text(f"Boxes: ['{SAMPLE.name}'] ['A', 'B'] Slow True")
    await page.context.close()
