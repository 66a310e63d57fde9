"""The fault matrix: each fault at each stage of a job, really run: `python -m tests.faults.matrix [--help]`.

A cell says how many clips and cards the person sees in the end, how many accepted requests were lost, how many
messages are there twice, and after how many seconds everything was at rest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from bot.sandbox.faults import LoseReply, Reset, rate_limited, server_error
from bot.sandbox.rules.message_bodies import Flag
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.world.standard import ADA, MIA, PICTURES
from tests.support.edge import POSTS, until
from tests.support.fault_cell import Cell, Fault, Outcome, Stage
from tests.support.state_of_code import state_of_code

Named = TypeVar("Named", Fault, Stage)

STAGES = (
    Stage("acknowledging", request=("POST", "/interactions/*/*/callback")),
    Stage("downloading", request=("GET", "/*attachments/**")),
    Stage("framing", event="generator.picture.intake:PictureChild.prepare"),
    Stage("enqueueing", event="bot.queue.jobs:Jobs.enqueue"),
    Stage("queued", event="bot.queue.jobs:Jobs.claim"),
    Stage("rendering", event="denoise"),
    Stage("encoding", event="encode", options={"frames": 8, "smooth": True, "playback_fps": 2}),
    Stage("settling", event="bot.queue.jobs:Jobs.settle_rendered"),
    Stage("posting", request=POSTS),
    Stage("after the post", event="bot.queue.deliveries:Deliveries.mark_sent"),
    Stage("taking the card away", request=("DELETE", "/channels/*/messages/*"), after_post=True),
)
NAMES = tuple(stage.name for stage in STAGES)
WITH_CARD = NAMES[NAMES.index("queued") :]
DAY_MS = 24 * 3_600_000

# -- what happens -----------------------------------------------------------------------------------------------------


async def kill_executor(cell: Cell) -> None:
    for child in cell.children():
        if "tests.support.fake_executor" in child.cmdline():
            child.kill()


async def take_discord_down(cell: Cell) -> None:
    async with cell.sandbox.outage():
        cell.go_on()
        await asyncio.sleep(2)


async def fill_disk(cell: Cell) -> None:
    ballast = cell.folder / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    cell.go_on()
    await asyncio.sleep(2)
    ballast.unlink()


async def lock_database(cell: Cell) -> None:
    with contextlib.closing(sqlite3.connect(cell.folder / "vivant.db", isolation_level=None)) as db:
        db.execute("begin immediate")
        cell.go_on()
        await asyncio.sleep(6)  # longer than the five seconds for which a statement waits


async def jump_forward(cell: Cell) -> None:
    (cell.folder / "ahead_ms").write_text(str(DAY_MS))


async def jump_back(cell: Cell) -> None:
    (cell.folder / "ahead_ms").write_text(str(-DAY_MS))


async def close_channel(cell: Cell) -> None:
    cell.sandbox.world.channels.set_bot_permission(PICTURES, Permission.VIEW_CHANNEL, allowed=False)


async def delete_card(cell: Cell) -> None:
    card = await until(lambda: (card := cell.card()) and not card["flags"] & Flag.LOADING and card, "a card")
    cell.sandbox.world.delete_message(MIA, PICTURES, card["id"])


async def forget(cell: Cell) -> None:
    asked = await cell.sandbox.world.invoke(ADA, PICTURES, "forget-me", {})
    await until(lambda: asked.message_id, "the question")
    pressed = await cell.sandbox.world.press(ADA, PICTURES, str(asked.message_id), f"vivant:forget:{ADA}:")
    await pressed.acknowledged()
    await until(lambda: not cell.rows("select id from job"), "nothing is kept")


async def cancel(cell: Cell) -> None:
    asked = await cell.sandbox.world.invoke(ADA, PICTURES, "cancel", {"job": 1})
    await asked.acknowledged()


FAULTS = (
    Fault("bot killed", Cell.kill_bot),
    Fault("executor killed", kill_executor),
    Fault("reply lost", action=LoseReply()),
    Fault("connection reset", action=Reset()),
    Fault("429", action=rate_limited(0.5)),
    Fault("500", action=server_error(500)),
    Fault("Discord down", take_discord_down),
    Fault("disk full", fill_disk),
    Fault("database locked", lock_database),
    Fault("clock jumps forward", jump_forward),
    Fault("clock jumps back", jump_back),
    Fault(
        "GPU out of memory",
        executor=("--fault", "oom", "--at-step", "1", "--times", "1"),
        only=("rendering",),
    ),
    Fault("channel closed", close_channel),
    Fault("message deleted", delete_card, only=WITH_CARD),
    Fault("forget-me", forget, without_clip=NAMES[:-1]),
    Fault("cancel", cancel, only=WITH_CARD, without_clip=NAMES[: NAMES.index("settling")]),
)


def makes_sense(fault: Fault, stage: Stage) -> bool:
    """Tell whether a fault can meet a job at a stage."""
    return not fault.only or stage.name in fault.only


# -- the table --------------------------------------------------------------------------------------------------------

Outcomes = dict[tuple[str, str], Outcome]
"""by the names of the fault and the stage"""


async def run_matrix(faults: Sequence[Fault], stages: Sequence[Stage], at_once: int = 2) -> Outcomes:
    """Run every cell that makes sense, some at once."""
    room = asyncio.Semaphore(at_once)

    async def run(fault: Fault, stage: Stage) -> Outcome:
        async with room:
            with tempfile.TemporaryDirectory(prefix="vivant-cell-") as folder:
                outcome = await Cell(Path(folder), fault, stage).run()
        if sys.stderr.isatty():
            print(f"{fault.name}, {stage.name}: {outcome}", file=sys.stderr)
        return outcome

    cells = [(fault, stage) for fault in faults for stage in stages if makes_sense(fault, stage)]
    outcomes = await asyncio.gather(*(run(*cell) for cell in cells))
    return {(fault.name, stage.name): outcome for (fault, stage), outcome in zip(cells, outcomes, strict=True)}


def describe(outcomes: Outcomes, faults: Sequence[Fault], stages: Sequence[Stage]) -> str:
    """Return the table, what is wrong in it, and its sums."""
    width = max(len(fault.name) for fault in faults)
    rows = [[""] + [stage.name for stage in stages]]
    rows += [[fault.name] + [str(outcomes.get((fault.name, stage.name), "-")) for stage in stages] for fault in faults]
    lines = ["in each cell: clips, cards, lost, twice, seconds; - makes no sense; ! is told below"]
    lines += ["no clip and no card: nothing was accepted, or the person is forgotten", ""]
    lines += [" ".join([row[0].ljust(width), *(cell.rjust(16) for cell in row[1:])]) for row in rows]
    lines += [f"{', '.join(key)}: {problem}" for key, found in outcomes.items() for problem in found.problems]
    lost, twice = (sum(getattr(found, name) for found in outcomes.values()) for name in ("lost", "twice"))
    return "\n".join(
        [*lines, "", f"fault matrix: {len(outcomes)} cells, {lost} lost, {twice} twice, {state_of_code()}"]
    )


def chosen(names: str, known: Sequence[Named]) -> list[Named]:
    """Return what a comma-separated list names, all of it without one. Raises ValueError."""
    if unknown := set(filter(None, names.split(","))) - {item.name for item in known}:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(item.name for item in known)}")
    return [item for item in known if not names or item.name in names.split(",")]


def main(arguments: list[str]) -> int:
    """Print the matrix, or a part of it; return 1 when something is wrong in it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("--faults", default="", help="only these, with commas between them")
    parser.add_argument("--stages", default="", help="only these, with commas between them")
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        faults, stages = chosen(options.faults, FAULTS), chosen(options.stages, STAGES)
    except ValueError as error:
        parser.error(str(error))
    outcomes = asyncio.run(run_matrix(faults, stages, options.at_once))
    print(describe(outcomes, faults, stages))
    return int(any(found.problems for found in outcomes.values()))


if __name__ == "__main__":
    logging.getLogger("aiohttp.server").disabled = True  # it tells of each request that a fault cut
    sys.exit(main(sys.argv[1:]))
