"""To ask for a clip: motion, contradictions, what was refused, the form, drafts."""

from __future__ import annotations

import re

from playwright.async_api import Locator, expect

from bot.sandbox.world.standard import BEN, PICTURES
from generator.clip import Loop
from tests.support.flows.here import Here, balloons


async def choose_motion(here: Here) -> None:
    """Type /animate, read what each motion does, and choose one."""
    me = here.person
    form = await me.begin("animate")
    await me.give_picture(form)
    await me.add_option("motion")
    choices = me.page.get_by_role("option")
    for words in ("gentle: still camera, only small things move", "wild: everything moves"):
        await expect(choices.filter(has_text=words)).to_be_visible()
    await here.look()
    await me.page.keyboard.type("s")
    strong = choices.filter(has_text="strong: the camera moves too")
    await expect(strong).to_have_attribute("aria-selected", "true")
    await me.press(strong)
    await me.send()
    await here.one_clip()
    assert here.last_asked().motion_bucket == 185


async def contradict_oneself(here: Here) -> None:
    """Choose two things that cannot be together, be told so, and leave one of them out."""
    me = here.person
    await me.animate("smooth:true playback_fps:30")
    refused = me.newest("leave one of the two out")
    await expect(refused).to_contain_text("Only you can see this")
    await here.look()
    await me.press_below(refused, "Mend and try again")
    form = me.page.get_by_role("dialog")
    rest = form.locator("[data-custom-id=rest]")
    await expect(rest).to_have_value(re.compile("playback_fps: 30"))
    await me.write_over(rest, "")
    await me.press(form.get_by_role("button", name="Submit"))
    await here.one_clip()
    assert here.last_asked().smooth


async def mend_a_refusal(here: Here) -> None:
    """Ask for a motion that nobody knows, then mend it without giving the picture again."""
    me = here.person
    await me.animate("motion:slowly")
    await me.press_below(me.newest("I know no motion slowly"), "Mend and try again")
    form = me.page.get_by_role("dialog")
    field = form.locator("[data-custom-id=motion]")
    await expect(field).to_have_value("slowly")
    await expect(form).to_contain_text("Refused: slowly")
    await here.look()
    await me.write_over(field, "42")
    await me.press(form.get_by_role("button", name="Submit"))
    await here.one_clip()
    assert here.last_asked().motion_bucket == 42


async def fill_in_the_form(here: Here) -> None:
    """Ask with /animate-form: a picture, radio buttons, a menu."""
    me = here.person
    await me.run("animate-form")
    form = _form(here)
    await me.give_picture(form)
    await me.press(form.get_by_role("radio", name="Strong"))
    await me.press(form.get_by_role("button", name="Loop"))
    await me.press(me.page.get_by_role("option", name="Boomerang"))
    await here.look()
    await me.press(form.get_by_role("button", name="Submit"))
    await here.one_clip()
    settings = here.last_asked()
    assert (settings.motion_bucket, settings.loop) == (185, Loop.BOOMERANG)


async def open_the_form_on_a_message(here: Here) -> None:
    """Open the form from the menu of somebody's message, whose picture it takes."""
    me = here.person
    here.edge.world.post(BEN, PICTURES, "Look what I found! Somebody make this one fly.", [balloons()])
    await me.open_menu(me.newest("Look what I found!"))
    await me.press(me.page.get_by_role("menuitem", name="Animate with choices"))
    form = _form(here)
    await expect(form).to_be_visible()
    await expect(form.locator("input[type=file]")).to_have_count(0)
    await me.press(form.get_by_role("radio", name="Gentle"))
    await here.look()
    await me.press(form.get_by_role("checkbox", name="Smooth"))
    await me.press(form.get_by_role("button", name="Submit"))
    await here.one_clip()
    assert (here.last_asked().motion_bucket, here.last_asked().smooth) == (60, True)


async def animate_with_one_gesture(here: Here) -> None:
    """Choose "Animate this image" from the menu of a message, and nothing else."""
    me = here.person
    here.edge.world.post(BEN, PICTURES, "Look what I found! Somebody make this one fly.", [balloons()])
    message = me.newest("Look what I found!")
    await me.open_menu(message)
    await expect(me.page.get_by_role("menuitem", name="Animate this image")).to_be_visible()
    await here.look()
    await me.press(me.page.get_by_role("menuitem", name="Animate this image"))
    await expect(await here.one_clip()).to_contain_text("@Ada here is your clip.")
    await expect(me.page.get_by_role("dialog")).to_have_count(0)


async def pick_a_draft(here: Here) -> None:
    """Ask for four drafts, and have the third made in full."""
    me = here.person
    await me.animate("drafts:true")
    sheet = await here.one_clip()
    await expect(sheet).to_contain_text("here are four drafts")
    await here.look()
    await me.press_below(sheet, "3")
    await expect(me.clips()).to_have_count(2)
    drafts, full = (request.settings for request in here.edge.backend.requests)
    assert (drafts.drafts, full.drafts, full.seed) == (True, False, drafts.seed + 2)


def _form(here: Here) -> Locator:
    return here.person.page.get_by_role("dialog", name="Animate a picture")
