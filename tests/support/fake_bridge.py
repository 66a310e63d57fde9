"""The real bridge whose actors start executors without torch: `python -m tests.support.fake_bridge`, as a backend does.

`--card` names another class of `fake_cards.py`, such as one without a fence: a negative control.
"""

from __future__ import annotations

import sys

from generator.backend.cluster import __main__ as bridge
from tests.support import fake_cards

FAKE_BRIDGE = (sys.executable, "-m", "tests.support.fake_bridge")


def main() -> None:
    card = fake_cards.FakeCard
    if sys.argv[1] == "--card":
        card = getattr(fake_cards, sys.argv[2])
        del sys.argv[1:3]
    bridge.main(card)


if __name__ == "__main__":
    main()
