"""One's own clips afterwards: history, recipe; and what the bot says of itself, in another language too."""

from __future__ import annotations

from playwright.async_api import expect

from tests.support.browser import messages
from tests.support.flows.here import RENDER_MS, Here, balloons


async def look_back(here: Here) -> None:
    """See one's clips with their pictures, make one again, fetch one, and delete one."""
    me = here.person
    await here.made()
    await here.edge.animate(file=balloons(), motion="strong")
    await expect(me.clips()).to_have_count(2, timeout=RENDER_MS)
    await me.run("history")
    history = me.newest("Your clips")
    await expect(history.get_by_role("img", name="Your picture, as framed")).to_have_count(2)
    await expect(history).to_contain_text("balloons.webp")
    await here.look()
    await me.press(history.get_by_role("button", name="Again").first)
    await expect(me.clips()).to_have_count(3, timeout=RENDER_MS)
    await me.press(history.get_by_role("button", name="Fetch").first)
    await expect(messages(me.page).last.locator(".media-clip")).to_be_visible()
    await me.press(history.get_by_role("button", name="Delete").first)
    await me.press_below(me.newest("This cannot be undone."), "Delete for good")
    await expect(me.newest("Deleted: the post, the clip and the picture.")).to_be_visible()
    await expect(me.clips()).to_have_count(2)


async def make_a_recipe_again(here: Here) -> None:
    """Open a clip's recipe, and make the same with a picture of one's own."""
    me = here.person
    clip = await here.made(seed=77)
    await me.press_below(clip, "Recipe")
    recipe = me.newest("With your picture")
    await expect(recipe).to_contain_text("77")
    await here.look()
    await me.press_below(recipe, "With your picture")
    form = me.page.get_by_role("dialog")
    await expect(form).to_contain_text("It is made with: motion")
    await me.give_picture(form)
    await me.press(form.get_by_role("button", name="Submit"))
    await here.asked_times(2)
    assert here.last_asked().seed == 77


async def read_what_comes_out_badly(here: Here) -> None:
    """Send /help, which says that faces and text come out distorted, and what helps."""
    me = here.person
    await me.run("help")
    told = me.newest("I bring pictures to life.")
    await expect(told).to_contain_text("Faces, text, hands and small things come out distorted")
    await here.look()


async def speak_german(here: Here) -> None:
    """Set one's Discord to German: commands, choices and answers are in German, for this person alone."""
    me = here.person
    await me.speak("Deutsch")
    form = await me.begin("animieren")
    await me.give_picture(form)
    await me.press(me.page.get_by_label("More options"))
    await expect(me.page.get_by_role("option").filter(has_text="bewegung")).to_be_visible()
    await here.look()
    await me.send()
    await expect(await here.one_clip()).to_contain_text("@Ada hier ist dein Clip.")
    await me.speak("English, US")
