"""Choosing, being refused and mending, as a person does it: in a real browser, by keyboard alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import chromium, drop_picture, messages, open_page, type_command
from tests.support.edge import Edge, running_edge

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark", "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("edge")
    async with Sandbox() as sandbox, running_edge(folder, sandbox) as running:
        yield running


@pytest.mark.parametrize(
    ("device", "nonsense"), [(DESKTOP, "banana"), (PHONE, "cherry")], ids=["desktop, light", "phone, dark"]
)
async def test_a_motion_is_typed_refused_and_mended_by_keyboard(
    browser: Browser, edge: Edge, device: dict[str, Any], nonsense: str
) -> None:
    page = await open_page(browser, edge.sandbox, **device)
    before = len(edge.backend.requests)
    await type_command(page, "animate")
    await drop_picture(page)
    await page.get_by_label("More options").focus()
    await page.keyboard.type("mot")
    await page.keyboard.press("Enter")
    for word in ("gentle: still camera, only small things move", "wild: everything moves"):
        await expect(page.get_by_role("option").filter(has_text=word)).to_be_visible()
    await page.keyboard.press("Backspace")
    await page.get_by_label("More options").focus()
    await page.keyboard.type(f"motion:{nonsense}")
    await page.keyboard.press("Enter")
    refused = messages(page).filter(has_text=f"I know no motion {nonsense}")
    await refused.get_by_role("button", name="Mend and try again").press("Enter")
    field = page.locator("dialog [data-custom-id=motion]")
    await expect(field).to_have_value(nonsense)
    await expect(field).to_be_focused()
    await expect(page.get_by_role("dialog")).to_contain_text(f"Refused: {nonsense}")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("42")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(messages(page).last).to_contain_text("here is your clip")
    assert [request.settings.motion_bucket for request in edge.backend.requests[before:]] == [42]
    await page.context.close()
