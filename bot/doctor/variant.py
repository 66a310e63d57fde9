"""Whether another variant can run here, before it is switched to.

Tested in tests/bot/edge/commands/test_admin.py.
"""

from __future__ import annotations

from bot.config import Config
from bot.doctor.check import Status
from bot.doctor.rendering import check_torch, check_weights


async def why_not(config: Config, name: str) -> str | None:
    """Say why a variant cannot run here, and what to do about it; None when it can. Takes seconds."""
    generator = config.generator.model_copy(update={"variant": name})
    wanted = config.model_copy(update={"generator": generator})
    if wanted.all_variants()[name].is_demo:
        return None
    for check in (*await check_weights(wanted), *await check_torch(wanted)):
        if check.status is Status.PROBLEM:
            return f"{check.name}: {check.seen}. {check.remedy}"
    return None
