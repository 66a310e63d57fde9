"""The shape of a bot's token, by which most wrong ones are recognised without asking Discord."""

from __future__ import annotations

import base64
import binascii
import re

PORTAL = "https://discord.com/developers/applications"
WHERE = f"open {PORTAL}, your application, the page Bot, and press Reset Token"

_OTHERS = (
    (r"https?://.*", "it is a link, not a token"),
    (r"\d{15,22}", "it is an id of 15 to 22 digits (the application's?), not the token of its bot"),
    (r"[0-9a-fA-F]{64}", "it is the application's public key, not the token of its bot"),
    (r"[\w-]{32}", "it is a client secret from the page OAuth2, not the token from the page Bot"),
    (r"mfa\.[\w-]+", "it is the token of a person's account; Discord forbids bots to use one"),
    (r"Bot .*", "it begins with the word Bot; leave that out"),
)
"""what people copy instead, as the whole text"""
_LETTERS = re.compile(r"[\w.-]*", re.ASCII)
_LEAST = (20, 5, 27)
"""letters of the three parts: an id in base 64, a time, a signature; those of Discord have 23 to 26, 6, and 27 or 38"""


def other_secret(token: str) -> str:
    """Say which other text was copied instead of a token; nothing when the text is none that is known."""
    return next((said for pattern, said in _OTHERS if re.fullmatch(pattern, token, re.ASCII)), "")


def shape_problem(token: str) -> str:
    """Say why a text cannot be the token of a bot; nothing when only Discord can tell."""
    if not token:
        return "it is empty"
    if other := other_secret(token):
        return other
    if not _LETTERS.fullmatch(token):
        return "it holds a space, a quotation mark or another letter that no token has"
    parts = token.split(".")
    if len(parts) != 3:
        return f"it has {_counted(len(parts))}; a token has three, with dots between them"
    if application_of(token) is None:
        return "its first part names no application; copy the whole token"
    if any(len(part) < least for part, least in zip(parts, _LEAST, strict=True)):
        return "it is too short; copy the whole token"
    return ""


def application_of(token: str) -> int | None:
    """Return the id of the bot's account, which a token names in base 64; None when it names none.

    It is the application's id too, but for bots that were made before 2016.
    """
    first = token.partition(".")[0]
    try:
        digits = base64.b64decode(first + "=" * (-len(first) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return int(digits) if digits.isdecimal() and 15 <= len(digits) <= 22 else None


def _counted(parts: int) -> str:
    return "one part" if parts == 1 else f"{parts} parts"
