"""Lead the links of a page to where they stand on the site. Pure text; knows nothing of MkDocs.

Tested in tests/test_site.py.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

ROOT_PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "PRIVACY.md": "privacy.md",
    "SECURITY.md": "security.md",
}
"""files of the root that are pages of the site, too; the others keep their place on the forge alone"""
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")


def place_on_site(path: str) -> str | None:
    """Return the page that a file of the repository is on the site; None for one that is not there."""
    if path == "README.md":
        return "index.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return ROOT_PAGES.get(path)


def lead(markdown: str, origin: str, root: Path, repository: str | None) -> str:
    """Return the text of the file `origin` with each link as the site needs it.

    A link to a file that is no page leads to the repository's address, or becomes plain text where none is known. A
    link that leads nowhere stays as it is: the build complains about it.
    """
    page = place_on_site(origin) or origin

    def led(link: re.Match[str]) -> str:
        target, _, anchor = link["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        there = place_on_site(path)
        if there is not None:
            new = os.path.relpath(there, posixpath.dirname(page) or ".")
            return f"{link['picture']}[{link['text']}]({new}{'#' * bool(anchor)}{anchor})"
        if not (root / path).exists():
            return link[0]
        if repository:
            return f"[{link['text']}]({repository.rstrip('/')}/blob/main/{path})"
        return link["text"] if "`" in link["text"] else f"`{link['text']}`"

    return _LINK.sub(led, markdown)
