"""What a channel allows: where a clip may be posted, and how large."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.edge.commands.submission.channel import LARGEST_POST, TOKEN_MS, can_post, missing_permissions, route_of
from bot.policy.server import DEFAULTS
from bot.queue.job import Route
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.world.standard import (
    ADA,
    BEN,
    DIRECT_ADA,
    GENERAL,
    NO_FILES,
    OLGA,
    PICTURES,
    READ_ONLY,
    TABLEAUX,
    THREAD,
)
from bot.texts.languages.spoken import speaking
from generator.memory import MIB
from tests.support.edge import Edge, Start, buttons, until, words


@pytest.mark.parametrize("channel", [GENERAL, THREAD, DIRECT_ADA], ids=["channel", "thread", "direct message"])
async def test_it_works_in_channels_threads_and_direct_messages(start: Start, channel: str) -> None:
    async with start() as edge:
        await edge.animate(channel=channel)
        message = await edge.clip(channel=channel)
        assert "Again" in buttons(message["components"])


@pytest.mark.parametrize(("stated", "used"), [(5 * MIB, 5 * MIB), (500 * MIB, 10 * MIB)], ids=["small", "Nitro"])
async def test_a_clip_is_made_for_what_the_bot_itself_may_post_there(start: Start, stated: int, used: int) -> None:
    async with start() as edge:
        edge.world.channels.set_upload_limit(TABLEAUX, stated)
        await edge.animate()
        await edge.clip()
        assert edge.backend.requests[0].max_bytes == used


@pytest.mark.parametrize(("channel", "lack"), [(NO_FILES, "Attach Files"), (READ_ONLY, "Send Messages")])
async def test_a_channel_where_the_clip_could_not_be_posted_is_refused_first(
    start: Start, channel: str, lack: str
) -> None:
    async with start() as edge:
        refused = await edge.animate(channel=channel)
        assert lack in await edge.answer(refused, channel=channel)
        assert edge.seen(actor=BEN, channel=channel) == []


async def test_a_thread_in_a_channel_that_the_bot_cannot_see_is_refused_first(start: Start) -> None:
    async with start() as edge:
        edge.world.channels.set_bot_permission(PICTURES, Permission.VIEW_CHANNEL, allowed=False)
        refused = await edge.animate(channel=THREAD)
        assert "View Channel" in await edge.answer(refused, channel=THREAD)


async def _advice_after(edge: Edge, actor: str, channel: str = PICTURES) -> list[str]:
    """Let a person ask for a clip, and return the private messages that they then see."""
    count = len(edge.clips(actor=actor, channel=channel)) + 1
    await edge.animate(actor=actor, channel=channel)
    await until(lambda: len(edge.clips(actor=actor, channel=channel)) == count, "the clip")
    return [words(item) for item in edge.seen(actor=actor, channel=channel) if item["flags"] & 64]


async def test_who_can_change_it_is_told_once_and_privately_what_is_weaker_without_the_history(start: Start) -> None:
    async with start() as edge:
        edge.world.channels.set_bot_permission(PICTURES, Permission.READ_MESSAGE_HISTORY, allowed=False)
        assert await _advice_after(edge, ADA) == []
        [told] = await _advice_after(edge, OLGA)
        assert "Read Message History" in told
        assert await _advice_after(edge, OLGA) == [told]
        assert await _advice_after(edge, ADA) == []


@pytest.mark.parametrize("channel", [PICTURES, DIRECT_ADA], ids=["channel", "direct message"])
async def test_nobody_is_told_where_nothing_is_weaker(start: Start, channel: str) -> None:
    async with start() as edge:
        assert await _advice_after(edge, OLGA if channel == PICTURES else ADA, channel) == []


# -- as plain questions ---------------------------------------------------------------------------------------------

ALL = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, attach_files=True, manage_threads=False
)


class Thread(discord.Thread):
    """A thread as discord.py knows it, with as much of it as is asked for."""

    def __init__(self, *, private: bool, member: bool = True) -> None:
        self.private = private
        self.me = SimpleNamespace() if member else None  # type: ignore[assignment]

    def is_private(self) -> bool:
        return self.private


def server(limit: int) -> Any:
    return SimpleNamespace(filesize_limit=limit, features=[])


def interaction(guild_id: int | None = 10, **more: Any) -> Any:
    """Return an interaction in a server of which the bot is a member, unless `more` says otherwise."""
    usual = {
        "guild_id": guild_id,
        "guild": server(50 * MIB) if guild_id else None,
        "locale": discord.Locale.german,
        "guild_locale": discord.Locale.french if guild_id else None,
        "channel": None,
        "channel_id": 20,
        "application_id": 30,
        "token": "a token",
        "app_permissions": ALL,
        "context": SimpleNamespace(dm_channel=guild_id is None),
        "filesize_limit": 9 * MIB,
        "is_guild_integration": lambda: True,
        "client": SimpleNamespace(
            get_guild=lambda asked: SimpleNamespace() if asked == 10 else None,
            services=SimpleNamespace(
                config=SimpleNamespace(language="en"),
                store=SimpleNamespace(servers=SimpleNamespace(settings=lambda guild_id: DEFAULTS)),
            ),
        ),
    }
    return SimpleNamespace(**usual | more)


def without(*names: str) -> discord.Permissions:
    return discord.Permissions(ALL.value & ~discord.Permissions(**dict.fromkeys(names, True)).value)


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        (interaction(), []),
        (interaction(app_permissions=without("view_channel")), ["View Channel"]),
        (interaction(app_permissions=without("send_messages")), ["Send Messages"]),
        (interaction(app_permissions=without("send_messages_in_threads")), []),
        (interaction(app_permissions=without("attach_files", "view_channel")), ["View Channel", "Attach Files"]),
        (interaction(channel=Thread(private=False), app_permissions=without("send_messages")), []),
        (
            interaction(channel=Thread(private=False), app_permissions=without("send_messages_in_threads")),
            ["Send Messages in Threads"],
        ),
        (interaction(None, app_permissions=without("attach_files")), []),
        (interaction(11, app_permissions=without("attach_files")), []),
    ],
)
def test_what_the_bot_lacks_in_a_channel_is_named_where_it_would_post_there(asked: Any, missing: list[str]) -> None:
    assert missing_permissions(asked) == missing


@pytest.mark.parametrize(
    ("asked", "posts"),
    [
        (interaction(), True),
        (interaction(11), False),
        (interaction(is_guild_integration=lambda: False), False),
        (interaction(None), True),
        (interaction(None, context=SimpleNamespace(dm_channel=False)), False),
        (interaction(channel=Thread(private=False, member=False)), True),
        (interaction(channel=Thread(private=True)), True),
        (interaction(channel=Thread(private=True, member=False)), False),
        (
            interaction(
                channel=Thread(private=True, member=False), app_permissions=discord.Permissions(manage_threads=True)
            ),
            True,
        ),
    ],
)
def test_where_the_bot_can_post_by_itself(asked: Any, posts: bool) -> None:
    assert can_post(asked) is posts


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        (interaction(), 9 * MIB),
        (interaction(filesize_limit=500 * MIB), LARGEST_POST),
        (interaction(filesize_limit=500 * MIB, guild=server(11 * MIB)), 11 * MIB),
        (interaction(None, filesize_limit=500 * MIB), 10 * MIB),
        (interaction(11, filesize_limit=23 * MIB, guild=server(11 * MIB)), 23 * MIB),
        (interaction(11, filesize_limit=500 * MIB), LARGEST_POST),
    ],
    ids=["asked", "a request's most", "the server's", "direct messages", "the answer's own", "an answer's most"],
)
def test_a_route_says_all_that_a_later_answer_needs(monkeypatch: pytest.MonkeyPatch, asked: Any, most: int) -> None:
    monkeypatch.setattr("bot.edge.commands.submission.channel.wall_clock_ms", lambda: 1_000)
    for spoiler in (True, False):
        with speaking("ja"):
            route = route_of(asked, spoiler=spoiler)
        assert route == Route(
            application_id=30,
            channel_id=20,
            guild_id=asked.guild_id,
            interaction_token="a token",
            token_expires_ms=1_000 + TOKEN_MS,
            can_post=asked.guild_id != 11,
            max_bytes=most,
            spoiler=spoiler,
            language="fr" if asked.guild_id else "de",
            own_language="ja",
        )
