"""The message store: create, edit, delete, list; an ephemeral message is seen by one person only."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.sandbox.rules.clock import Stamps
from bot.sandbox.rules.errors import invalid_form, unknown
from bot.sandbox.rules.layout.components import Kind, complete, walk
from bot.sandbox.rules.message_bodies import (
    Flag,
    check_flags,
    check_message,
    check_nonce,
    complete_embed,
    mentioned_users,
    mentions_everyone,
)
from bot.sandbox.rules.old_edits import OldEdits
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload, check_uploads
from bot.sandbox.world.attachments import Attachments
from bot.sandbox.world.channels import Channels
from bot.sandbox.world.directory import Directory
from bot.sandbox.world.events import Events, Intent
from generator.memory import MIB


@dataclass(frozen=True, slots=True)
class Origin:
    """What only the server sets in a message: author, type, who alone sees it, and more."""

    author: Json
    type: int = 0
    seen_by: str | None = None
    """the person an ephemeral message is for"""
    extra: Json = field(default_factory=dict)
    max_file_bytes: int = 10 * MIB
    flags: int = 0
    """flags that the server adds"""


@dataclass(slots=True)
class _Stored:
    message: Json
    seen_by: str | None


class Messages:
    """All messages by channel. Returned messages are copies."""

    def __init__(
        self, directory: Directory, channels: Channels, attachments: Attachments, events: Events, stamps: Stamps
    ) -> None:
        self._directory = directory
        self._channels = channels
        self._attachments = attachments
        self._events = events
        self._stamps = stamps
        self._by_channel: dict[str, dict[str, _Stored]] = {}
        self._nonces: dict[tuple[str, str], tuple[float, str, str]] = {}
        self._old_edits = OldEdits(stamps)
        self.notified: list[tuple[str, str]] = []
        """(user id, message id) for every ping a person got; edits never ping"""

    def create(self, channel: Json, body: Json, uploads: dict[int, Upload], origin: Origin) -> Json:
        """Store a message and announce it. An enforced nonce that this author used before returns the earlier message.

        Raises Refusal (10008) when that message was deleted since, as Discord means it (discord-api-docs#6647).
        """
        nonce = check_nonce(body.get("nonce"))
        earlier = self._by_nonce(origin.author["id"], nonce) if body.get("enforce_nonce") else None
        if earlier:
            return earlier
        message = self._blank(channel, origin)
        message["flags"] = check_flags(body.get("flags") or 0) | origin.flags
        self._refer(message, channel, body.get("message_reference"))
        self._write(message, body, uploads, origin.max_file_bytes, ephemeral=origin.seen_by is not None)
        pinged = self._mention(message, body)
        if nonce is not None:
            message["nonce"] = nonce
            self._nonces[origin.author["id"], str(nonce)] = (self._stamps.clock.now(), channel["id"], message["id"])
        self._by_channel.setdefault(channel["id"], {})[message["id"]] = _Stored(message, origin.seen_by)
        channel["last_message_id"] = message["id"]
        self.notified += [(user_id, message["id"]) for user_id in pinged]
        self._announce("MESSAGE_CREATE", channel, message, origin.seen_by)
        return self._copy(message)

    def edit(self, channel: Json, message_id: str, body: Json, uploads: dict[int, Upload], max_bytes: int) -> Json:
        """Change the fields that the body names and keep the rest. A `loading` message becomes an ordinary one."""
        stored = self._find(channel["id"], message_id)
        self._old_edits.check(channel["id"], message_id)
        message = dict(stored.message)
        message["flags"] &= ~Flag.LOADING
        if body.get("flags") is not None:
            settable = Flag.SUPPRESS_EMBEDS | Flag.COMPONENTS_V2
            wanted = check_flags(body["flags"] & ~Flag.EPHEMERAL, settable)
            message["flags"] = message["flags"] & ~Flag.SUPPRESS_EMBEDS | wanted
        self._write(message, body, uploads, max_bytes, ephemeral=stored.seen_by is not None)
        self._mention(message, body)
        if not stored.message["flags"] & Flag.LOADING:
            message["edited_timestamp"] = self._stamps.clock.timestamp()
        stored.message = message
        self._announce("MESSAGE_UPDATE", channel, message, stored.seen_by)
        return self._copy(message)

    def delete(self, channel: Json, message_id: str) -> None:
        """Remove a message."""
        stored = self._find(channel["id"], message_id)
        del self._by_channel[channel["id"]][message_id]
        gone: Json = {"id": message_id, "channel_id": channel["id"]}
        if "guild_id" in channel:
            gone["guild_id"] = channel["guild_id"]
        self._events.show("MESSAGE_DELETE", gone, stored.seen_by)
        if stored.seen_by is None:
            self._events.dispatch("MESSAGE_DELETE", gone, _intent(channel))

    def get(self, channel_id: str, message_id: str, *, by_token: bool = False) -> Json:
        """Return a message; only an interaction's token finds ephemeral ones. Raises Refusal when there is none."""
        stored = self._find(channel_id, message_id)
        if stored.seen_by is not None and not by_token:
            raise unknown("Message")
        return self._copy(stored.message)

    def seen_by(self, actor_id: str | None, channel_id: str) -> list[Json]:
        """Return the messages that a person sees in a channel, oldest first; None sees public ones only."""
        stored = self._by_channel.get(channel_id, {}).values()
        return [self._copy(item.message) for item in stored if item.seen_by in (None, actor_id)]

    def _find(self, channel_id: str, message_id: str) -> _Stored:
        stored = self._by_channel.get(channel_id, {}).get(message_id)
        if stored is None:
            raise unknown("Message")
        return stored

    def _by_nonce(self, author_id: str, nonce: object) -> Json | None:
        when, channel_id, message_id = self._nonces.get((author_id, str(nonce)), (0.0, "", ""))
        if self._stamps.clock.now() - when > self._stamps.timing.nonce_memory:
            return None
        return self._copy(self._find(channel_id, message_id).message)

    def _blank(self, channel: Json, origin: Origin) -> Json:
        return {
            "id": self._stamps.snowflakes.next(),
            "channel_id": channel["id"],
            "type": origin.type,
            "author": origin.author,
            "content": "",
            "attachments": [],
            "embeds": [],
            "components": [],
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": False,
            "pinned": False,
            "tts": False,
            "flags": 0,
            "timestamp": self._stamps.clock.timestamp(),
            "edited_timestamp": None,
            **origin.extra,
        }

    def _refer(self, message: Json, channel: Json, reference: Json | None) -> None:
        if not reference:
            return
        message_id = str(reference["message_id"])
        referenced = self._by_channel.get(channel["id"], {}).get(message_id)
        if referenced is None and reference.get("fail_if_not_exists", True):
            raise invalid_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        if referenced is None:
            return
        guild = {key: channel[key] for key in ("guild_id",) if key in channel}
        message["type"] = 19
        message["message_reference"] = {"type": 0, "channel_id": channel["id"], "message_id": message_id} | guild
        copy = self._copy(referenced.message)
        message["referenced_message"] = {key: value for key, value in copy.items() if key != "referenced_message"}

    def _write(self, message: Json, body: Json, uploads: dict[int, Upload], max_bytes: int, *, ephemeral: bool) -> None:
        check_uploads(uploads, max_bytes)
        message["attachments"] = self._attach(message, body, uploads, ephemeral=ephemeral)
        message["content"] = (body["content"] or "") if "content" in body else message["content"]
        for key in ("embeds", "components"):
            if key in body:
                message[key] = body[key] or []
        if not message["flags"] & Flag.LOADING:
            check_message(message)

        def media(url: str) -> Json:
            return self._media(message, url)

        if "components" in body:
            message["components"] = complete(message["components"], media)
            for item in walk(message["components"]):
                item.pop("required", None)  # it is for forms alone
        if "embeds" in body:
            message["embeds"] = [complete_embed(embed, media) for embed in message["embeds"]]

    def _attach(self, message: Json, body: Json, uploads: dict[int, Upload], *, ephemeral: bool) -> list[Json]:
        kept = {attachment["id"]: attachment for attachment in message["attachments"]}
        listed = body.get("attachments")
        result = [] if "attachments" in body else list(kept.values())
        waiting = dict(uploads)
        for entry in listed or []:
            extra = {"description": entry["description"]} if entry.get("description") else {}
            if str(entry["id"]) in kept:
                result.append(kept[str(entry["id"])] | extra)
            elif int(entry["id"]) in waiting:
                upload = waiting.pop(int(entry["id"]))
                named = Upload(entry.get("filename") or upload.filename, upload.content_type, upload.data)
                result.append(self._attachments.add(named, message["channel_id"], ephemeral=ephemeral, **extra))
            else:
                raise invalid_form("attachments", "ATTACHMENT_NOT_FOUND", f"Attachment {entry['id']} was not found.")
        rest = (waiting[index] for index in sorted(waiting))
        return result + [self._attachments.add(upload, message["channel_id"], ephemeral=ephemeral) for upload in rest]

    def _media(self, message: Json, url: str) -> Json:
        if not url.startswith("attachment://"):
            return {"id": self._stamps.snowflakes.next(), "url": url, "proxy_url": url}
        name = url.removeprefix("attachment://")
        for item in message["attachments"]:
            if item["filename"] == name:
                shared = {
                    key: item[key] for key in ("url", "proxy_url", "width", "height", "content_type") if key in item
                }
                ids = {"id": self._stamps.snowflakes.next(), "attachment_id": item["id"]}
                return ids | shared | {"name": name, "size": item["size"]}
        code = "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"
        raise invalid_form("components", code, f"The referenced attachment {name!r} was not found.")

    def _mention(self, message: Json, body: Json) -> list[str]:
        texts = [item["content"] for item in walk(message["components"]) if item["type"] == Kind.TEXT_DISPLAY]
        text = "\n".join([message["content"], *texts])
        allowed = body.get("allowed_mentions")
        found = mentioned_users(text, allowed)
        replied = (message.get("referenced_message") or {}).get("author", {}).get("id")
        if replied and (allowed is None or allowed.get("replied_user")):
            found.add(replied)
        users = [self._directory.users[user_id] for user_id in sorted(found) if user_id in self._directory.users]
        message["mentions"] = users
        message["mention_everyone"] = mentions_everyone(text, allowed)
        return [user["id"] for user in users if user["id"] != message["author"]["id"]]

    def _announce(self, name: str, channel: Json, message: Json, seen_by: str | None) -> None:
        payload = self._copy(message)
        if "guild_id" in channel:
            payload["guild_id"] = channel["guild_id"]
            member = self._channels.member(channel["guild_id"], message["author"]["id"])
            if member:
                payload["member"] = {key: value for key, value in member.items() if key != "user"}
        self._events.show(name, payload, seen_by)
        if seen_by is None:
            self._events.dispatch(name, payload, _intent(channel))

    def _copy(self, message: Json) -> Json:
        fresh: Json = {"attachments": [self._attachments.refresh(item) for item in message["attachments"]]}
        if "message_snapshots" in message:
            fresh["message_snapshots"] = [
                {"message": self._copy(item["message"])} for item in message["message_snapshots"]
            ]
        return message | fresh


def _intent(channel: Json) -> Intent:
    return Intent.GUILD_MESSAGES if "guild_id" in channel else Intent.DIRECT_MESSAGES
