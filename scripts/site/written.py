"""What is written from the code: each reference page, and the table of cards inside of a page.

Tested in tests/test_written.py.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pages() -> dict[str, str]:
    """Return the text of each page that comes from the code, by its path below the root."""
    from scripts.site.cards import card_table
    from scripts.site.command_line import command_line_page
    from scripts.site.commands import commands_page
    from scripts.site.settings import settings_page

    cards = ROOT / "docs/cards.md"
    return {
        "docs/reference/settings.md": settings_page((ROOT / "config.example.toml").read_text()),
        "docs/reference/commands.md": commands_page(),
        "docs/reference/command-line.md": command_line_page(),
        "docs/cards.md": between_marks(cards.read_text(), card_table()),
    }


def between_marks(page: str, table: str) -> str:
    """Return a page with what stands between its two marks replaced. Raises ValueError when it has none."""
    new, count = re.subn(
        r"(<!-- written by make reference -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{table}\n\n{found[2]}",
        page,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError("the page has no marks between which the table stands")
    return new


def row(*cells: str) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
