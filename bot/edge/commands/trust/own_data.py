"""/my-data, and opting out of having one's pictures animated by others."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import discord
from discord import app_commands

from bot.edge.commands.submission.answers import acknowledge, answer, fill_in
from bot.edge.commands.submission.channel import LARGEST_POST
from bot.edge.commands.submission.permissions import usable_everywhere
from bot.edge.context import Interaction
from bot.edge.layouts.actions import Action
from bot.queue.servers.trust.own_data import OwnData, own_data
from bot.texts.replies import not_yours_text
from bot.texts.safety.trust import my_data_text, opted_in_now_text, opted_out_now_text

FILE_NAME = "my-data.zip"
_SPARE_BYTES = 64 * 1024
"""of the largest upload, for the archive's own tables and the rest of the message"""


async def press_opt_out(interaction: Interaction, action: Action, user_id: int, _key: str) -> None:
    """Opt out, or in again, for the person who presses the button, if it is theirs."""
    if interaction.user.id != user_id:
        await answer(interaction, not_yours_text())
        return
    if await acknowledge(interaction, private=True) is None:
        return
    pictures = interaction.client.services.store.trust.pictures
    if action is Action.OPT_OUT:
        await pictures.opt_out(user_id)
        await fill_in(interaction, opted_out_now_text())
    else:
        await pictures.opt_in(user_id)
        await fill_in(interaction, opted_in_now_text())


@app_commands.command(name="my-data", description="Everything I keep about you, as a file")
@usable_everywhere
async def my_data(interaction: Interaction) -> None:
    """Hand over everything about the person, privately."""
    if await acknowledge(interaction, private=True) is None:
        return
    services = interaction.client.services
    who = services.store.trust.pictures.who(interaction.user.id)
    found = await services.store.database.read(own_data, interaction.user.id, who)
    kept = [item.to_json() for item in interaction.client.kept.of_user(interaction.user.id)]
    if kept:  # in no table: it is there for minutes
        found = replace(found, rows={**found.rows, "refused_to_mend": kept})
    paths = await asyncio.to_thread(services.spool.with_frames, found.files)
    limit = min(interaction.filesize_limit, LARGEST_POST) - _SPARE_BYTES
    archive, left_out = await asyncio.to_thread(pack, found, paths, limit)
    file = discord.File(io.BytesIO(archive), FILE_NAME)
    await fill_in(interaction, my_data_text(len(left_out)), attachments=[file])


def pack(found: OwnData, paths: list[Path], limit: int) -> tuple[bytes, list[str]]:
    """Return an archive of the rows and of as many files as fit into so many bytes, and the names of the others."""
    kept, left_out = io.BytesIO(), []
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("my-data.json", json.dumps(found.rows, indent=2, ensure_ascii=False))
        for path in paths:
            try:
                if kept.tell() + path.stat().st_size > limit:
                    left_out.append(path.name)
                else:
                    archive.write(path, f"files/{path.name}", zipfile.ZIP_STORED)
            except FileNotFoundError:
                continue  # deleted meanwhile, by a sweep or by the person
    return kept.getvalue(), left_out
