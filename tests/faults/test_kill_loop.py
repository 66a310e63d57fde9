"""Nothing lost, nothing twice: under SIGKILL of bot and executor while Discord loses replies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.kill_loop import KillLoop
from tests.support.kill_people import AT_ONCE

SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.parametrize(
    "kills",
    [pytest.param(40, id="short"), pytest.param(1000, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(0)])],
)
async def test_every_accepted_request_gets_its_clip_once(tmp_path: Path, kills: int) -> None:
    outcome = await KillLoop(tmp_path, SEED).run(kills)
    print(outcome)
    assert (outcome.lost, outcome.duplicates, outcome.integrity) == (0, 0, "ok")
    assert outcome.kills_bot + outcome.kills_executor == kills
    assert min(outcome.kills_bot, outcome.kills_executor, outcome.replies_lost, outcome.accepted) > 0
    assert outcome.changes > 0
    assert outcome.changes_lost == 0, "what was shown as chosen is kept, and in the log"
    assert outcome.most_at_once <= AT_ONCE, "nobody has more than their quota, whatever died in between"
    assert outcome.given_back > 0
    assert (outcome.most_a_day, outcome.refused_early) == (outcome.per_day, 0), "all of a day's quota, and not more"


async def test_the_loop_sees_the_duplicates_of_a_bot_without_nonces(tmp_path: Path) -> None:
    outcome = await KillLoop(tmp_path, SEED, "no-nonce").run(8)
    print(outcome)
    assert outcome.duplicates > 0


async def test_the_loop_sees_the_losses_of_a_bot_that_marks_first_and_gives_nothing_back(tmp_path: Path) -> None:
    outcome = await KillLoop(tmp_path, SEED, "mark-first").run(8)
    print(outcome)
    assert outcome.lost > 0
    assert outcome.refused_early > 0


async def test_the_loop_sees_what_is_kept_in_memory_alone_and_people_without_a_quota(tmp_path: Path) -> None:
    loop = KillLoop(tmp_path, SEED, "keeps-nothing")
    loop.at_once = 0
    outcome = await loop.run(8)
    print(outcome)
    assert outcome.changes_lost > 0
    assert outcome.most_at_once > AT_ONCE
    assert outcome.most_a_day > outcome.per_day
