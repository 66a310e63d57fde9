"""Discord's permission bits, and how roles and channel overwrites combine.

Tested in tests/sandbox/world/test_channels.py.
"""

from __future__ import annotations

from enum import IntFlag

from bot.sandbox.rules.payloads import Json


class Permission(IntFlag):
    """The permissions that this Discord checks; others are only stored."""

    ADMINISTRATOR = 1 << 3
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EXTERNAL_APPS = 1 << 50


ALL = (1 << 53) - 1
EVERYONE = (
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.USE_EXTERNAL_APPS
)
IN_DIRECT_MESSAGES = Permission.ATTACH_FILES | Permission.EMBED_LINKS | Permission.MENTION_EVERYONE
"""what Discord states as `app_permissions` in a direct message"""


def permissions_in(guild: Json, member: Json, channel: Json) -> int:
    """Return a member's permissions in a channel; for a thread, pass its parent."""
    user_id = member["user"]["id"]
    if guild["owner_id"] == user_id:
        return ALL
    held = {guild["id"], *member["roles"]}
    bits = 0
    for role in guild["roles"]:
        if role["id"] in held:
            bits |= int(role["permissions"])
    if bits & Permission.ADMINISTRATOR:
        return ALL
    bits = _apply_overwrites(bits, channel["permission_overwrites"], guild["id"], held, user_id)
    return bits if bits & Permission.VIEW_CHANNEL else 0


def _apply_overwrites(bits: int, overwrites: list[Json], everyone: str, held: set[str], user_id: str) -> int:
    by_id = {overwrite["id"]: overwrite for overwrite in overwrites}
    if everyone in by_id:
        bits = bits & ~int(by_id[everyone]["deny"]) | int(by_id[everyone]["allow"])
    roles = [by_id[role] for role in held - {everyone} if role in by_id]
    for overwrite in roles:
        bits &= ~int(overwrite["deny"])
    for overwrite in roles:
        bits |= int(overwrite["allow"])
    if user_id in by_id:
        bits = bits & ~int(by_id[user_id]["deny"]) | int(by_id[user_id]["allow"])
    return bits
