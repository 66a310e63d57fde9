"""`vivant setup` with a doctor that finds nothing, or what VIVANTTEST_PROBLEM says, and without a look at the card."""

from __future__ import annotations

import os
import sys
from unittest.mock import patch

from bot.__main__ import app
from bot.config import Config
from bot.doctor.check import Check, Status


async def examine(_config: Config) -> list[Check]:
    """Say in one line what the real doctor takes a quarter of a minute for."""
    problem = os.environ.get("VIVANTTEST_PROBLEM")
    return [Check("All", Status.PROBLEM if problem else Status.OK, problem or "looked at")]


if __name__ == "__main__":
    with patch("bot.doctor.setup.ending.examine", examine), patch("bot.doctor.setup.flow.find_cards", list):
        app(sys.argv[1:])
