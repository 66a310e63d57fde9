"""Asks a question on a terminal until its answer fits. Without a terminal nothing is ever asked.

Tested in tests/bot/doctor/setup/test_flow.py.
"""

from __future__ import annotations

import getpass
import sys
from typing import Any

from rich.console import Console
from rich.prompt import Confirm

from bot.doctor.setup.questions import Question


def can_ask() -> bool:
    """Tell whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def explain(console: Console, question: Question) -> None:
    """Print a question's title and its explanation."""
    console.print()
    console.print(question.title, style="bold", markup=False)
    console.print(question.text, markup=False, soft_wrap=True)


def ask(console: Console, question: Question, current: str) -> Any:
    """Return an answer's value, None to keep `current`. Raises EOFError where the input ends."""
    keep = f" [{current}]" if current else ""
    while True:
        typed = _read(console, f"{question.title}{keep}: ", hidden=question.secret)
        if not typed.strip() and current:
            return None
        try:
            return question.parse(typed)
        except ValueError as error:
            console.print(str(error), style="red", markup=False, soft_wrap=True)


def confirm(console: Console, question: str, *, usual: bool) -> bool:
    """Ask for yes or no; Enter means `usual`. Raises EOFError where the input ends."""
    return Confirm.ask(question, console=console, default=usual)


def _read(console: Console, prompt: str, *, hidden: bool) -> str:
    if hidden:
        return getpass.getpass(prompt)
    return console.input(prompt, markup=False)
