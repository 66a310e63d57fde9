"""Guilds, channels, threads and members: looked up for the bot or for a person, and changed."""

from __future__ import annotations

from collections.abc import Iterable

from bot.sandbox.rules.clock import Clock, Snowflakes
from bot.sandbox.rules.errors import missing_access, missing_permissions, thread_archived, thread_locked, unknown
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.permissions import IN_DIRECT_MESSAGES, Permission, permissions_in
from bot.sandbox.rules.uploads import UPLOAD_LIMITS
from bot.sandbox.world.directory import (
    ANNOUNCEMENT,
    ANNOUNCEMENT_THREAD,
    DIRECT,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    THREADS,
    Directory,
)
from bot.sandbox.world.events import Events, Intent


class Channels:
    """Guilds, channels and members, and what the bot and people may do in them."""

    def __init__(self, directory: Directory, events: Events, clock: Clock, snowflakes: Snowflakes) -> None:
        self._directory = directory
        self._events = events
        self._clock = clock
        self._snowflakes = snowflakes
        self._closed_to_bot: set[str] = set()

    @property
    def bot_id(self) -> str:
        """The bot's (and its application's) id."""
        return str(self._directory.bot["id"])

    def guild(self, guild_id: str) -> Json:
        """Return a guild that the bot is in. Raises Refusal when it is in no such guild."""
        if (guild_id, self.bot_id) not in self._directory.members:
            raise unknown("Guild")
        return self._directory.guilds[guild_id]

    def bot_guilds(self) -> list[Json]:
        """Return the guilds that the bot is a member of."""
        return [guild for guild in self._directory.guilds.values() if self.member(guild["id"], self.bot_id)]

    def member(self, guild_id: str, user_id: str) -> Json | None:
        """Return a person's membership, or None."""
        return self._directory.members.get((guild_id, user_id))

    def get(self, channel_id: str) -> Json:
        """Return a channel, thread or direct message channel. Raises Refusal when there is none."""
        if channel_id not in self._directory.channels:
            raise unknown("Channel")
        return self._directory.channels[channel_id]

    def in_guild(self, guild_id: str) -> list[Json]:
        """Return a guild's channels and threads."""
        return [channel for channel in self._directory.channels.values() if channel.get("guild_id") == guild_id]

    def permissions(self, user_id: str, channel: Json) -> int:
        """Return somebody's permissions in a channel; 0 where they cannot see it."""
        held = self.inherited_permissions(user_id, channel)
        if channel["type"] != PRIVATE_THREAD or held & Permission.MANAGE_THREADS:
            return held
        return held if user_id in self._directory.thread_members.get(channel["id"], ()) else 0

    def inherited_permissions(self, user_id: str, channel: Json) -> int:
        """Return somebody's permissions by roles and overwrites alone, whether or not they are in a private thread."""
        if channel["type"] == DIRECT:
            inside = {self.bot_id, *(user["id"] for user in channel["recipients"])}
            talk = Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.READ_MESSAGE_HISTORY
            return int(IN_DIRECT_MESSAGES | talk) if user_id in inside else 0
        member = self.member(channel["guild_id"], user_id)
        if member is None:
            return 0
        parent = self.get(channel["parent_id"]) if channel["type"] in THREADS else channel
        return permissions_in(self._directory.guilds[channel["guild_id"]], member, parent)

    def require_bot(self, channel: Json, wanted: int = 0) -> None:
        """Check the bot's access. Raises Refusal unless it sees the channel (50001) and may do this (50013)."""
        held = self.permissions(self.bot_id, channel)
        if not held & Permission.VIEW_CHANNEL:
            raise missing_access()
        if held & wanted != wanted:
            raise missing_permissions()

    def bot_permissions(self, guild: Json) -> int:
        """Return what the bot's roles allow in a guild, without the overwrites of its channels."""
        return permissions_in(guild, self._directory.members[guild["id"], self.bot_id], {"permission_overwrites": []})

    def bot_reads_history(self, channel: Json) -> bool:
        """Return whether the bot may read the channel's messages, and so reply to one."""
        return bool(self.permissions(self.bot_id, channel) & Permission.READ_MESSAGE_HISTORY)

    def permission_to_send(self, channel: Json) -> int:
        """Return the permission that sending in this channel needs."""
        in_thread = channel["type"] in THREADS
        return int(Permission.SEND_MESSAGES_IN_THREADS if in_thread else Permission.SEND_MESSAGES)

    def upload_limit(self, channel: Json) -> int:
        """Return how many bytes one file may have in this channel."""
        guild_id = channel.get("guild_id")
        if guild_id is None:
            return UPLOAD_LIMITS[0]
        tier = self._directory.guilds[guild_id]["premium_tier"]
        return self._directory.upload_limits.get(guild_id, UPLOAD_LIMITS[tier])

    def set_upload_limit(self, guild_id: str, max_bytes: int) -> None:
        """Set the upload limit of a guild, whatever its boost tier."""
        self._directory.upload_limits[guild_id] = max_bytes

    def set_bot_permission(self, channel_id: str, permission: int, *, allowed: bool) -> None:
        """Allow or deny the bot a permission in a channel."""
        channel = self.get(channel_id)
        kept = [item for item in channel["permission_overwrites"] if item["id"] != self.bot_id]
        mine = next((item for item in channel["permission_overwrites"] if item["id"] == self.bot_id), None)
        allow, deny = (int(mine["allow"]), int(mine["deny"])) if mine else (0, 0)
        allow = allow | permission if allowed else allow & ~permission
        deny = deny & ~permission if allowed else deny | permission
        overwrite = {"id": self.bot_id, "type": 1, "allow": str(allow), "deny": str(deny)}
        channel["permission_overwrites"] = [*kept, overwrite]
        self._changed("CHANNEL_UPDATE", channel)

    def set_age_restricted(self, channel_id: str, *, restricted: bool = True) -> None:
        """Change who is shown a channel: adults alone, or everybody."""
        channel = self.get(channel_id)
        channel["nsfw"] = restricted
        self._changed("CHANNEL_UPDATE", channel)

    def delete_channel(self, channel_id: str) -> None:
        """Remove a channel or thread with its messages."""
        channel = self.get(channel_id)
        del self._directory.channels[channel_id]
        is_thread = channel["type"] in THREADS
        self._changed("THREAD_DELETE" if is_thread else "CHANNEL_DELETE", channel)

    def open_thread(self, parent_id: str, name: str, members: Iterable[str] = (), *, private: bool = False) -> str:
        """Start a thread, or a post in a forum, with these people in it. Return its id."""
        parent = self.get(parent_id)
        kind = ANNOUNCEMENT_THREAD if parent["type"] == ANNOUNCEMENT else PUBLIC_THREAD
        owner = self._directory.guilds[parent["guild_id"]]["owner_id"]
        thread = new_thread(parent, self._snowflakes.next(), name, owner, self._clock.timestamp())
        thread["type"] = PRIVATE_THREAD if private else kind
        self._directory.channels[thread["id"]] = thread
        self._directory.thread_members[thread["id"]] = set(members)
        self._changed("THREAD_CREATE", thread)
        return str(thread["id"])

    def add_to_thread(self, channel_id: str, user_id: str) -> None:
        """Add somebody to a thread."""
        self._directory.thread_members.setdefault(channel_id, set()).add(user_id)
        if user_id == self.bot_id:
            self._changed("THREAD_CREATE", self.get(channel_id))

    def remove_from_thread(self, channel_id: str, user_id: str) -> None:
        """Remove somebody from a thread; the bot is told when it was it."""
        thread = self.get(channel_id)
        self._directory.thread_members[channel_id].discard(user_id)
        if user_id == self.bot_id:
            gone: Json = {"id": channel_id, "guild_id": thread["guild_id"], "member_count": 1}
            removed = gone | {"added_members": [], "removed_member_ids": [user_id]}
            self._events.dispatch("THREAD_MEMBERS_UPDATE", removed, Intent.GUILDS)

    def threads_for_bot(self, guild_id: str) -> list[Json]:
        """Return a guild's active threads as the gateway tells them: those the bot sees, with its membership."""
        threads = (channel for channel in self.in_guild(guild_id) if channel["type"] in THREADS)
        active = (thread for thread in threads if not thread["thread_metadata"]["archived"])
        return [self.as_told(thread) for thread in active if self.permissions(self.bot_id, thread)]

    def as_told(self, channel: Json) -> Json:
        """Return a channel as the bot gets it: a thread that it is in carries its membership."""
        if self.bot_id not in self._directory.thread_members.get(channel["id"], ()):
            return channel
        joined = {"id": channel["id"], "user_id": self.bot_id, "join_timestamp": self._clock.timestamp(), "flags": 0}
        return channel | {"member": joined}

    def archive_thread(self, channel_id: str, *, locked: bool = True) -> None:
        """Archive a thread. A new message opens it again unless it is locked."""
        self._set_archived(self.get(channel_id), archived=True, locked=locked)

    def lock_thread(self, channel_id: str) -> None:
        """Lock a thread that stays active: only who manages threads may write in it."""
        self._set_archived(self.get(channel_id), archived=False, locked=True)

    def open_again(self, channel_id: str) -> None:
        """Unlock a thread, and take it out of the archive."""
        self._set_archived(self.get(channel_id), archived=False, locked=False)

    def require_open(self, channel: Json, who: str | None, *, reopen: bool) -> None:
        """Open an archived thread for a new message (`reopen`). Raises Refusal (50083, 160005) if it stays closed.

        `who` writes; None is an interaction's token, which has no permissions of its own and so heeds only the archive
        (discord-api-docs#6884). A locked thread obeys those alone who manage threads.
        """
        metadata = channel.get("thread_metadata")
        if not metadata:
            return
        manages = who is not None and bool(self.permissions(who, channel) & Permission.MANAGE_THREADS)
        if metadata["archived"]:
            if not reopen or (metadata["locked"] and not manages):
                raise thread_archived()
            self._set_archived(channel, archived=False, locked=metadata["locked"])
        elif metadata["locked"] and who is not None and not manages:
            raise thread_locked()

    def refuses_messages(self, user_id: str) -> bool:
        """Return whether a person accepts no direct messages from the bot."""
        return user_id in self._closed_to_bot

    def close_direct_messages(self, user_id: str) -> None:
        """Make a person accept no direct messages from the bot any more (50007)."""
        self._closed_to_bot.add(user_id)

    def remove_bot(self, guild_id: str) -> None:
        """Remove the bot from a guild."""
        self.guild(guild_id)
        del self._directory.members[guild_id, self.bot_id]
        self._events.dispatch("GUILD_DELETE", {"id": guild_id}, Intent.GUILDS)
        self._events.show("GUILD_DELETE", {"id": guild_id})

    def _set_archived(self, thread: Json, *, archived: bool, locked: bool) -> None:
        now = self._clock.timestamp()
        thread["thread_metadata"] |= {"archived": archived, "locked": locked, "archive_timestamp": now}
        self._changed("THREAD_UPDATE", thread)

    def _changed(self, name: str, channel: Json) -> None:
        if channel["type"] != PRIVATE_THREAD or self.permissions(self.bot_id, channel):
            self._events.dispatch(name, self.as_told(channel), Intent.GUILDS)
        self._events.show(name, channel)


def new_thread(parent: Json, thread_id: str, name: str, owner_id: str, now: str) -> Json:
    """Return a new public thread in a channel."""
    return {
        "id": thread_id,
        "type": PUBLIC_THREAD,
        "guild_id": parent["guild_id"],
        "parent_id": parent["id"],
        "owner_id": owner_id,
        "name": name,
        "flags": 0,
        "last_message_id": None,
        "rate_limit_per_user": 0,
        "message_count": 0,
        "member_count": 1,
        "total_message_sent": 0,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 4320,
            "archive_timestamp": now,
            "create_timestamp": now,
            "locked": False,
        },
    }
