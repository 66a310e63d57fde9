"""Only Discord's own addresses are ever asked for a picture."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.edge.commands.submission.sources import is_discords, pictures_of


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1",
        "https://media.discordapp.net/attachments/1/2/a.png",
        "https://images-ext-1.discordapp.net/external/x/https/example.org/a.png",
        "https://images-ext-22.discordapp.net/external/x/https/example.org/a.png",
    ],
)
def test_discords_addresses(url: str) -> None:
    assert is_discords(url)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://cdn.discordapp.com/a.png",
        "ftp://cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com:8443/a.png",
        "https://cdn.discordapp.com:nonsense/a.png",
        "https://someone@cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com.example.org/a.png",
        "https://example.org/cdn.discordapp.com/a.png",
        "https://example.org#@cdn.discordapp.com/a.png",
        "https://images-ext-1x.discordapp.net/a.png",
        "https://evil-images-ext-1.discordapp.net/a.png",
        "https://images-ext-1.discordapp.net.example.org/a.png",
        "https://127.0.0.1/a.png",
        "https://[::1]/a.png",
        "https://[broken/a.png",
        "//cdn.discordapp.com/a.png",
    ],
)
def test_any_other_address(url: str | None) -> None:
    assert not is_discords(url)


def test_a_layouts_pictures_are_found_however_deep() -> None:
    def media(name: str, kind: str, host: str = "media.discordapp.net") -> dict[str, str]:
        return {"url": f"https://example.org/{name}", "proxy_url": f"https://{host}/{name}", "content_type": kind}

    gallery: Any = {
        "type": 12,
        "items": [
            {"media": media("a.png", "image/png"), "spoiler": True},
            {"media": media("b.mp4", "video/mp4")},
            {"media": media("c.png", "image/png", "example.org")},
        ],
    }
    thumbnail = {"type": 11, "media": media("d.webp", "image/webp")}
    section = {"type": 9, "components": [{"type": 10, "content": "text"}], "accessory": thumbnail}
    data: Any = {"type": 17, "components": [gallery, section]}
    message: Any = SimpleNamespace(
        attachments=[], embeds=[], content="", message_snapshots=[], components=[discord.Container(data, None)]
    )
    found = [(picture.filename, picture.is_spoiler()) for picture in pictures_of(message)]
    assert found == [("a.png", True), ("d.webp", False)]
