"""A link as a QR code on a terminal, for the phone on which Discord is."""

from __future__ import annotations

import segno
from rich.console import Console

_HALVES = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
"""by whether the upper and the lower module is dark: light ones are drawn, as most terminals are dark"""
BORDER = 2
"""light modules around it"""


def lines_of(link: str) -> list[str]:
    """Return a QR code's lines; each letter is one module wide and two high."""
    rows = [[bool(module) for module in row] for row in segno.make(link, error="l").matrix_iter(border=BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def print_qr_code(console: Console, link: str) -> None:
    """Print the code where a person can see it: on a terminal that is wide enough and knows the letters."""
    lines = lines_of(link)
    if not console.is_terminal or console.width < len(lines[0]):
        return
    try:
        "█▀▄".encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return
    for line in lines:
        console.print(line, style="bright_white on black", soft_wrap=True)
