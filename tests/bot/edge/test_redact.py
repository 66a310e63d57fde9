"""No token reaches the log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.edge.redact import hide_tokens
from bot.sandbox.faults import rate_limited
from bot.sandbox.server import Sandbox
from tests.support.edge import Edge, running_edge


async def test_no_interaction_token_reaches_the_log(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    edge.sandbox.faults.add(rate_limited(0.01), "PATCH", "/webhooks/**")
    interaction = await edge.invoke("queue")
    await edge.answer(interaction)
    assert "rate limited" in caplog.text
    assert interaction.token not in caplog.text
    assert hide_tokens("PATCH https://discord.com/api/v10/webhooks/1/abc.def/messages/2") == (
        "PATCH https://discord.com/api/v10/webhooks/1/…/messages/2"
    )


async def test_no_gateway_event_reaches_the_log_even_at_debug(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With its negative control: discord.py's own level would let every interaction's token through."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "discord.gateway")
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox) as edge:
        caplog.clear()
        hidden = await edge.invoke("queue")
        await edge.answer(hidden)
        assert "interaction" in caplog.text
        assert hidden.token not in caplog.text
        logging.getLogger("discord.gateway").setLevel(logging.DEBUG)
        shown = await edge.invoke("queue")
        await edge.answer(shown)
        assert shown.token in caplog.text
