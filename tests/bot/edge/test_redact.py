"""No token reaches the log."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import aiohttp
import pytest

from bot.edge.redact import hide_tokens, hide_tokens_in_logs
from bot.queue.job import Job
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


TOKEN = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4OkFiQ2RFZkdoSWprTG1Ob1BxUnN0"
BOT_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Connection timeout to host https://discord.com/api/v10/webhooks/1/{TOKEN}/messages/@original", None),
        (f"url='https://discord.com/api/v10/interactions/17/{TOKEN}/callback?with_response=1'", None),
        (f"URL('https://discord.com/api/v10/webhooks/1/{TOKEN}')", None),
        (f'{{"t": "INTERACTION_CREATE", "d": {{"token": "{TOKEN[:7]}", "id": "5"}}}}', None),
        (f"{{'token': '{TOKEN[:7]}'}} Route(interaction_token='{TOKEN[:7]}')", None),
        (f"the token {TOKEN} alone", "the token … alone"),
        (f"{{'Authorization': 'Bot {BOT_TOKEN}'}}", "{'Authorization': 'Bot …'}"),
        (f"the token {BOT_TOKEN} alone", "the token … alone"),
        ("hf_abcdefghijklmnopqrstuvwx is refused", "… is refused"),
        ("proxy http://me:secret@proxy.example:3128", "proxy http://me:…@proxy.example:3128"),
        (
            "https://cdn.discordapp.com/a/b/c.png?ex=1&is=2&hm=0f0f&x=1",
            "https://cdn.discordapp.com/a/b/c.png?ex=1&is=2&hm=…&x=1",
        ),
        ("job=17 accepted variant=svd-xt frames=25 https://discord.com/api/v10/channels/1/messages/2", "the same"),
        ("interaction=5 picture not fetched: ClientResponseError, 0.13.1, 14:03:07.123", "the same"),
    ],
)
def test_every_kind_of_secret_is_hidden_and_nothing_else(text: str, shown: str | None) -> None:
    hidden = hide_tokens(text)
    assert TOKEN[:7] not in hidden
    assert BOT_TOKEN not in hidden
    if shown is not None:
        assert hidden == (text if shown == "the same" else shown)


def _fail() -> None:
    address = f"https://discord.com/api/v10/webhooks/1/{TOKEN}/messages/@original"
    try:
        try:
            raise TimeoutError(f"Connection timeout to host {address}")
        except TimeoutError as cause:
            raise RuntimeError(f"the first: {address}") from cause
    except RuntimeError as context:
        context.add_note(f"with a note: {address}")
        raise ExceptionGroup("several", [ValueError(address), context]) from None


@pytest.mark.parametrize(
    "name", ["bot.edge.commands", "discord.client", "discord.http", "aiohttp.client", "asyncio", "x.y"]
)
@pytest.mark.parametrize("redacted", [True, False])
def test_no_traceback_holds_a_token_whoever_logs_it(
    name: str, redacted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logging.setLogRecordFactory(logging.LogRecord)
    if redacted:
        hide_tokens_in_logs()
    try:
        _fail()
    except ExceptionGroup as error:
        logging.getLogger(name).error("failed: %s", error, exc_info=error)
    hide_tokens_in_logs()
    assert "Connection timeout to host https://discord.com/api/v10/webhooks/1/" in caplog.text
    assert (TOKEN not in caplog.text) is redacted


SCRIPT = """
import sys, threading
import bot.app, bot.__main__
from tests.bot.edge.test_redact import fail_everywhere
bot.app.run_bot = fail_everywhere
if sys.argv.pop():
    bot.__main__.app(["run"])
else:
    import asyncio
    asyncio.run(fail_everywhere(None))
"""


async def fail_everywhere(_config: object) -> None:
    """Fail in a thread, where nobody can be told, in a task that nobody awaits, and at last in the open."""
    (thread := threading.Thread(target=_fail)).start()
    thread.join()

    class Unwilling:
        def __del__(self) -> None:
            _fail()

    Unwilling()
    asyncio.get_running_loop().call_soon(_fail)
    await asyncio.sleep(0)
    _fail()


@pytest.mark.parametrize("as_the_bot", [True, False])
def test_what_nobody_catches_is_told_without_tokens(as_the_bot: bool, tmp_path: Path) -> None:
    """With its negative control: Python itself prints all that an error quotes."""
    command = [sys.executable, "-c", SCRIPT, "yes" if as_the_bot else ""]
    environment = os.environ | {"VIVANT_CONFIG": os.devnull, "VIVANT_DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("several (2 sub-exceptions)") >= 4
    assert (TOKEN not in done.stderr) is as_the_bot


async def test_a_command_that_fails_over_a_request_leaves_no_token_in_the_log(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def active() -> list[Job]:
        raise aiohttp.ServerTimeoutError(f"Connection timeout to host https://discord.com/api/v10/webhooks/1/{TOKEN}")

    monkeypatch.setattr(edge.store.jobs, "active", active)
    await edge.answer(await edge.invoke("queue"))
    assert "Connection timeout to host" in caplog.text
    assert TOKEN not in caplog.text


async def test_no_gateway_event_reaches_the_log_even_at_debug(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With its negative control: discord.py's own level would let every event through, though without its token."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "discord.gateway")
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox) as edge:
        caplog.clear()
        hidden = await edge.invoke("queue")
        await edge.answer(hidden)
        assert "interaction" in caplog.text
        assert "INTERACTION_CREATE" not in caplog.text
        assert hidden.token not in caplog.text
        logging.getLogger("discord.gateway").setLevel(logging.DEBUG)
        shown = await edge.invoke("queue")
        await edge.answer(shown)
        assert "INTERACTION_CREATE" in caplog.text
        assert shown.token not in caplog.text
