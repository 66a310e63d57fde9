"""/history and the form for one's own picture as a person meets them: in Chromium, on a phone, by keyboard alone."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from bot.sandbox.rules.uploads import Upload
from tests.support.browser import SAMPLE, chromium, open_page
from tests.support.edge import Edge, Start, until
from tests.support.fakes import Act, FakeBackend

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def press(page: Page, label: str) -> None:
    button = page.get_by_role("button", name=label, exact=True).last
    await button.focus()
    await page.keyboard.press("Enter")


async def made(edge: Edge) -> None:
    await edge.animate(file=Upload("lake.webp", "image/webp", SAMPLE.read_bytes()))
    await edge.delivered()


async def test_a_person_makes_a_recipe_with_their_picture_then_deletes_a_clip(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge, chromium() as browser:
        await made(edge)
        await edge.answer(await edge.invoke("recipe", {"job": 1}))
        page = await open_page(browser, edge.sandbox, **PHONE)
        await press(page, "With your picture")
        form = page.get_by_role("dialog")
        await expect(form).to_contain_text("It is made with: motion")
        await form.locator("input[type=file]").set_input_files(SAMPLE)
        await form.get_by_role("button", name="Submit").focus()
        await page.keyboard.press("Enter")
        await edge.delivered(2)
        assert (await edge.job(2)).settings.seed == (await edge.job(1)).settings.seed

        await edge.answer(await edge.invoke("history"))
        thumbnails = page.get_by_role("img", name="Your picture, as framed")
        await expect(thumbnails).to_have_count(2)
        await expect(thumbnails.last).to_be_visible()
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["viewport"]["width"], "nothing has to be scrolled sideways"
        await press(page, "Delete")
        await expect(page.get_by_text("This cannot be undone.")).to_be_visible()
        await press(page, "Delete for good")
        await expect(page.get_by_text("Deleted: the post, the clip and the picture.")).to_be_visible()

        async def is_gone() -> bool:
            return (await edge.job(1)).clip is None

        await until(is_gone, "the older clip is gone")
