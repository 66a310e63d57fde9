"""Take the documentation's pictures of each thing that people do with the bot: `python -m scripts.screenshots`.

The tests drive the same flows. Here the demo model makes the clips, and each flow is seen on one device in one theme.
Names take only those pictures: `python -m scripts.screenshots menu drafts`. What could not be taken is named.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from PIL import Image
from playwright.async_api import Browser, Error, Page, expect

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import OLGA
from generator.backend.backend import Backend
from generator.backend.local_backend import LocalBackend
from generator.backend.stalls import StallLimits
from generator.protocol import Rendered, RenderRequest
from tests.support.browser import chromium
from tests.support.edge import Edge, running_edge
from tests.support.fakes import Act, FakeBackend, ProgressCallback
from tests.support.flows import FLOWS
from tests.support.flows.here import Here
from tests.support.flows.person import Hands, Layout, Person

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
PATIENCE_MS = 120_000
PATIENT = StallLimits(step_floor_seconds=600.0)
"""no step is given up on a busy machine"""
SHARP: dict[str, Any] = {"device_scale_factor": 1.25, "bypass_csp": True, "patience_ms": PATIENCE_MS}
"""the page allows no evaluated scripts, and Playwright's waiting for a condition is one"""
WINDOW = {"width": 1080, "height": 700}
DARK, LIGHT = (Layout("desktop", theme, Hands.MOUSE) for theme in ("dark", "light"))
PHONE, LIGHT_PHONE = (Layout("phone", theme, Hands.FINGER) for theme in ("dark", "light"))
SEEN = {
    **dict.fromkeys(("form", "mend", "queue", "history"), LIGHT),
    **dict.fromkeys(("form-on-message", "waiting", "cancel", "still", "recipe", "german", "earlier"), PHONE),
    **dict.fromkeys(("contradiction", "one-gesture", "again", "failure", "help", "ask-author"), LIGHT_PHONE),
}
"""how a flow is seen; the others on a dark desktop"""


@dataclass
class DemoModel(FakeBackend):
    """Lets the demo model make each clip, unless an act says that there is none; what an act says of a clip goes."""

    model: Backend | None = field(default=None, init=False)

    def made(self, config: Any, **more: Any) -> Self:
        """Stand where the bot's own backend stands."""
        self.model = LocalBackend(config, limits=PATIENT, **more)
        return self

    async def start(self) -> None:
        """Start the model's process, too."""
        assert self.model is not None
        await self.model.start()
        await super().start()

    async def close(self) -> None:
        """End it."""
        await super().close()
        if self.model is not None:
            await self.model.close()

    async def play(self, act: Act, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        """Render, or play the act."""
        if act.hangs or act.error or self.model is None:
            return await super().play(act, request, on_progress)
        made = await self.model.render(request, on_progress)
        return made if act.motion is None else replace(made, motion=act.motion)


async def save(page: Page, name: str) -> None:
    """Write the page as PNG of few colours: sharp text in a small file."""
    if await page.locator(".message .toolbar").count() and not await page.locator("[popover]:popover-open").count():
        await page.mouse.move(0, 0)
    await page.evaluate("document.fonts.ready")
    await page.wait_for_function("[...document.images].every((one) => one.complete)")
    await page.wait_for_function("[...document.querySelectorAll('video')].every((one) => one.readyState >= 2)")
    picture = Image.open(BytesIO(await page.screenshot()))
    path = FOLDER / f"{name}.png"
    colours: dict[str, Any] = {"method": Image.Quantize.MAXCOVERAGE, "kmeans": 4, "dither": Image.Dither.FLOYDSTEINBERG}
    palette = picture.convert("RGB").quantize(256, **colours)  # of the methods, it keeps a green dot beside a clip
    palette.save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size // 1024} KiB\n")


class Seen(Exception):
    """The picture is taken: the rest of the flow shows nothing more."""


async def take(browser: Browser, edge: Edge, name: str) -> None:
    """Go through a flow up to its picture, and take that."""
    layout = SEEN.get(name, DARK)
    window: dict[str, Any] = {} if layout.is_phone else {"viewport": WINDOW}
    person = await Person.arrive(browser, edge.sandbox, layout, **SHARP, **window)

    async def look() -> None:
        await save(person.page, name)
        raise Seen

    here = Here(edge, person, look)
    try:
        with suppress(Seen):
            await FLOWS[name](here)
    finally:
        await here.clear()
        await person.page.context.close()


async def is_taken(browser: Browser, edge: Edge, name: str) -> bool:
    """Take a picture; where that fails, say why and leave the one from before."""
    try:
        await take(browser, edge, name)
    except (AssertionError, Error):
        traceback.print_exc()
        return False
    return True


async def take_all(names: Iterable[str]) -> list[str]:
    """Start everything, take the pictures, stop everything; return those that could not be taken."""
    FOLDER.mkdir(exist_ok=True)
    model = DemoModel()
    config = {"owners": [int(OLGA)], "generator": {"variant": "demo", "previews": True}}
    parts: dict[str, Any] = {"backend": model, "config": config}
    with tempfile.TemporaryDirectory() as data:
        async with (
            chromium() as browser,
            Sandbox() as sandbox,
            running_edge(Path(data), sandbox, make_backend=model.made, **parts) as edge,
        ):
            expect.set_options(timeout=PATIENCE_MS)
            return [name for name in names if not await is_taken(browser, edge, name)]


def main(names: Annotated[list[str] | None, typer.Argument(help="Of these flows only.")] = None) -> None:
    """Take the pictures."""
    if lost := asyncio.run(take_all(names or FLOWS)):
        sys.exit(f"Not taken; to try again: python -m scripts.screenshots {' '.join(lost)}")


if __name__ == "__main__":
    typer.run(main)
