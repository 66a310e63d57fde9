"""Discord's limits on what a person reads, and how a text is kept within them. No Discord."""

from __future__ import annotations

from collections.abc import Iterable

from bot.texts.languages.sentences import ngettext, pgettext

MESSAGE_LETTERS = 2000
"""what one message takes"""
CHOICE_LETTERS = 100
"""the name of a suggestion, and its value"""
MOST_CHOICES = 25
"""suggestions for an option"""
PRESENCE_LETTERS = 128
NAME_LETTERS = 60
"""of a name that the operator gave, inside a sentence"""
SENTENCE_LETTERS = 400
"""of a reason, a description or an address that the operator gave"""
DESCRIPTION_LETTERS = 200
"""of what a person says that a picture shows; a layout takes 256 with what stands behind it"""
_JOINERS = "\u200c\u200d"
"""which are not printable, and hold some scripts' letters and emoji together"""


def count_letters(text: str) -> int:
    """Count as Discord does: a character outside the basic plane, such as most emoji, is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, most: int) -> str:
    """Return the text, cut at its end to at most `most` letters."""
    if count_letters(text) <= most:
        return text
    cut = text.encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)].decode("utf-16-le", "ignore")
    return cut.rstrip() + "…"


def one_line(text: str, most: int) -> str:
    """Return what anybody may have written as one line without control characters, cut to at most `most` letters."""
    shown = "".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in text)
    return shorten(" ".join(shown.split()), most)


def listed(parts: Iterable[str], most: int = SENTENCE_LETTERS) -> str:
    """Join as many whole parts as fit with what the language puts between the items of a list."""
    return fit_parts(parts, most, pgettext("between the items of a list", ", "))


def fit_parts(parts: Iterable[str], most: int, separator: str = "\n") -> str:
    """Join as many whole parts as fit, and say how many were left out."""
    kept = list(parts)
    total = len(kept)
    while True:
        left_out = total - len(kept)
        more = [ngettext("… and {count} more", "… and {count} more", left_out)] if left_out else []
        text = separator.join([*kept, *more])
        if count_letters(text) <= most or not kept:
            return shorten(text, most)
        kept.pop()
