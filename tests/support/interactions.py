"""For the tests of the sandbox itself: a bot's commands, an interaction with one of them, and Discord's numbers."""

from __future__ import annotations

from typing import Any

from bot.sandbox.rules.permissions import Permission
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, PICTURES, VIVANT

EPHEMERAL = 1 << 6
PICTURE = Upload("a.png", "image/png", b"picture")
MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
COMMANDS: list[dict[str, Any]] = [
    {
        "name": "animate",
        "description": "x",
        "contexts": [0, 1],
        "integration_types": [0, 1],
        "options": [
            {"type": 11, "name": "image", "description": "x", "required": True},
            {"type": 4, "name": "motion", "description": "x", "min_value": 1, "max_value": 255},
            {"type": 3, "name": "style", "description": "x", "choices": [{"name": "Calm", "value": "calm"}]},
            {"type": 3, "name": "variant", "description": "x", "autocomplete": True},
        ],
    },
    {
        "name": "admin",
        "description": "x",
        "contexts": [0],
        "default_member_permissions": int(Permission.MANAGE_GUILD),
        "options": [{"type": 1, "name": "pause", "description": "x"}],
    },
    {"name": "Animate this image", "type": 3},
]


async def animate(sandbox: Sandbox, channel: str = PICTURES, **options: Any) -> Interaction:
    age_seconds = options.pop("age_seconds", 0)
    return await sandbox.world.invoke(ADA, channel, "animate", options, {"image": PICTURE}, age_seconds=age_seconds)


def webhook(interaction: Interaction, message: str = "") -> str:
    return f"/webhooks/{VIVANT}/{interaction.token}{f'/messages/{message}' if message else ''}"
