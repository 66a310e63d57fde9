"""Every user, guild, channel and member of this Discord, by id.

Tested in tests/sandbox/world/test_channels.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.sandbox.rules.payloads import Json

TEXT, DIRECT, ANNOUNCEMENT, FORUM, MEDIA = 0, 1, 5, 15, 16
ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD = 10, 11, 12
"""channel types"""
THREADS = frozenset({ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD})
THREADS_ONLY = frozenset({FORUM, MEDIA})
"""channels of posts, each of which is a thread; the channel itself takes no message"""


@dataclass
class Directory:
    """Discord's own JSON objects by id; tests may change them."""

    bot: Json
    application: Json
    token: str
    users: dict[str, Json] = field(default_factory=dict)
    guilds: dict[str, Json] = field(default_factory=dict)
    channels: dict[str, Json] = field(default_factory=dict)
    members: dict[tuple[str, str], Json] = field(default_factory=dict)
    """(guild id, user id) -> member; the members of "Elsewhere" have installed the app for themselves"""
    thread_members: dict[str, set[str]] = field(default_factory=dict)
    """thread id -> the ids of the people in it; a private thread is seen by them and by who manages threads"""
    locales: dict[str, str] = field(default_factory=dict)
    """user id -> the language that the person's client is set to, where it is not American English"""
    upload_limits: dict[str, int] = field(default_factory=dict)
    """guild id -> bytes, where a test sets another limit than that of the boost tier"""
    commands_only: set[str] = field(default_factory=set)
    """guild ids that installed the app's commands without its bot user"""
