"""What a terminal or a log cannot show must not end the program that says it.

Tested in tests/bot/doctor/test_init.py.
"""

from __future__ import annotations

import io
import sys


def show_letters_that_a_terminal_lacks() -> None:
    """Let output show a question mark for each letter that its encoding lacks, where it would raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
