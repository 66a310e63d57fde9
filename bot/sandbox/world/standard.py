"""The state that every sandbox starts with: four people, a server with the bot, one without it, direct messages.

Tested in tests/sandbox/gateway/test_gateway.py.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from bot.sandbox.rules.clock import DISCORD_EPOCH_MS, Clock
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.permissions import EVERYONE, Permission
from bot.sandbox.world.channels import new_thread
from bot.sandbox.world.directory import DIRECT, TEXT, Directory


def _fixed(number: int) -> str:
    """Return an id made on 2026-01-01: the standard people and channels keep theirs from run to run."""
    return str((int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000) - DISCORD_EPOCH_MS << 22) + number)


VIVANT, ADA, BEN, MIA, OLGA = (_fixed(number) for number in range(1, 6))
TABLEAUX, ELSEWHERE, BOT_ROLE, MODERATOR_ROLE = (_fixed(number) for number in range(11, 15))
GENERAL, PICTURES, NO_FILES, READ_ONLY, THREAD, LOBBY = (_fixed(number) for number in range(21, 27))
DIRECT_ADA, DIRECT_BEN, DIRECT_MIA, DIRECT_OLGA = (_fixed(number) for number in range(31, 35))
BOT_PERMISSIONS = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
)
"""what the bot's invite link asks for"""


