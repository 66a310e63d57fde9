"""Each thing that people do with the bot, from the first key to the last, on the local Discord's page in Chromium.

On a desktop and on a phone, dark and light, with a mouse, a finger and the keyboard alone. The GPU is a fake.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import OLGA
from tests.support.browser import chromium
from tests.support.edge import Edge, running_edge
from tests.support.flows import FLOWS
from tests.support.flows.here import Here
from tests.support.flows.looks import flaws
from tests.support.flows.person import LAYOUTS, Layout, Person

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
LOW = "document.querySelector('.channel-header h2').style.color = '#555'"
APART = "document.querySelector('#composer .add').tabIndex = -1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    config = {"owners": [int(OLGA)], "generator": {"variant": "demo", "previews": True}}
    async with Sandbox() as sandbox, running_edge(tmp_path_factory.mktemp("bot"), sandbox, config=config) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=LAYOUTS, ids=str)
async def person(request: pytest.FixtureRequest, browser: Browser, edge: Edge) -> AsyncIterator[Person]:
    layout: Layout = request.param
    arrived = await Person.arrive(browser, edge.sandbox, layout)
    yield arrived
    await arrived.page.context.close()


@pytest.mark.parametrize("name", FLOWS)
async def test_a_person_gets_through(name: str, person: Person, edge: Edge) -> None:
    found: list[list[str]] = []

    async def look() -> None:
        found.append(await flaws(person.page))

    here = Here(edge, person, look)
    try:
        await FLOWS[name](here)
    except BaseException:
        await person.page.evaluate("sessionStorage.clear()")
        await person.page.reload()  # so that the next flow finds Ada, and no dialog of this one
        raise
    finally:
        await here.clear()
    assert found == [[]], "looked at once, and what was seen can be read"


async def test_what_cannot_be_read_or_reached_would_be_seen(browser: Browser, edge: Edge) -> None:
    """The negative controls: grey on grey, and a button that no key leads to."""
    person = await Person.arrive(browser, edge.sandbox, LAYOUTS[0])
    assert await flaws(person.page) == []
    await person.page.evaluate(LOW)
    [found] = await flaws(person.page)
    assert found.startswith("contrast") and "pictures" in found
    add = person.page.get_by_role("button", name="Attach a file or use a command")
    await person.reach(add)
    await person.page.locator("#message-text").focus()
    await person.page.evaluate(APART)
    with pytest.raises(AssertionError, match="keys do not reach"):
        await person.reach(add)
    await person.page.context.close()
