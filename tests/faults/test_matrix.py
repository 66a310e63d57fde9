"""Some cells of the fault matrix, and that it sees a bot that loses or repeats; all of it with `-m soak`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.matrix import FAULTS, STAGES, chosen, describe, makes_sense, run_matrix
from tests.support.fault_cell import Cell, Outcome


async def run(folder: Path, fault: str, stage: str, poster: str = "careful") -> Outcome:
    [one], [at] = chosen(fault, FAULTS), chosen(stage, STAGES)
    return await Cell(folder / f"{fault}, {stage}", one, at, poster).run()


async def test_a_fault_costs_nobody_the_clip_and_nobody_gets_it_twice(tmp_path: Path) -> None:
    """The bot is killed between the post and its note, a reply is lost, a render is cancelled."""
    killed, unanswered, cancelled = await asyncio.gather(
        run(tmp_path, "bot killed", "after the post"),
        run(tmp_path, "reply lost", "posting"),
        run(tmp_path, "cancel", "rendering"),
    )
    assert killed.problems + unanswered.problems + cancelled.problems == []
    assert [(one.clips, one.cards) for one in (killed, unanswered, cancelled)] == [(1, 0), (1, 0), (0, 1)]


async def test_the_matrix_sees_a_bot_that_repeats_and_one_that_loses(tmp_path: Path) -> None:
    """The negative control."""
    repeating, losing = await asyncio.gather(
        run(tmp_path, "bot killed", "after the post", "no-nonce"), run(tmp_path, "bot killed", "posting", "mark-first")
    )
    assert "shown twice" in repeating.problems
    assert "accepted and lost" in losing.problems


def test_the_table_has_a_dash_where_nothing_was_run_and_tells_what_is_wrong() -> None:
    faults, stages = chosen("429,GPU out of memory", FAULTS), chosen("queued,rendering", STAGES)
    wrong = Outcome(clips=2, cards=1, twice=1, seconds=1.25, problems=["shown twice"])
    table = describe({("429", "queued"): wrong, ("429", "rendering"): Outcome(clips=1, cards=1)}, faults, stages)
    rows = [line.split() for line in table.splitlines()]
    assert ["429", "2", "1", "0", "1", "1.2!", "1", "1", "0", "0", "0.0"] in rows
    assert ["GPU", "out", "of", "memory", "-", "-"] in rows
    assert "429, queued: shown twice" in table
    assert "2 cells, 0 lost, 1 twice, commit" in table


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown: 428; known: bot killed"):
        chosen("428", FAULTS)


@pytest.mark.soak
async def test_the_whole_matrix() -> None:
    outcomes = await run_matrix(FAULTS, STAGES)
    print(f"\n{describe(outcomes, FAULTS, STAGES)}")
    assert len(outcomes) == sum(makes_sense(fault, stage) for fault in FAULTS for stage in STAGES)
    assert {key: found.problems for key, found in outcomes.items() if found.problems} == {}
