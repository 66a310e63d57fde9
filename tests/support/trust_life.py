"""Somebody who blocks, opts out, asks and reports without rest: run as a child that is killed at any moment.

`python -m tests.support.trust_life FOLDER LOG FIRST [early]`: `early` notes before the transaction, which is the fault
that the test must catch. Numbers begin with FIRST.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Any

from bot.policy.blocking import Block, Subject
from bot.queue.servers.trust.consents import Consent
from bot.queue.servers.trust.trust import Trust
from bot.queue.store import JobStore
from tests.support.store_life import Journal


def consent(number: int) -> Consent:
    ids = {"user_id": 1, "author_id": 2, "guild_id": 3, "channel_id": 4, "message_id": number}
    return Consent(key=str(number), until_ms=2**50, request={}, **ids)


def actions(trust: Trust, number: int) -> dict[str, Coroutine[Any, Any, object]]:
    return {
        "block": trust.blocks.block(Block(subject=Subject.PERSON, number=number, reason="x"), by=1),
        "out": trust.pictures.opt_out(number),
        "picture": trust.pictures.block([f"{number:064x}"], None, by=1),
        "ask": trust.consents.ask(consent(number), most=2**40),
        "report": trust.reports.add(number, 4, 3, None),
    }


async def main(folder: Path, log: Path, first: int, *, early: bool) -> None:
    journal = Journal(log)
    store = await JobStore.open(folder)
    print("ready", flush=True)
    for number in count(first):
        for name, action in actions(store.trust, number).items():
            if early:
                journal.note(name, number)
            await action
            if not early:
                journal.note(name, number)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), early="early" in sys.argv))
