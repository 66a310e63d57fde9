"""Takes a request as it was typed: reads the options, then submits it.

Tested in tests/bot/edge/commands/submission/choosing/test_mending.py.
"""

from __future__ import annotations

from bot.edge.commands.submission.admitting import Asked, Refused, admit
from bot.edge.commands.submission.choosing.reading import Typed, read_options
from bot.edge.commands.submission.choosing.refusing import refuse, refused_settings
from bot.edge.commands.submission.sources import Source
from bot.edge.commands.submission.submit import submit
from bot.edge.context import Interaction
from bot.policy.facts import NOTHING_KNOWN, Entrance, PictureFacts
from generator.errors import SettingsError


async def submit_typed(
    interaction: Interaction,
    source: Source,
    typed: Typed,
    entrance: Entrance,
    picture: PictureFacts = NOTHING_KNOWN,
) -> None:
    """Turn a picture with typed options into a job and its status card, or say why not."""
    try:
        options = read_options(typed)
    except SettingsError as error:
        try:
            await admit(interaction, Asked(entrance=entrance, picture=picture))  # who may not ask reads that first
        except Refused as refused:
            await refuse(interaction, refused, source, typed, picture)
        else:
            await refuse(interaction, refused_settings(error), source, typed, picture)
        return
    await submit(interaction, source, options, entrance, picture)
