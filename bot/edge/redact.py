"""Keeps tokens out of the log: whoever has an interaction's can post as the bot for 15 minutes.

They hide in the addresses of requests, which libraries log and errors quote, also as the cause of another error.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from types import TracebackType

_HIDDEN = "…"
_SECRETS = (
    re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/?\s'\"<>]+"),
    re.compile(r"()aW50ZXJhY3Rpb24[\w-]{20,}"),  # "interaction" in base 64: how Discord's begin
    re.compile(r"""(token\\?["']?\s*[:=]\s*\\?["'])[^"'\\]+""", re.IGNORECASE),  # in JSON, in a record
    re.compile(r"\b((?:Bot|Bearer)\s+)[\w-]{8,}\.?[\w.-]+"),  # in a request's headers
    re.compile(r"()\b[\w-]{23,}\.[\w-]{6,7}\.[\w-]{27,}"),  # a bot's token
    re.compile(r"()\bhf_\w{20,}"),
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),  # a proxy's password
    re.compile(r"([?&]hm=)[0-9a-f]+"),  # what signs the link to a person's picture
)


class TokenFreeRecord(logging.LogRecord):
    """A record of the log whose text and traceback hold no token, whichever handler writes it."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        if self.exc_info:  # a formatter takes the text that is there already
            self.exc_text = hide_tokens(logging.Formatter().formatException(self.exc_info))

    def getMessage(self) -> str:  # noqa: N802 - logging's own name
        """Return the message without tokens."""
        return hide_tokens(super().getMessage())


def hide_tokens(text: str) -> str:
    """Return the text without tokens, passwords and signatures."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return text


def hide_tokens_in_logs() -> None:
    """Leave the tokens out of what anybody logs from now on; calling it twice does no harm."""
    logging.setLogRecordFactory(TokenFreeRecord)
    gateway = logging.getLogger("discord.gateway")
    gateway.setLevel(max(logging.INFO, gateway.getEffectiveLevel()))  # at DEBUG it logs whole events


def log_what_nobody_caught() -> None:
    """Send the errors that Python would print itself, with all that they quote, through the log."""
    log = logging.getLogger(__name__)

    def at_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("the bot ends by an error", exc_info=(kind, error, trace))

    def in_a_thread(what: threading.ExceptHookArgs) -> None:
        if what.exc_value is not None:
            log.error("a thread ended by an error", exc_info=what.exc_value)

    def unraisable(what: sys.UnraisableHookArgs) -> None:
        log.error("%s", what.err_msg or "an error that nobody could be told", exc_info=what.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = at_the_end, in_a_thread, unraisable
