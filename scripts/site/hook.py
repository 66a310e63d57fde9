"""MkDocs calls this while it builds: the root's texts become pages, and links are led to where they stand on the site.

Tested in tests/test_site.py.
"""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files

from scripts.site.links import ROOT_PAGES, lead
from scripts.site.written import ROOT


def on_files(files: Files, config: Any) -> Files:
    """Add the texts of the root."""
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead each link of a page."""
    names = {there: name for name, there in ROOT_PAGES.items()}
    origin = names.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return lead(markdown, origin, ROOT, config.repo_url)
