"""The documentation's site: it builds without a warning, its links lead somewhere, and a reader finds things in it."""

from __future__ import annotations

import http.server
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.async_api import expect

from scripts.site.links import lead
from tests.support.browser import chromium
from tests.support.flows import FLOWS

ROOT = Path(__file__).parent.parent
TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


# -- the build ---------------------------------------------------------------------------------------------------------


def build(folder: Path, docs: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Build the site into a folder, from other pages if they are given."""
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("NO MKDOCS: the documentation's site is NOT built here. Install it: make dev")
    settings = ROOT / "mkdocs.yml"
    if docs is not None:
        settings = folder.with_suffix(".yml")
        hook, nav = str(ROOT / "scripts/site/hook.py"), "nav: [a.md]"
        text = (ROOT / "mkdocs.yml").read_text().replace("docs_dir: docs", f"docs_dir: {docs}")
        text = text.replace("scripts/site/hook.py", hook)
        settings.write_text(text[: text.index("\nnav:")] + f"\n{nav}\n")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", settings, "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1", "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "built"
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr and "ERROR" not in done.stderr, done.stderr
    return folder


class Page(HTMLParser):
    """What a page links to and fetches, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links, self.fetched, self.anchors = set[str](), set[str](), set[str]()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        elif tag == "link" and found.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.add(found["href"])
        elif "src" in found:
            self.fetched.add(found["src"])


def broken(folder: Path) -> list[str]:
    """Return each link of a built site that leads nowhere, and whatever a page fetches from elsewhere.

    404.html is left out: a server shows it at any address, so its links begin at the server's root.
    """
    built = {path: Page(path) for path in folder.rglob("*.html") if path.name != "404.html"}
    wrong = []
    for path, page in built.items():
        for link in page.links | page.fetched:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                wrong += [f"{path.name} fetches {link}"] if link in page.fetched and parts.scheme != "data" else []
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            lost = parts.fragment and there in built and unquote(parts.fragment) not in built[there].anchors
            if not there.is_file() or lost:
                wrong.append(f"{path.name} links to {link}")
    return wrong


def test_the_site_builds_without_a_warning_and_every_link_leads_somewhere(site: Path) -> None:
    assert len(list(site.rglob("*.html"))) > 25
    assert broken(site) == []
    assert (site / "vivant.service").is_file() and (site / "drawings/portal-token.svg").is_file()


def test_a_broken_site_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html">x</a><a href="#no">x</a><a href="#yes" id="yes">x</a><a href="https://example.org">x</a>'
        '<script src="https://cdn.example/x.js"></script>'
    )
    assert sorted(broken(tmp_path)) == [
        "a.html fetches https://cdn.example/x.js",
        "a.html links to #no",
        "a.html links to b.html",
    ]


@pytest.mark.parametrize(
    "text", ["[x](nowhere.md)", "[x](a.md#nowhere)", "[x](../nowhere.py)", "![x](nowhere.png)", "[x](/a.md)"]
)
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, text: str) -> None:
    """The negative control."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text(f"# A\n\n{text}\n")
    done = build(tmp_path / "built", docs)
    assert done.returncode != 0 and text[text.index("(") + 1 : -1] in done.stderr, done.stderr


def test_links_lead_to_the_sites_own_pages_and_others_to_the_repository() -> None:
    text = "[a](../ARCHITECTURE.md#rooms) ![b](clips/x.webp) [c](../Makefile) [`d`](../bot/app.py) [e](https://x.y/z)"
    led = lead(text, "docs/a.md", ROOT, None)
    assert led == "[a](architecture.md#rooms) ![b](clips/x.webp) `c` `d` [e](https://x.y/z)"
    assert "[c](https://forge/x/blob/main/Makefile)" in lead(text, "docs/a.md", ROOT, "https://forge/x/")
    assert lead("[a](docs/cards.md)", "SECURITY.md", ROOT, None) == "[a](cards.md)"
    assert lead("[a](../cards.md)", "docs/install/wheel.md", ROOT, None) == "[a](../cards.md)"
    assert lead("[a](nowhere.py)", "docs/a.md", ROOT, None) == "[a](nowhere.py)", "left for the build to complain about"


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """The address of a server that has the site below a folder's name."""
    serve = partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.browser
async def test_a_reader_finds_a_line_of_the_log_and_nothing_is_fetched_from_elsewhere(address: str) -> None:
    asked: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: pytest.fail(f"The page threw: {error}"))
        await page.goto(address + "install/windows.html")
        await page.get_by_label("Search").first.click()
        await page.get_by_role("textbox", name="Search").press_sequentially("daily budget")
        await page.locator(".md-search-result__item a").filter(has_text="Troubleshooting").first.click()
        await expect(page).to_have_url(re.compile(r"troubleshooting\.html"))
        await expect(page.get_by_text("too many starts in a row")).to_be_visible()
        portal = await browser.new_page(color_scheme="dark", viewport={"width": 390, "height": 780})
        await portal.goto(address + "discord-portal.html")
        pictures = portal.locator("article img")
        await expect(pictures).to_have_count(4)
        for picture in await pictures.all():
            assert await picture.evaluate("image => image.complete && image.naturalWidth > 0")
            assert await picture.get_attribute("alt")
        wide = await portal.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, "a phone shows the page without scrolling sideways"
    assert len(asked) > 5 and [url for url in asked if not url.startswith(address)] == []


def test_the_built_site_can_be_moved(site: Path, tmp_path: Path) -> None:
    """It holds no address of its own, so a folder of any name serves it."""
    moved = Path(shutil.copytree(site, tmp_path / "elsewhere"))
    assert broken(moved) == []


# -- the same texts on a forge -----------------------------------------------------------------------------------------


def anchors_of(text: str) -> set[str]:
    """Return the anchors of a text's headings, as forges make them."""
    heads = re.findall(r"^#{1,6} (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def lost_links(path: Path) -> list[str]:
    """Return the links of a text to files of the repository, or to headings in them, that are not there."""
    lost = []
    for target in re.findall(r"\]\(([^()\s]+)\)", path.read_text()):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = path.parent / file if file else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors_of(there.read_text())):
            lost.append(target)
    return lost


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_text_leads_somewhere_on_a_forge_too(path: Path) -> None:
    assert lost_links(path) == []


def test_a_lost_link_of_a_text_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A `b`, c\n\n[x](#a-b-c) [x](#d) [x](b.md) [x](a.md#a-b-c) [x](https://x.y)\n")
    assert lost_links(tmp_path / "a.md") == ["#d", "b.md"]


def test_the_readme_says_what_a_person_needs_in_the_first_two_minutes() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    assert "python3-venv" in text and "make demo" in text, "what its first command needs stands beside it"


# -- its pictures ------------------------------------------------------------------------------------------------------

PICTURE = re.compile(r"!\[[^]]{10,}\]\((?:docs/)?screenshots/([\w-]+)\.png\)")


def test_each_flow_has_a_picture_in_the_docs_with_a_text_for_who_does_not_see_it() -> None:
    pages = [path.read_text() for path in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md")]
    shown = {name for page in pages for name in PICTURE.findall(page)}
    there = {path.stem for path in (ROOT / "docs" / "screenshots").iterdir()}
    assert shown == there == set(FLOWS)
