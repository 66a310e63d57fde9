"""While one waits: why and how long, how far it is, giving up, whose turn it is."""

from __future__ import annotations

import re

from playwright.async_api import expect

from bot.sandbox.world.standard import BEN, MIA
from tests.support.edge import until
from tests.support.fakes import Act
from tests.support.flows.here import Here, balloons, rough_preview

ENDLESS = Act(steps=1, hangs=True)


async def read_why_one_waits(here: Here) -> None:
    """Read on the card whose clips come before one's own, why, and when one's own comes."""
    me = here.person
    here.next_render(ENDLESS)
    await _others_ask(here)
    await me.animate()
    card = me.newest("Waiting for its turn")
    await expect(card).to_contain_text(
        re.compile(r"clips of 2 people come before yours; people take turns by GPU time")
    )
    await expect(card).to_contain_text("Your clip comes in")
    await expect(card.locator(".thumbnail img")).to_be_visible()
    await here.look()
    await me.press_below(card, "Cancel")
    await expect(me.newest("There will be no clip.")).to_be_visible()


async def watch_it_grow(here: Here) -> None:
    """See how far a render is, with a small rough picture of what is being made; then stop it."""
    me = here.person
    here.next_render(Act(steps=25, step_seconds=0.02, hangs=True, preview=rough_preview()))
    await me.animate()
    card = me.newest("Bringing it to life")
    await expect(card).to_contain_text(re.compile(r"step \d+ of 25"))
    await expect(card).to_contain_text(re.compile(r"▰.*%"))
    await expect(card.get_by_role("img", name="A rough AI-generated preview of the clip")).to_be_visible()
    await here.look()
    await me.press_below(card, "Cancel")
    await until(lambda: here.edge.backend.cancelled, "the render is stopped")
    await expect(me.newest("There will be no clip.")).to_be_visible()


async def press_again(here: Here) -> None:
    """Press Again below a clip: the card says who asked, and of which clip."""
    me = here.person
    clip = await here.made()
    here.next_render(ENDLESS)
    await me.press_below(clip, "Again")
    card = me.newest("asked")
    await expect(card).to_contain_text(re.compile(r"@Ada asked .* for another clip like this one"))
    await expect(card.get_by_role("button", name="this one")).to_be_visible()
    await here.look()
    first, again = (request.settings for request in here.edge.backend.requests)
    assert first.seed != again.seed


async def cancel_the_newest(here: Here) -> None:
    """Send /cancel, which takes the newest, and put it back."""
    me = here.person
    here.next_render(ENDLESS)
    await here.edge.queued()
    await here.edge.queued(file=balloons())
    await me.run("cancel")
    told = me.newest("Cancelled. That was job")
    await expect(told).to_contain_text("balloons.webp")
    await here.look()
    await me.press_below(told, "Put it back")
    await expect(me.newest("It is back in the queue")).to_contain_text("balloons.webp")


async def read_whose_turn_it_is(here: Here) -> None:
    """Send /queue: one's own pictures, then whose turn comes when."""
    me = here.person
    here.next_render(ENDLESS)
    await _others_ask(here)
    await here.edge.queued(file=balloons())
    await me.run("queue")
    told = me.newest("Your pictures")
    await expect(told).to_contain_text("balloons.webp")
    await expect(told).to_contain_text("1 being made")
    await expect(told).to_contain_text(re.compile(r"@Mia: 2 clips"))
    await expect(told).to_contain_text(re.compile(r"▸ you, @Ada: 1 clip"))
    await here.look()


async def _others_ask(here: Here) -> None:
    """Let Ben's clip be made, and others of two people wait."""
    await here.edge.queued(actor=BEN)
    await until(lambda: here.edge.backend.requests, "the first is being made")
    for actor in (MIA, MIA, BEN):
        await here.edge.queued(actor=actor)
