"""Routes of an interaction: its callback, and the webhook that its token opens. None needs the bot's token.

Tested in tests/sandbox/world/test_answers.py.
"""

from __future__ import annotations

from bot.sandbox.rest.http import Call, Route
from bot.sandbox.rules.callbacks import Callback
from bot.sandbox.rules.message_bodies import Flag
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.world import World


def respond(world: World, call: Call) -> Json | None:
    """POST the first answer to an interaction."""
    interaction_id, token = call.params["interaction_id"], call.params["interaction_token"]
    interaction, message = world.answers.respond(interaction_id, token, call.body, call.uploads)
    if not call.flag("with_response"):
        return None
    about: Json = {"id": interaction.id, "type": int(interaction.type)}
    if interaction.message_id:
        about["response_message_id"] = interaction.message_id
        about["response_message_loading"] = bool(message.get("flags", 0) & Flag.LOADING)
        about["response_message_ephemeral"] = interaction.ephemeral
    kind = call.body["type"]
    if kind not in (Callback.MESSAGE, Callback.UPDATE_MESSAGE):
        return {"interaction": about}
    return {"interaction": about, "resource": {"type": kind, "message": message}}


def follow_up(world: World, call: Call) -> Json:
    """POST a followup message."""
    interaction = world.interactions.by_token(call.params["webhook_id"], call.params["webhook_token"])
    return world.answers.follow_up(interaction, call.body, call.uploads)


def get_message(world: World, call: Call) -> Json:
    """GET one of the interaction's messages."""
    interaction = world.interactions.by_token(call.params["webhook_id"], call.params["webhook_token"])
    return world.answers.get_message(interaction, call.params["message_id"])


def edit_message(world: World, call: Call) -> Json:
    """PATCH one of the interaction's messages."""
    interaction = world.interactions.by_token(call.params["webhook_id"], call.params["webhook_token"])
    return world.answers.edit(interaction, call.params["message_id"], call.body, call.uploads)


def delete_message(world: World, call: Call) -> None:
    """DELETE one of the interaction's messages."""
    interaction = world.interactions.by_token(call.params["webhook_id"], call.params["webhook_token"])
    world.answers.delete(interaction, call.params["message_id"])


_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
_MESSAGE = _WEBHOOK + "/messages/{message_id}"
ROUTES = [
    Route("POST", "/interactions/{interaction_id}/{interaction_token}/callback", respond, needs_token=False),
    Route("POST", _WEBHOOK, follow_up, needs_token=False),
    Route("GET", _MESSAGE, get_message, needs_token=False),
    Route("PATCH", _MESSAGE, edit_message, needs_token=False),
    Route("DELETE", _MESSAGE, delete_message, needs_token=False),
]
