"""The link as a QR code, for terminals that can show one."""

from __future__ import annotations

import io

import pytest
import segno
from rich.console import Console

from bot.doctor.setup.qr_code import BORDER, lines_of, print_qr_code

LINK = "https://discord.com/oauth2/authorize?client_id=1&permissions=274878024704&scope=bot+applications.commands"


def test_every_module_of_the_code_is_shown() -> None:
    upper = {"█": 0, "▀": 0, "▄": 1, " ": 1}
    lower = {"█": 0, "▀": 1, "▄": 0, " ": 1}
    shown = [[table[letter] for letter in line] for line in lines_of(LINK) for table in (upper, lower)]
    expected = [list(row) for row in segno.make(LINK, error="l").matrix_iter(border=BORDER)]
    assert shown[: len(expected)] == expected
    assert len(shown) - len(expected) < 2


def shown_on(width: int, encoding: str, *, terminal: bool) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    print_qr_code(Console(file=stream, force_terminal=terminal, width=width), LINK)
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(encoding)


def test_a_terminal_shows_it() -> None:
    assert "▀" in shown_on(80, "utf-8", terminal=True)


@pytest.mark.parametrize(
    ("width", "encoding", "terminal"), [(80, "utf-8", False), (30, "utf-8", True), (80, "ascii", True)]
)
def test_a_file_a_narrow_terminal_and_one_without_the_letters_show_none(
    width: int, encoding: str, terminal: bool
) -> None:
    assert shown_on(width, encoding, terminal=terminal) == ""
