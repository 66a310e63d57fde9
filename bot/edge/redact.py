"""Keeps interaction tokens out of the log: whoever has one can post as the bot for 15 minutes."""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/?\s]+")
_LOGGERS = ("discord.http", "discord.webhook.async_", "discord.webhook.sync", "aiohttp.client")
"""those that write the addresses of requests, for instance when Discord asks for patience"""


class HideTokens(logging.Filter):
    """Replaces the token in every request address of a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, without its tokens."""
        text = record.getMessage()
        hidden = hide_tokens(text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True


def hide_tokens(text: str) -> str:
    """Return the text without interaction and webhook tokens."""
    return _TOKEN.sub(r"\1…", text)


def hide_tokens_in_logs() -> None:
    """Make the libraries that log request addresses leave the tokens out; calling it twice does no harm."""
    gateway = logging.getLogger("discord.gateway")
    gateway.setLevel(max(logging.INFO, gateway.getEffectiveLevel()))  # at DEBUG it logs whole events, tokens and all
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(item, HideTokens) for item in logger.filters):
            logger.addFilter(HideTokens())
