"""What is wrong with this installation, and how to mend it: one check per thing an operator can get wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.config import Config
from bot.doctor.account import check_permissions, check_token, invite_link
from bot.doctor.check import Check, Status
from bot.doctor.cluster import check_cluster
from bot.doctor.machine import check_confinement, check_disk, check_memory, check_port, check_python
from bot.doctor.rendering import check_ffmpeg, check_pictures, check_torch, check_weights
from bot.doctor.trust import check_credentials, check_filter

__all__ = [
    "Check",
    "Status",
    "check_cluster",
    "check_confinement",
    "check_credentials",
    "check_disk",
    "check_ffmpeg",
    "check_filter",
    "check_permissions",
    "check_pictures",
    "check_port",
    "check_python",
    "check_token",
    "check_torch",
    "check_weights",
    "examine",
    "invite_link",
]

log = logging.getLogger(__name__)

Look = Callable[[Config], Awaitable[list[Check]]]

CHECKS: dict[str, Look] = {
    "Python": check_python,
    "Discord token": check_token,
    "ffmpeg": check_ffmpeg,
    "torch": check_torch,
    "Weights": check_weights,
    "Pictures": check_pictures,
    "Data folder": check_disk,
    "Pinned memory": check_memory,
    "Metrics": check_port,
    "Confined children": check_confinement,
    "Cluster": check_cluster,
    "Picture filter": check_filter,
    "Content Credentials": check_credentials,
}
"""by the name under which one is reported that fails itself"""

MOST_SECONDS = 180.0
"""for one check; each has shorter limits of its own"""


async def examine(config: Config, checks: dict[str, Look] | None = None) -> list[Check]:
    """Run every check; none of them changes anything, and none that fails keeps the others from being told."""
    looks = CHECKS if checks is None else checks
    found = await asyncio.gather(*(_survive(name, look, config) for name, look in looks.items()))
    return [item for group in found for item in group]


async def _survive(name: str, look: Look, config: Config) -> list[Check]:
    try:
        async with asyncio.timeout(MOST_SECONDS):
            return await look(config)
    except TimeoutError:
        return [
            Check(name, Status.PROBLEM, f"no answer within {MOST_SECONDS:.0f} s", "Try again on a quieter machine.")
        ]
    except Exception as error:
        log.debug("the check %s failed", name, exc_info=True)
        remedy = 'Run the doctor again with log_level = "DEBUG" and report what it says: this was not foreseen.'
        return [Check(name, Status.PROBLEM, f"could not be checked ({type(error).__name__}: {error})", remedy)]
