"""A plain discord.py bot for the sandbox tests, run as a process: `python -m tests.support.ping_bot PROXY TOKEN`."""

from __future__ import annotations

import io
import logging
import sys

import discord
from discord import app_commands


class PingBot(discord.AutoShardedClient):
    def __init__(self, proxy: str) -> None:
        super().__init__(intents=discord.Intents(guilds=True), proxy=proxy, guild_ready_timeout=0.1)
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="ping", description="Answer with a file")(ping)

    async def setup_hook(self) -> None:
        await self.tree.sync()


@app_commands.describe(count="how often")
async def ping(
    interaction: discord.Interaction, count: app_commands.Range[int, 1, 5], picture: discord.Attachment | None = None
) -> None:
    await interaction.response.defer()
    data = await picture.read() if picture else b"pong"
    await interaction.edit_original_response(
        content=f"pong {count}", attachments=[discord.File(io.BytesIO(data), "pong.bin")]
    )
    assert isinstance(interaction.channel, discord.abc.Messageable)
    for _ in range(2):
        await interaction.channel.send(f"done <@{interaction.user.id}>", nonce=f"job-{interaction.id % 1_000_000}")


if __name__ == "__main__":
    PingBot(sys.argv[1]).run(sys.argv[2], log_level=logging.INFO)
