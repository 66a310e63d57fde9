"""Numbers as the language that is spoken just now writes them. No Discord.

Babel knows this for every language, with 10 MB of data. The bot needs four signs of each of its languages: they are in
`bot/policy/language.py`, and a test compares them with Babel's.
"""

from __future__ import annotations

from bot.texts.languages.spoken import spoken


def whole(number: int) -> str:
    """Write a whole number: 1,234,567."""
    return _with_signs(f"{number:,}" if abs(number) >= spoken().grouped_from else str(number))


def rounded(number: float, decimals: int = 0) -> str:
    """Write a number with so many decimals: 1,234.5."""
    return _with_signs(f"{number:{',' if abs(number) >= spoken().grouped_from else ''}.{decimals}f}")


def shortest(number: float) -> str:
    """Write a number with the decimals that it has, six digits or all before the point: 2, 2.5, 0.02, 4294967295.

    From 1e15 on, which no setting of ours reaches, with an exponent.
    """
    return _with_signs(f"{number:.0f}" if 1e6 <= abs(number) < 1e15 else f"{number:g}")


def percent(fraction: float) -> str:
    """Write a fraction from 0 to 1 in percent: 42%."""
    return spoken().percent.format(number=f"{100 * fraction:.0f}")


def _with_signs(text: str) -> str:
    return text.translate({ord(","): spoken().group, ord("."): spoken().point})
