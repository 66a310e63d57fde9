"""How a post is named and built; the attempts to post are tested in test_delivery.py."""

from __future__ import annotations

from bot.edge.posting import clip_name
from generator.clip import Format


def test_names_and_nonces_are_what_discord_takes() -> None:
    assert clip_name("0539f79b-17", Format.GIF) == "vivant-0539f79b-17.gif"
