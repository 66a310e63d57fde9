"""The real bridge whose actors start executors without torch: `python -m tests.support.fake_bridge`, as a backend does.

`FAKE_CARD` in the environment of a node holds the options of its executors, and `fenceless` in FAKE_BRIDGE takes the
fence away: a negative control.
"""

from __future__ import annotations

import os
import sys

from generator.backend.cluster import __main__ as bridge
from tests.support.fake_cards import FakeCard, FencelessCard

FAKE_BRIDGE = (sys.executable, "-m", "tests.support.fake_bridge")
FENCELESS_BRIDGE = (sys.executable, "-m", "tests.support.fake_bridge", "--fenceless")


def main() -> None:
    card = FakeCard
    if "--fenceless" in sys.argv:
        sys.argv.remove("--fenceless")
        card = FencelessCard
    bridge.main(card)


if __name__ == "__main__":
    os.environ["RAY_DISABLE_IMPORT_WARNING"] = "1"
    main()
