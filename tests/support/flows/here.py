"""Where a flow happens: the bot, the person at the page, and what is done at the moment that is worth a picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from playwright.async_api import Locator, expect

from bot.policy.server import OthersPictures
from bot.sandbox.rules.locales import USUAL_LOCALE
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import ADA, BEN, MIA, OLGA, PICTURES, TABLEAUX
from generator.clip import ClipSettings
from tests.support.browser import SAMPLE, messages
from tests.support.edge import Edge, until
from tests.support.fakes import Act
from tests.support.flows.person import Person

BALLOONS = SAMPLE.with_name("sample-balloon.webp")
RENDER_MS = 600_000
"""of the demo model on a busy machine, in the screenshots; a test ends before"""


@dataclass(frozen=True, slots=True)
class Here:
    """All that a flow touches."""

    edge: Edge
    person: Person
    look: Callable[[], Awaitable[None]]
    """called once, when the page shows what the flow is about"""

    def next_render(self, act: Act) -> None:
        """Decide what becomes of what is asked for from now on."""
        self.edge.backend.usual = act

    def last_asked(self) -> ClipSettings:
        """Return the settings of the newest request to the GPU."""
        return self.edge.backend.requests[-1].settings

    async def asked_times(self, count: int) -> None:
        """Wait until the GPU has been asked so often since the flow began."""
        await until(lambda: len(self.edge.backend.requests) >= count, f"{count} requests")

    async def one_clip(self) -> Locator:
        """Wait until the channel shows one clip and nothing that belongs to it; return its message."""
        clips = self.person.clips()
        await expect(clips).to_have_count(1, timeout=RENDER_MS)
        await expect(self.person.page.locator(".message [data-custom-id^='vivant:cancel:']")).to_have_count(0)
        return clips.last

    async def made(self, **options: Any) -> Locator:
        """Let Ada have a clip, without her doing it on the page; return its message."""
        await self.edge.animate(file=Upload("lake.webp", "image/webp", SAMPLE.read_bytes()), **options)
        return await self.one_clip()

    async def let_authors_be_asked(self, wants: OthersPictures = OthersPictures.ASK) -> None:
        """Choose for the server that the author of a picture is asked first."""
        await self.edge.store.servers.change(int(TABLEAUX), int(OLGA), {"others_pictures": wants})

    async def clear(self) -> None:
        """Leave the bot and the channel as they were before anybody came."""
        self.edge.backend.usual = Act(steps=1)
        self.edge.world.set_locale(ADA, USUAL_LOCALE)
        await self.let_authors_be_asked(OthersPictures.ALLOWED)
        for actor in (ADA, BEN, MIA):
            await self.edge.services.requests.forget_user(int(actor))
        for actor in (OLGA, ADA):  # what only Ada sees, she dismisses
            for message in self.edge.seen(actor=actor):
                self.edge.world.delete_message(actor, PICTURES, message["id"])
        await expect(messages(self.person.page)).to_have_count(0)  # the next flow shall not take this clip for its own
        self.edge.backend.requests.clear()


def balloons() -> Upload:
    """Return a picture as Ben posts it."""
    return Upload("balloons.webp", "image/webp", BALLOONS.read_bytes())


def rough_preview() -> str:
    """Return what an executor sends while it denoises: a few pixels that hardly show the picture yet."""
    picture = Image.open(SAMPLE).convert("RGB").resize((64, 36))
    mixed = Image.blend(picture, Image.effect_noise(picture.size, 90).convert("RGB"), 0.35)
    file = io.BytesIO()
    mixed.quantize(64).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