class DirectoryBuilder:
    """Builds the standard directory: Ada and Ben (members), Mia (moderator), Olga (owner of server and application)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        bot = _user(VIVANT, "Vivant", "Vivant", bot=True)
        names = {ADA: "Ada", BEN: "Ben", MIA: "Mia", OLGA: "Olga"}
        people = {user_id: _user(user_id, name.lower(), name) for user_id, name in names.items()}
        token = base64.b64encode(VIVANT.encode()).decode().rstrip("=") + ".local0.a-token-that-no-other-Discord-knows"
        self._directory = Directory(bot, _application(bot, people[OLGA]), token, users={VIVANT: bot, **people})

    def build(self) -> Directory:
        """Return the directory."""
        self._guild(TABLEAUX, "Tableaux", OLGA)
        self._role(BOT_ROLE, "Vivant", BOT_PERMISSIONS)
        self._role(MODERATOR_ROLE, "Moderator", EVERYONE | Permission.MANAGE_MESSAGES)
        self._member(TABLEAUX, VIVANT, BOT_ROLE)
        self._member(TABLEAUX, MIA, MODERATOR_ROLE)
        for user_id in (ADA, BEN, OLGA):
            self._member(TABLEAUX, user_id)
        self._channel(TABLEAUX, GENERAL, "general")
        self._channel(TABLEAUX, PICTURES, "pictures")
        self._channel(TABLEAUX, NO_FILES, "no-files", Permission.ATTACH_FILES)
        self._channel(TABLEAUX, READ_ONLY, "read-only", Permission.SEND_MESSAGES | Permission.SEND_MESSAGES_IN_THREADS)
        self._topic(NO_FILES, "On purpose, Vivant may not attach files here: it refuses, and says why.")
        self._topic(READ_ONLY, "On purpose, Vivant may not write here: it refuses, and says why.")
        self._thread(THREAD, PICTURES, "old photographs", ADA)
        self._direct()
        self._guild(ELSEWHERE, "Elsewhere", BEN)
        self._member(ELSEWHERE, ADA)
        self._member(ELSEWHERE, BEN)
        self._channel(ELSEWHERE, LOBBY, "lobby")
        self._topic(LOBBY, "On purpose, Vivant is not on this server: it has no commands here.")
        return self._directory

    def _direct(self) -> None:
        for channel_id, user_id in ((DIRECT_ADA, ADA), (DIRECT_BEN, BEN), (DIRECT_MIA, MIA), (DIRECT_OLGA, OLGA)):
            channel: Json = {"id": channel_id, "type": DIRECT, "flags": 0, "last_message_id": None}
            self._directory.channels[channel_id] = channel | {"recipients": [self._directory.users[user_id]]}

    def _guild(self, guild_id: str, name: str, owner_id: str) -> None:
        guild = _guild(guild_id, name, owner_id)
        guild["roles"].append(_role(guild_id, "@everyone", EVERYONE, position=0))
        self._directory.guilds[guild_id] = guild

    def _role(self, role_id: str, name: str, permissions: int) -> None:
        roles = self._directory.guilds[TABLEAUX]["roles"]
        role = _role(role_id, name, permissions, position=len(roles))
        if role_id == BOT_ROLE:
            role |= {"managed": True, "tags": {"bot_id": VIVANT}}
        roles.append(role)

    def _member(self, guild_id: str, user_id: str, *roles: str) -> None:
        self._directory.members[guild_id, user_id] = {
            "user": self._directory.users[user_id],
            "nick": None,
            "avatar": None,
            "banner": None,
            "roles": list(roles),
            "joined_at": self._clock.timestamp(),
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": None,
        }

    def _channel(self, guild_id: str, channel_id: str, name: str, denied_to_bot: int = 0) -> None:
        overwrite = {"id": BOT_ROLE, "type": 0, "allow": "0", "deny": str(int(denied_to_bot))}
        self._directory.channels[channel_id] = {
            "id": channel_id,
            "type": TEXT,
            "guild_id": guild_id,
            "name": name,
            "position": len(self._directory.channels),
            "flags": 0,
            "nsfw": False,
            "topic": None,
            "parent_id": None,
            "rate_limit_per_user": 0,
            "last_message_id": None,
            "permission_overwrites": [overwrite] if denied_to_bot else [],
        }

    def _topic(self, channel_id: str, text: str) -> None:
        self._directory.channels[channel_id]["topic"] = text

    def _thread(self, thread_id: str, parent_id: str, name: str, owner_id: str) -> None:
        parent = self._directory.channels[parent_id]
        self._directory.channels[thread_id] = new_thread(parent, thread_id, name, owner_id, self._clock.timestamp())


def _user(user_id: str, username: str, name: str, *, bot: bool = False) -> Json:
    user: Json = {
        "id": user_id,
        "username": username,
        "discriminator": "4242" if bot else "0",
        "global_name": None if bot else name,
        "avatar": None,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }
    return user | {"bot": True} if bot else user


def _application(bot: Json, owner: Json) -> Json:
    return {
        "id": bot["id"],
        "name": "Vivant",
        "icon": None,
        "description": "Pictures that move",
        "type": None,
        "bot": bot,
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": 0,
        "flags_new": "0",
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": owner,
        "approximate_guild_count": 1,
        "approximate_user_install_count": 1,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
        "integration_types_config": {"0": {}, "1": {}},
    }


def _guild(guild_id: str, name: str, owner_id: str) -> Json:
    nothing = (
        "icon description home_header splash discovery_splash banner application_id afk_channel_id system_channel_id "
        "widget_channel_id max_presences vanity_url_code rules_channel_id safety_alerts_channel_id "
        "public_updates_channel_id incidents_data"
    )
    zero = (
        "system_channel_flags verification_level default_message_notifications mfa_level explicit_content_filter "
        "premium_tier premium_subscription_count nsfw_level"
    )
    return {
        "id": guild_id,
        "name": name,
        "owner_id": owner_id,
        "region": "deprecated",
        "features": [],
        "roles": [],
        "emojis": [],
        "stickers": [],
        "afk_timeout": 300,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "preferred_locale": "en-US",
        "widget_enabled": False,
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        **dict.fromkeys(nothing.split()),
        **dict.fromkeys(zero.split(), 0),
    }


def _role(role_id: str, name: str, permissions: int, position: int) -> Json:
    return {
        "id": role_id,
        "name": name,
        "permissions": str(int(permissions)),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
