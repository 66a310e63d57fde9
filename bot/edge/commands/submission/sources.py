"""Which pictures a message shows: attached, forwarded, behind a link, in a layout.

Whatever a message links to, it is fetched from Discord's own addresses alone: from its copies, never from where the
link leads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import discord

from bot.policy.facts import PictureFacts
from bot.texts.explanations import may_be_picture

_HOSTS = re.compile(r"(cdn\.discordapp\.com|media\.discordapp\.net|images-ext-\d+\.discordapp\.net)")
_NAME_LETTERS = 60
_SHOWN = "image/*"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedPicture:
    """Discord's copy of a picture that a message links to. It has what `submit` asks an attachment for."""

    url: str
    filename: str
    spoiler: bool = False
    content_type: str = _SHOWN
    """Discord has looked at it, and shows it as a picture"""
    size: int | None = None
    """not told"""
    description: str | None = None
    """its alt text"""

    def is_spoiler(self) -> bool:
        """Tell whether it was covered."""
        return self.spoiler


Source = discord.Attachment | LinkedPicture


def pictures_of(message: discord.Message) -> list[Source]:
    """Return the pictures of a message, and of what it forwards, each one once."""
    found: dict[str, Source] = {}
    parts: list[discord.Message | discord.MessageSnapshot] = [message, *message.message_snapshots]
    for part in parts:
        for source in (*_attached(part), *_linked(part), *_laid_out(part.components)):
            found.setdefault(urlsplit(source.url).path, source)
    return list(found.values())


def facts_of(message: discord.Message) -> PictureFacts:
    """Return what is known about the pictures of a message: who posted it."""
    is_person = not message.author.bot and message.webhook_id is None
    return PictureFacts(author_id=message.author.id, message_id=message.id, can_answer=is_person)


def is_discords(url: str | None) -> bool:
    """Tell whether a URL is one of Discord's own addresses for files, over TLS and on its usual port."""
    try:
        parts = urlsplit(url or "")
        plain = parts.port is None and parts.username is None
    except ValueError:
        return False
    return plain and parts.scheme == "https" and _HOSTS.fullmatch(parts.hostname or "") is not None


def _attached(part: discord.Message | discord.MessageSnapshot) -> Iterator[Source]:
    for item in part.attachments:
        if may_be_picture(item.filename, item.content_type):
            yield item


def _linked(part: discord.Message | discord.MessageSnapshot) -> Iterator[Source]:
    covered = part.content.split("||")[1::2]
    for embed in part.embeds:
        spoiler = any(embed.url and embed.url in text for text in covered)
        for media in (embed.image, embed.thumbnail):
            yield from _copy(media, spoiler=spoiler)


def _laid_out(components: list[Any]) -> Iterator[Source]:
    """Walk a layout: galleries and thumbnails, however deep."""
    for component in components:
        if isinstance(component, discord.MediaGalleryComponent):
            for item in component.items:
                yield from _copy(item.media, spoiler=item.spoiler, description=item.description)
        elif isinstance(component, discord.ThumbnailComponent):
            yield from _copy(component.media, spoiler=component.spoiler, description=component.description)
        yield from _laid_out(getattr(component, "children", []))
        if accessory := getattr(component, "accessory", None):
            yield from _laid_out([accessory])


def _copy(media: Any, *, spoiler: bool, description: str | None = None) -> Iterator[LinkedPicture]:
    """Yield Discord's copy of a picture. A layout may show videos too, which only the type tells."""
    kind = getattr(media, "content_type", None) or _SHOWN
    url = next((url for url in (media.proxy_url, media.url) if is_discords(url)), None)
    if url and may_be_picture("", kind):
        name = unquote(urlsplit(media.url or url).path).rpartition("/")[2] or "picture"
        yield LinkedPicture(
            url=url, filename=name[-_NAME_LETTERS:], spoiler=spoiler, content_type=kind, description=description
        )
