"""Somebody in front of the page, with a mouse, with a finger, or with nothing but a keyboard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from bot.sandbox.server import Sandbox
from tests.support.browser import SAMPLE, messages, open_page

MOST_KEYS = 120
"""pressed until the focus is where it shall be; a person would have given up before"""
NEXT_KEY = """(target) => {
  const at = document.activeElement;
  const marked = target.closest("#suggestions") && target.getAttribute("aria-selected") === "true";
  if (target === at || marked) return "";
  const list = target.closest("#suggestions, [role=menu], [role=listbox]");
  if (list) {
    const items = [...list.querySelectorAll("[role=option], [role=menuitem]")];
    const now = items.findIndex((item) => item === at || item.getAttribute("aria-selected") === "true");
    return now > items.indexOf(target) ? "ArrowUp" : "ArrowDown";
  }
  if (target.type === "radio" && at.type === "radio" && at.name === target.name) return "ArrowDown";
  return at.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_PRECEDING ? "Shift+Tab" : "Tab";
}"""


class Hands(StrEnum):
    """By what a person moves the page."""

    MOUSE = "mouse"
    FINGER = "finger"
    KEYS = "keyboard alone"


@dataclass(frozen=True, slots=True)
class Layout:
    """A device, its colours, and what it is moved by."""

    device: str
    theme: str
    hands: Hands

    @property
    def is_phone(self) -> bool:
        """Tell whether it is a phone."""
        return self.device == "phone"

    def __str__(self) -> str:
        return f"{self.device}, {self.theme}, {self.hands}"


DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1180, "height": 720}},
    "phone": {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True},
}
BESIDE_SIDEBAR = (380, 400)
"""a point of the phone, in pixels"""
LAYOUTS = (
    Layout("desktop", "dark", Hands.MOUSE),
    Layout("desktop", "light", Hands.KEYS),
    Layout("phone", "light", Hands.FINGER),
    Layout("phone", "dark", Hands.KEYS),
)
"""each device in each theme, and each of them once with the keyboard alone"""


class Person:
    """Does one thing after the other on the page, as the layout lets a person do it."""

    def __init__(self, page: Page, layout: Layout) -> None:
        self.page = page
        self.layout = layout

    @classmethod
    async def arrive(cls, browser: Browser, sandbox: Sandbox, layout: Layout, who: str = "Ada", **more: Any) -> Person:
        """Open the page as somebody, in the layout's theme."""
        options = {"reduced_motion": "reduce", **DEVICES[layout.device], **more}
        page = await open_page(browser, sandbox, who, **options)
        person = cls(page, layout)
        if layout.theme == "light":
            await page.evaluate("localStorage['vivant-theme'] = 'light'")
            await page.reload()
        await expect(page.locator("html")).to_have_attribute("data-theme", layout.theme)
        await expect(page.locator("#bot-state")).to_contain_text("is online")
        return person

    # -- one gesture

    async def press(self, target: Locator) -> None:
        """Press a button, a choice, a box or a field."""
        match self.layout.hands:
            case Hands.MOUSE:
                await target.click()
            case Hands.FINGER:
                await target.tap()
            case Hands.KEYS:
                await self._press_by_keys(target)

    async def _press_by_keys(self, target: Locator) -> None:
        await self.reach(target)
        kind = await target.get_attribute("type")
        if kind == "radio":
            await expect(target).to_be_checked()  # the arrows have chosen it
        elif kind in ("checkbox", "file"):
            await self.page.keyboard.press("Space")
        elif kind not in ("text", "search") and await target.evaluate("(one) => one.tagName") != "TEXTAREA":
            await self.page.keyboard.press("Enter")

    async def reach(self, target: Locator) -> None:
        """Move the focus to a control, or the mark of a list to an item, by keys alone."""
        await expect(target).to_be_visible()
        for _ in range(MOST_KEYS):
            key = await target.evaluate(NEXT_KEY)
            if not key:
                return
            await self.page.keyboard.press(key)
        raise AssertionError(f"{MOST_KEYS} keys do not reach {target}")

    # -- what people do with messages

    def newest(self, text: str | re.Pattern[str]) -> Locator:
        """Return the newest message with this text."""
        return messages(self.page).filter(has_text=text).last

    def clips(self) -> Locator:
        """Return the messages with a clip: only they have its recipe."""
        return messages(self.page).filter(has=self.page.locator("[data-custom-id^='vivant:recipe:']"))

    async def press_below(self, message: Locator, label: str) -> None:
        """Press a button of a message."""
        await self.press(message.get_by_role("button", name=label, exact=True).last)

    async def choose_below(self, message: Locator, choice: str) -> None:
        """Choose from the menu of a message."""
        await self.press(message.locator("[data-action=select]"))
        await self.press(self.page.get_by_role("option", name=choice))

    async def open_menu(self, message: Locator) -> None:
        """Open a message's menu, with a mouse by the right button."""
        if self.layout.hands is Hands.MOUSE:
            await message.locator(".markup").first.click(button="right")
        else:
            await self.press(message.get_by_role("button", name="More actions"))

    # -- what people do with commands

    async def begin(self, command: str, *, shown: str | None = None) -> Locator:
        """Type a command's name and choose it from the list; return its form."""
        shown = shown or command
        field = self.page.locator("#message-text")
        await self.press(field)
        await self.page.keyboard.type(f"/{shown}")
        name = self.page.get_by_role("option").filter(has=self.page.get_by_text(f"/{shown}", exact=True))
        await self.press(name)
        form = self.page.get_by_role("form", name=f"/{shown}", exact=True)
        await expect(form).to_be_visible()
        return form

    async def send(self) -> None:
        """Send the command that is typed."""
        if self.layout.hands is Hands.KEYS and not self.layout.is_phone:
            await self.page.keyboard.press("Enter")
        else:
            await self.press(self.page.get_by_role("button", name="Send command"))

    async def run(self, command: str) -> None:
        """Send a command without options."""
        await self.begin(command)
        await self.send()

    async def give_picture(self, form: Locator, picture: Path = SAMPLE) -> None:
        """Choose a picture in the system's dialog, which a command's tile or a form's field opens."""
        in_dialog = form.locator(
            "input[type=file][data-custom-id]" if self.layout.hands is Hands.KEYS else ".drop-zone"
        )
        async with self.page.expect_file_chooser() as chooser:
            await self.press(form.locator(".tile").or_(in_dialog))
        await (await chooser.value).set_files(picture)

    async def animate(self, options: str = "", picture: Path = SAMPLE) -> None:
        """Send /animate with a picture and options, typed as `motion:wild seed:3`."""
        form = await self.begin("animate")
        await self.give_picture(form, picture)
        if options:
            await self.press(self.page.get_by_label("More options"))
            await self.page.keyboard.type(options)
        await self.send()

    async def add_option(self, name: str) -> Locator:
        """Add an option to the command that is typed; return its field, which has the focus."""
        await self.press(self.page.get_by_label("More options"))
        await self.page.keyboard.type(name)
        option = self.page.get_by_role("option").filter(has=self.page.get_by_text(name, exact=True))
        await self.press(option)
        field = self.page.locator(f"input[data-option={name}]")
        await expect(field).to_be_focused()
        return field

    async def write_over(self, field: Locator, text: str) -> None:
        """Replace what a field holds."""
        await self.press(field)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.press("Delete")
        await self.page.keyboard.type(text)

    # -- the person's Discord

    async def speak(self, language: str) -> None:
        """Set one's Discord to a language."""
        await self._choose_beside("#language", language, f"Language: {language}")

    async def become(self, name: str) -> None:
        """Go on as somebody else, with the same hands."""
        await self._choose_beside("#who", name, re.compile(f"You are {name}"))

    async def _choose_beside(self, control: str, choice: str, then: str | re.Pattern[str]) -> None:
        """Choose from a menu of the sidebar, which a phone hides; `then` is what the menu's button is called."""
        if self.layout.is_phone:
            await self.press(self.page.get_by_role("button", name="Channels", exact=True))
        button = self.page.locator(control)
        await self.press(button)
        await self.press(self.page.get_by_role("menuitem", name=choice))
        await expect(button).to_have_accessible_name(then)
        if self.layout.is_phone:
            if self.layout.hands is Hands.KEYS:
                await self.page.keyboard.press("Escape")
            else:
                await self.page.touchscreen.tap(*BESIDE_SIDEBAR)
            await expect(self.page.locator("#sidebar")).to_be_hidden()
