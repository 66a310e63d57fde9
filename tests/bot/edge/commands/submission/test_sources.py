"""Only Discord's own addresses are ever asked for a picture."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.edge.commands.submission.sources import LinkedPicture, is_discords, pictures_of


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


CDN = "https://cdn.discordapp.com/attachments/1/2"
PROXY = "https://images-ext-1.discordapp.net/external/x/https/example.org"


def attached(name: str, kind: str | None = "image/png", url: str | None = None) -> Any:
    return SimpleNamespace(filename=name, content_type=kind, url=url or f"{CDN}/{name}")


def shown(name: str, **more: Any) -> Any:
    """Return what an embed says of a picture elsewhere, which Discord has copied."""
    return SimpleNamespace(**{"url": f"https://example.org/{name}", "proxy_url": f"{PROXY}/{name}"} | more)


NOTHING = SimpleNamespace(url=None, proxy_url=None)


def embed(image: Any = NOTHING, thumbnail: Any = NOTHING, url: str | None = None) -> Any:
    return SimpleNamespace(image=image, thumbnail=thumbnail, url=url)


def message(*attachments: Any, embeds: tuple[Any, ...] = (), content: str = "", forwards: tuple[Any, ...] = ()) -> Any:
    return SimpleNamespace(
        attachments=list(attachments),
        embeds=list(embeds),
        content=content,
        message_snapshots=list(forwards),
        components=[],
    )


def names(of: Any) -> list[str]:
    return [picture.filename for picture in pictures_of(of)]


def test_what_is_attached_comes_before_what_is_linked_and_what_is_forwarded_last() -> None:
    linked = (embed(shown("b.png"), shown("c.png")),)
    forward = message(attached("d.png"), embeds=(embed(thumbnail=shown("e.png")),))
    assert names(message(attached("a.png"), attached("notes.txt", None), embeds=linked, forwards=(forward,))) == [
        "a.png",
        "b.png",
        "c.png",
        "d.png",
        "e.png",
    ]
    assert names(message()) == []


def test_a_picture_that_is_shown_twice_is_one() -> None:
    twice = message(attached("a.png"), forwards=(message(attached("a.png", url=f"{CDN}/a.png?ex=another")),))
    [found] = pictures_of(twice)
    assert found.url == f"{CDN}/a.png", "as the first one says"


@pytest.mark.parametrize(
    ("content", "covered"),
    [
        ("||https://example.org/page||", True),
        ("look: || https://example.org/page || here", True),
        ("https://example.org/page", False),
        ("||something else|| https://example.org/page", False),
        ("||a|| https://example.org/page ||b||", False),
    ],
)
def test_a_picture_behind_a_covered_link_is_covered(content: str, covered: bool) -> None:
    page = embed(shown("a.png"), url="https://example.org/page")
    without_url = embed(shown("b.png"))
    found = pictures_of(message(embeds=(page, without_url), content=content))
    assert [picture.is_spoiler() for picture in found] == [covered, False]


@pytest.mark.parametrize(
    ("media", "url", "name"),
    [
        (shown("a%20b.png"), f"{PROXY}/a%20b.png", "a b.png"),
        (shown("a.png", proxy_url=None, url=f"{CDN}/a.png"), f"{CDN}/a.png", "a.png"),
        (shown("a.png", proxy_url="https://example.org/copy", url=f"{CDN}/a.png"), f"{CDN}/a.png", "a.png"),
        (shown("x", url=None, proxy_url=f"{PROXY}/copy.png"), f"{PROXY}/copy.png", "copy.png"),
        (shown("", url="https://example.org/"), f"{PROXY}/", "picture"),
        (shown(f"{'n' * 70}.png"), f"{PROXY}/{'n' * 70}.png", f"{'n' * 56}.png"),
    ],
    ids=["quoted", "no proxy", "a foreign proxy", "no address", "no name", "a long name"],
)
def test_discords_copy_is_fetched_and_named_as_the_original(media: Any, url: str, name: str) -> None:
    [found] = pictures_of(message(embeds=(embed(media),)))
    assert isinstance(found, LinkedPicture)
    assert (found.url, found.filename, found.size, found.content_type) == (url, name, None, "image/*")


@pytest.mark.parametrize("media", [shown("a.png", proxy_url=None), shown("a.mp4", content_type="video/mp4"), NOTHING])
def test_what_discord_has_no_copy_of_or_is_no_picture_is_left_out(media: Any) -> None:
    assert pictures_of(message(embeds=(embed(media),))) == []
    [found] = pictures_of(message(embeds=(embed(shown("a.png", content_type="image/avif")),)))
    assert found.content_type == "image/avif"
