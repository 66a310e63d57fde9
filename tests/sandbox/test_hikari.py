"""Another library (hikari, zlib transport) with the same sandbox, which must not fit discord.py alone.

hikari is no dependency of the project: `pip install hikari==2.7.0` runs this, otherwise it is skipped.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction, State
from bot.sandbox.world.standard import ADA, PICTURES, TABLEAUX, VIVANT

if TYPE_CHECKING:
    import hikari
else:
    hikari = pytest.importorskip("hikari", reason="hikari is not installed; no second library was tested")

OPTION = {"type": 11, "name": "image", "description": "x", "required": True}


async def test_hikari_receives_a_command_answers_with_a_file_and_warns_of_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="hikari")
    async with Sandbox() as sandbox:
        client = hikari.GatewayBot(
            sandbox.token,
            banner=None,
            suppress_optimization_warning=True,
            intents=hikari.Intents.GUILDS,
            http_settings=hikari.impl.HTTPSettings(ssl=sandbox.client_tls()),
            proxy_settings=hikari.impl.ProxySettings(url=sandbox.proxy_url),
        )
        heard: asyncio.Queue[hikari.CommandInteraction] = asyncio.Queue()

        async def on_interaction(event: hikari.InteractionCreateEvent) -> None:
            await heard.put(event.interaction)

        client.subscribe(hikari.InteractionCreateEvent, on_interaction)
        async with asyncio.timeout(20):
            await client.start(check_for_updates=False)
            await sandbox.gateway.online.wait()
            sandbox.world.commands.overwrite(None, [{"name": "animate", "description": "x", "options": [OPTION]}])
            asked = await sandbox.world.invoke(
                ADA, PICTURES, "animate", {}, {"image": Upload("a.png", "image/png", b"picture")}
            )
            await answer(client, await heard.get())
            sandbox.gateway.drop()
            await sandbox.world.invoke(ADA, PICTURES, "animate", {}, {"image": Upload("b.png", "image/png", b"x")})
            assert (await heard.get()).resolved.attachments
            assert sandbox.gateway.resumes == 1
            await client.close()
        check(sandbox, asked)
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("hikari")]
    assert [text for text in warnings if "4000" not in text] == []


async def answer(client: hikari.GatewayBot, interaction: hikari.CommandInteraction) -> None:
    """Check what hikari parsed, then defer, edit with a file and post."""
    attachment = next(iter(interaction.resolved.attachments.values()))
    assert (attachment.filename, attachment.size, attachment.is_ephemeral) == ("a.png", 7, True)
    assert (str(interaction.user.id), str(interaction.guild_id), interaction.locale) == (ADA, TABLEAUX, "en-US")
    await interaction.create_initial_response(hikari.ResponseType.DEFERRED_MESSAGE_CREATE)
    await interaction.edit_initial_response("done", attachment=hikari.Bytes(b"clip", "clip.mp4"))
    await client.rest.create_message(int(PICTURES), f"<@{ADA}>", user_mentions=True)


def check(sandbox: Sandbox, asked: Interaction) -> None:
    """Check what people see and what was asked of the sandbox."""
    done, pinging = sandbox.world.messages_for(ADA, PICTURES)
    assert (asked.state, done["id"]) == (State.ANSWERED, asked.message_id)
    assert [item["filename"] for item in done["attachments"]] == ["clip.mp4"]
    assert sandbox.world.messages.notified == [(ADA, pinging["id"])]
    assert sandbox.world.directory.bot["id"] == VIVANT
    assert sandbox.unimplemented == []
