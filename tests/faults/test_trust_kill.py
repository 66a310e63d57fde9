"""SIGKILL at random moments: every block, opt-out, blocked picture, question and report that was confirmed is kept."""

from __future__ import annotations

import secrets
from pathlib import Path

from bot.policy.blocking import Subject
from bot.queue.servers.trust.trust import Trust
from tests.faults.test_store_kill import run_and_kill
from tests.support.jobs import opened

KILLS = 3


async def lost(folder: Path, mode: str = "") -> tuple[int, list[str]]:
    """Kill one life after another; return how many things were confirmed, and those that are not there."""
    log, rng = folder / "journal", secrets.SystemRandom()
    for life in range(KILLS):
        arguments = ["tests.support.trust_life", str(folder), str(log), str(life * 100_000 + 1), mode]
        run_and_kill(arguments, 0.02 + rng.random() * 0.1)
    confirmed = log.read_text().splitlines()
    async with opened(folder) as store:
        return len(confirmed), [line for line in confirmed if not await is_kept(store.trust, *line.split())]


async def is_kept(trust: Trust, name: str, text: str) -> bool:
    number = int(text)
    if name == "block":
        return trust.blocks.of(Subject.PERSON, number) is not None
    if name == "out":
        return trust.pictures.has_opted_out(trust.pictures.who(number))
    if name == "picture":
        return await trust.pictures.block([f"{number:064x}"], None, by=1) == 0
    if name == "ask":
        return await trust.consents.get(text) is not None
    return not await trust.reports.add(number, 4, 3, None)


async def test_nothing_that_was_confirmed_is_lost(tmp_path: Path) -> None:
    confirmed, missing = await lost(tmp_path)
    assert confirmed > KILLS
    assert missing == []


async def test_a_confirmation_before_the_transaction_would_be_seen(tmp_path: Path) -> None:
    """The negative control. A kill falls between the two in nearly every life."""
    for _ in range(5):
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        if (await lost(folder, "early"))[1]:
            return
    raise AssertionError("nothing was lost although it was confirmed too early")
