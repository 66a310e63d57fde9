"""Routes of the application: its user, its commands, and the guilds and people that it may read.

Tested in tests/sandbox/world/test_commands.py and tests/sandbox/test_openapi.py.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.gateway.gateway import URL
from bot.sandbox.rest.http import Call, Route
from bot.sandbox.rules.errors import missing_access, unknown
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.world import World


def get_me(world: World, _: Call) -> Json:
    """GET the bot's user."""
    return world.directory.bot | {"mfa_enabled": True, "locale": "en-US", "verified": True, "email": None}


def get_application(world: World, _: Call) -> Json:
    """GET the bot's application."""
    return world.directory.application


def get_gateway(world: World, _: Call) -> Json:
    """GET the gateway's URL."""
    return {"url": URL}


def get_gateway_bot(world: World, _: Call) -> Json:
    """GET the gateway's URL, and how often the bot may still identify today."""
    return {"url": URL, "shards": 1, "session_start_limit": world.session_starts.describe()}


def _scope(world: World, call: Call) -> str | None:
    if call.params["application_id"] != world.directory.application["id"]:
        raise unknown("Application")
    guild_id = call.params.get("guild_id")
    if guild_id and not world.channels.member(guild_id, world.channels.bot_id):
        raise missing_access()
    return guild_id


def list_commands(world: World, call: Call) -> list[Json]:
    """GET the registered commands."""
    return world.commands.all(_scope(world, call))


def overwrite_commands(world: World, call: Call) -> list[Json]:
    """PUT all commands at once."""
    commands = world.commands.overwrite(_scope(world, call), call.body)
    world.events.show("COMMANDS_UPDATE", {})
    return commands


def get_command(world: World, call: Call) -> Json:
    """GET one command."""
    return world.commands.get(_scope(world, call), call.params["command_id"])


def delete_command(world: World, call: Call) -> None:
    """DELETE one command."""
    world.commands.delete(_scope(world, call), call.params["command_id"])
    world.events.show("COMMANDS_UPDATE", {})


def list_guilds(world: World, _: Call) -> list[Json]:
    """GET the guilds the bot is in, with what its roles allow there."""
    return [
        {
            "id": guild["id"],
            "name": guild["name"],
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": str(world.channels.bot_permissions(guild)),
            "features": [],
        }
        for guild in world.channels.bot_guilds()
    ]


def leave_guild(world: World, call: Call) -> None:
    """DELETE the bot's membership."""
    world.channels.remove_bot(call.params["guild_id"])


def get_guild(world: World, call: Call) -> Json:
    """GET a guild the bot is in."""
    return world.channels.guild(call.params["guild_id"])


def list_channels(world: World, call: Call) -> list[Json]:
    """GET a guild's channels, without threads."""
    guild = get_guild(world, call)
    return [channel for channel in world.channels.in_guild(guild["id"]) if "thread_metadata" not in channel]


def list_roles(world: World, call: Call) -> Any:
    """GET a guild's roles."""
    return get_guild(world, call)["roles"]


def get_member(world: World, call: Call) -> Json:
    """GET a member of a guild the bot is in."""
    guild = get_guild(world, call)
    member = world.channels.member(guild["id"], call.params["user_id"])
    if member is None:
        raise unknown("Member")
    return member


def get_user(world: World, call: Call) -> Json:
    """GET a user."""
    user: Json | None = world.directory.users.get(call.params["user_id"])
    if user is None:
        raise unknown("User")
    return user


_COMMANDS = "/applications/{application_id}/commands"
_GUILD_COMMANDS = "/applications/{application_id}/guilds/{guild_id}/commands"
ROUTES = [
    Route("GET", "/users/@me", get_me),
    Route("GET", "/oauth2/applications/@me", get_application),
    Route("GET", "/applications/@me", get_application),
    Route("GET", "/gateway", get_gateway, needs_token=False),
    Route("GET", "/gateway/bot", get_gateway_bot),
    *(
        route
        for base in (_COMMANDS, _GUILD_COMMANDS)
        for route in (
            Route("GET", base, list_commands),
            Route("PUT", base, overwrite_commands),
            Route("GET", base + "/{command_id}", get_command),
            Route("DELETE", base + "/{command_id}", delete_command),
        )
    ),
    Route("GET", "/users/@me/guilds", list_guilds),
    Route("DELETE", "/users/@me/guilds/{guild_id}", leave_guild),
    Route("GET", "/guilds/{guild_id}", get_guild),
    Route("GET", "/guilds/{guild_id}/channels", list_channels),
    Route("GET", "/guilds/{guild_id}/roles", list_roles),
    Route("GET", "/guilds/{guild_id}/members/{user_id}", get_member),
    Route("GET", "/users/{user_id}", get_user),
]
