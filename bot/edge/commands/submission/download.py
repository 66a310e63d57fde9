"""Takes a picture in: streams it into the spool, never more than its limit, and has it framed for the model.

Attachment links expire, so this is done at once.

Tested in tests/bot/edge/commands/submission/test_submit.py.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import aiohttp

from bot.edge.commands.submission.admitting import Refused, allowance_of
from bot.edge.commands.submission.channel import chosen_route
from bot.edge.commands.submission.options import notes_on_steps
from bot.edge.commands.submission.shares import share_of
from bot.edge.commands.submission.sources import Source
from bot.edge.context import Interaction
from bot.queue.job import NewJob, Route
from bot.queue.job import Source as JobSource
from bot.texts.explanations import explain_picture
from bot.texts.replies import no_room_text, not_fetched_text
from generator.clip import ClipSettings
from generator.errors import PictureError, PictureReason
from generator.memory import MIB
from generator.protocol import Note
from generator.variants import Variant

log = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
DOWNLOAD_SECONDS = 60.0


async def download(
    session: aiohttp.ClientSession, url: str, target: Path, max_bytes: int, *, proxy: str | None
) -> None:
    """Write `url` to `target`. Raises PictureError past `max_bytes`, else what aiohttp raises."""
    async with (
        asyncio.timeout(DOWNLOAD_SECONDS),
        session.get(url, proxy=proxy, allow_redirects=False, raise_for_status=True) as response,
    ):
        if response.status != 200:  # a redirect would lead anywhere
            raise aiohttp.ClientError(f"answered with {response.status}")
        written = 0
        with await asyncio.to_thread(target.open, "wb") as file:
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                written += len(chunk)
                if written > max_bytes:
                    raise PictureError(PictureReason.TOO_MANY_BYTES, "more bytes than announced", max_bytes=max_bytes)
                await asyncio.to_thread(file.write, chunk)


async def take_picture(
    interaction: Interaction, source: Source, variant: Variant, settings: ClipSettings, person: int
) -> NewJob:
    """Download the picture into the spool and frame it for the model, for somebody. Raises Refused."""
    services = interaction.client.services
    key = str(interaction.id)
    incoming, picture = services.spool.request_paths(key)
    limit = services.config.picture.max_mib * MIB
    try:
        async with services.intake.picture(person):
            await download(interaction.client.downloads, source.url, incoming, limit, proxy=services.config.proxy)
            async with services.intake.decoding(person):
                prepared = await services.pictures.prepare(incoming, picture, variant, settings.shape, settings.framing)
        settings = replace(settings, shape=prepared.shape)
        services.store.names.note(person, picture.name, source.filename)
        route = chosen_route(interaction, spoiler=source.is_spoiler())
        notes = (*prepared.notes, *notes_on_steps(settings, variant))
        new = await new_job(interaction, route, settings, picture.name, notes)
        return replace(new, source=JobSource(hash=prepared.hash))
    except PictureError as error:
        raise Refused(str(explain_picture(error)), mend="picture") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        log.info("interaction=%d picture not fetched: %s", interaction.id, type(error).__name__)
        raise Refused(not_fetched_text(), mend="picture") from error
    except OSError as error:
        log.warning("interaction=%d picture not kept: %s", interaction.id, error)
        raise Refused(no_room_text(), mend="") from error
    except BaseException:
        await asyncio.to_thread(picture.unlink, missing_ok=True)  # no job names it
        raise
    finally:
        await asyncio.to_thread(incoming.unlink, missing_ok=True)


async def new_job(
    interaction: Interaction, route: Route, settings: ClipSettings, picture: str, notes: tuple[Note, ...] = ()
) -> NewJob:
    """Return the request that an interaction is, of a picture in the spool."""
    return NewJob(
        key=str(interaction.id),
        user_id=interaction.user.id,
        route=route,
        settings=settings,
        picture=picture,
        share=await share_of(interaction),
        allowance=await allowance_of(interaction),
        notes=notes,
    )
