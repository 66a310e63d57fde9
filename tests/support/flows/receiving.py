"""The clip and what becomes of it: message, menu, going on and who is asked, the cure of a still one, and failures."""

from __future__ import annotations

import re

from playwright.async_api import Locator, expect

from bot.sandbox.world.standard import BEN
from generator.errors import OutOfMemory
from tests.support.browser import messages
from tests.support.edge import clip_of, until
from tests.support.fakes import Act
from tests.support.flows.here import RENDER_MS, Here, balloons
from tests.support.flows.person import Hands

CHANGES = (
    *("As GIF", "As WebP", "As MP4", "Boomerang", "Cross-fade loop"),
    *("Best cut loop", "Smooth", "Slower", "Faster", "Undo all changes"),
)
"""in the menu below a clip, one after the other"""


async def receive_one_message(here: Here) -> None:
    """Ask with a caption and get one message: the card goes, and the clip tells what was chosen."""
    me = here.person
    await me.animate('description:"A lake at dusk" motion:strong')
    clip = await here.one_clip()
    await expect(messages(me.page)).to_have_count(1)
    await expect(clip).to_contain_text("@Ada here is your clip.")
    await expect(clip).to_contain_text("Motion: Strong")
    await expect(clip.get_by_role("figure", name=re.compile("A lake at dusk"))).to_be_visible()
    await here.look()


async def change_the_file(here: Here) -> None:
    """Choose one change of a finished clip after the other in the menu below it; the GPU has nothing to do.

    Each file takes a second. So every other change is chosen here, and the others on the same device's other layout.
    """
    me = here.person
    clip = await here.made(loop="none")
    await me.press(clip.locator("[data-action=select]"))
    await expect(me.page.get_by_role("option").last).to_be_visible()
    await here.look()
    await me.page.keyboard.press("Escape")
    first = me.layout.is_phone == (me.layout.hands is Hands.KEYS)
    for choice in CHANGES[int(first) :: 2]:
        name = await _chosen(here, clip, choice)
        assert not choice.startswith("As ") or name.endswith(choice.removeprefix("As ").lower())
        await here.one_clip()
    await _chosen(here, clip, "Boomerang")
    changed, _ = _file(here)
    await me.press_below(clip, "Undo changes")
    await until(lambda: _file(here)[0] != changed, "the file as it was made first")
    await expect(clip.get_by_role("button", name="Undo changes")).to_have_count(0)
    assert len(here.edge.backend.requests) == 1
    await expect(messages(me.page)).to_have_count(1)


async def extend_and_undo(here: Here) -> None:
    """Let a clip go on from its end, and take the new part back."""
    me = here.person
    first = await here.made(loop="none")
    await me.choose_below(first, "Longer: from the end")
    await expect(me.clips()).to_have_count(2, timeout=RENDER_MS)
    longer = me.clips().last
    await expect(longer.get_by_role("button", name="Undo the last part")).to_be_visible()
    await here.look()
    await me.press_below(longer, "Undo the last part")
    await expect(longer.get_by_role("button", name="Undo the last part")).to_have_count(0)


async def go_on_from_earlier(here: Here) -> None:
    """Let a clip go on from a moment that one chooses in a form; the clip above stays."""
    me = here.person
    first = await here.made(loop="none")
    await me.choose_below(first, "Longer: from earlier")
    form = me.page.get_by_role("dialog", name="Longer: from earlier")
    await me.press(form.get_by_role("radio", name="From frame 4 of 14"))
    await expect(form).to_contain_text("A new clip keeps what comes before.")
    await here.look()
    await me.press(form.get_by_role("button", name="Submit"))
    await expect(me.clips()).to_have_count(2, timeout=RENDER_MS)
    goes_on = re.compile("goes on after frame 4")
    await expect(me.clips().last.get_by_role("figure", name=goes_on)).to_be_visible()
    await expect(me.clips().first.get_by_role("figure", name=goes_on)).to_have_count(0)


async def ask_whose_clip_it_is(here: Here) -> None:
    """Want somebody's clip to go on, where authors are asked first; as that somebody, read that and allow it."""
    me = here.person
    await here.let_authors_be_asked()
    await here.edge.animate(actor=BEN, file=balloons(), loop="none")
    await me.choose_below(await here.one_clip(), "Longer: from the end")
    await expect(me.newest("@Ben, may @Ada have a short clip made of your picture?")).to_be_visible()
    await me.become("Ben")
    asked = me.newest("@Ben, may @Ada")
    await expect(asked.get_by_role("button", name="Never my pictures")).to_be_visible()
    await here.look()
    assert len(here.edge.backend.requests) == 1, "nothing is made before a yes"
    await me.press_below(asked, "Allow")
    await expect(me.newest("@Ben agreed that @Ada has a clip")).to_be_visible()
    await me.become("Ada")
    await expect(me.clips()).to_have_count(2, timeout=RENDER_MS)
    await expect(me.clips().last).to_contain_text("@Ada here is your clip.")


async def cure_a_still_clip(here: Here) -> None:
    """Read that hardly anything moves in a clip, and press what cures that."""
    me = here.person
    here.next_render(Act(steps=1, motion=0.3))
    still = await here.made()
    await expect(still).to_contain_text("Hardly anything moves in it.")
    await here.look()
    here.next_render(Act(steps=1))
    await me.press_below(still, "Make it move")
    await expect(me.clips()).to_have_count(2, timeout=RENDER_MS)
    settings = here.last_asked()
    assert (settings.motion_bucket, settings.noise_augmentation) == (190, 0.1)


async def help_a_failure(here: Here) -> None:
    """Read what went wrong and what it means, and press the one button that helps."""
    me = here.person
    here.next_render(Act(steps=1, error=OutOfMemory("")))
    await here.edge.animate(frames=20)
    failed = me.newest("Try smaller")
    await expect(failed).to_contain_text("@Ada")
    await here.look()
    here.next_render(Act(steps=1))
    await me.press_below(failed, "Try smaller")
    await expect(me.clips()).to_have_count(1, timeout=RENDER_MS)
    assert here.last_asked().frames == 10


async def _chosen(here: Here, clip: Locator, choice: str) -> str:
    """Choose from the menu below a clip, wait for the other file, and return its name."""
    before, _ = _file(here)
    await here.person.choose_below(clip, choice)
    await until(lambda: _file(here)[0] != before, f"the file after {choice}")
    return _file(here)[1]


def _file(here: Here) -> tuple[str, str]:
    """Return the id and the name of the newest clip's file."""
    file = clip_of(here.edge.clips()[-1]) or {}
    return str(file["id"]), str(file["filename"])
