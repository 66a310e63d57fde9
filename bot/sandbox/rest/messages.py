"""Routes of channels and messages, called with the bot's own token."""

from __future__ import annotations

from bot.sandbox.rest.http import Call, Route
from bot.sandbox.rules.errors import cannot_edit_others, cannot_message_user, invalid_form, no_reply, threads_only
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.world.directory import DIRECT, THREADS_ONLY
from bot.sandbox.world.messages import Origin
from bot.sandbox.world.world import World


def get_channel(world: World, call: Call) -> Json:
    """GET a channel the bot can see."""
    return world.channels.as_told(_seen_channel(world, call))


def _seen_channel(world: World, call: Call) -> Json:
    channel = world.channels.get(call.params["channel_id"])
    world.channels.require_bot(channel)
    return channel


def create_message(world: World, call: Call) -> Json:
    """POST a message with the bot's token."""
    channel = world.channels.get(call.params["channel_id"])
    wanted = world.channels.permission_to_send(channel)
    if call.uploads:
        wanted |= Permission.ATTACH_FILES
    world.channels.require_bot(channel, wanted)
    if channel["type"] in THREADS_ONLY:
        raise threads_only()
    if call.body.get("message_reference") and not world.channels.bot_reads_history(channel):
        raise no_reply()
    world.channels.require_open(channel, world.channels.bot_id, reopen=True)
    if channel["type"] == DIRECT and world.channels.refuses_messages(channel["recipients"][0]["id"]):
        raise cannot_message_user()
    origin = Origin(world.directory.bot, max_file_bytes=world.channels.upload_limit(channel))
    return world.messages.create(channel, call.body, call.uploads, origin)


def list_messages(world: World, call: Call) -> list[Json]:
    """GET a channel's history, newest first; an empty one where the bot may not read it."""
    channel = _seen_channel(world, call)
    limit = int(call.query.get("limit", 50))
    if not 1 <= limit <= 100:
        raise invalid_form("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    if not world.channels.bot_reads_history(channel):
        return []
    found = world.messages.seen_by(None, channel["id"])
    if "after" in call.query:
        found = [item for item in found if int(item["id"]) > int(call.query["after"])][:limit]
    elif "before" in call.query:
        found = [item for item in found if int(item["id"]) < int(call.query["before"])]
    elif "around" in call.query:
        older = sum(int(item["id"]) < int(call.query["around"]) for item in found)
        first = max(older - limit // 2, 0)
        found = found[first : first + limit]
    return found[-limit:][::-1]


def get_message(world: World, call: Call) -> Json:
    """GET one message; ephemeral ones do not exist for the bot's token."""
    channel = _seen_channel(world, call)
    world.channels.require_bot(channel, Permission.READ_MESSAGE_HISTORY)
    return world.messages.get(channel["id"], call.params["message_id"])


def edit_message(world: World, call: Call) -> Json:
    """PATCH one of the bot's own messages."""
    channel = _seen_channel(world, call)
    message = world.messages.get(channel["id"], call.params["message_id"])
    if message["author"]["id"] != world.channels.bot_id:
        raise cannot_edit_others()
    world.channels.require_open(channel, world.channels.bot_id, reopen=False)
    if call.uploads:
        world.channels.require_bot(channel, Permission.ATTACH_FILES)
    limit = world.channels.upload_limit(channel)
    return world.messages.edit(channel, message["id"], call.body, call.uploads, limit)


def delete_message(world: World, call: Call) -> None:
    """DELETE a message: the bot's own, or anybody's with Manage Messages."""
    channel = _seen_channel(world, call)
    message = world.messages.get(channel["id"], call.params["message_id"])
    if message["author"]["id"] != world.channels.bot_id:
        world.channels.require_bot(channel, Permission.MANAGE_MESSAGES)
    world.channels.require_open(channel, None, reopen=False)  # a locked thread lets messages be deleted
    world.messages.delete(channel, message["id"])


def start_typing(world: World, call: Call) -> None:
    """POST the typing indicator."""
    channel = world.channels.get(call.params["channel_id"])
    world.channels.require_bot(channel, world.channels.permission_to_send(channel))
    world.events.show("TYPING_START", {"channel_id": channel["id"], "user_id": world.channels.bot_id})


def open_direct_channel(world: World, call: Call) -> Json:
    """POST to open (or find) the direct messages with a person."""
    return world.direct_channel(str(call.body["recipient_id"]))


_MESSAGES = "/channels/{channel_id}/messages"
_MESSAGE = "/channels/{channel_id}/messages/{message_id}"
ROUTES = [
    Route("GET", "/channels/{channel_id}", get_channel),
    Route("POST", _MESSAGES, create_message),
    Route("GET", _MESSAGES, list_messages),
    Route("GET", _MESSAGE, get_message),
    Route("PATCH", _MESSAGE, edit_message),
    Route("DELETE", _MESSAGE, delete_message),
    Route("POST", "/channels/{channel_id}/typing", start_typing),
    Route("POST", "/users/@me/channels", open_direct_channel),
]
