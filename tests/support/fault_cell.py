"""One cell of the fault matrix: a person asks the real bot process for a clip, and one fault comes at one stage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bot.sandbox.faults import Action, Do
from bot.sandbox.rules.message_bodies import Flag
from bot.sandbox.rules.payloads import Json
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction, State
from bot.sandbox.world.standard import ADA, PICTURES, VIVANT
from tests.support.edge import POSTS, buttons, clip_of, png, until
from tests.support.jobs import faults as disagreements

HOLD_SECONDS = 3.0
"""how long a stage waits for its fault at most"""
QUIET_SECONDS = 1.0
"""without a request to Discord, when nothing is left to do"""
TIDY_SECONDS = 12.0
"""how long a card may still show an earlier state when all else is done"""
MOST_SECONDS = 120.0


@dataclass(frozen=True)
class Stage:
    """A stage of a job, and the event that tells that it is reached: the bot's request, or an event of fault_bot."""

    name: str
    request: tuple[str, str] | None = None
    event: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """of /animate, so that the stage lasts"""
    after_post: bool = False
    """whether the request counts from the post on only"""


@dataclass(frozen=True)
class Fault:
    """What goes wrong: something that happens, or what is done to the next requests that the bot makes."""

    name: str
    happen: Callable[[Cell], Awaitable[None]] | None = None
    action: Action | None = None
    times: int = 2
    executor: tuple[str, ...] = ()
    """options of the fake executor"""
    only: tuple[str, ...] = ()
    """the stages at which it makes sense; none: all"""
    without_clip: tuple[str, ...] = ()
    """the stages at which the person no longer wants a clip, so that none may be left"""


@dataclass
class Outcome:
    """What people and the operator see when everything has come to rest."""

    clips: int = 0
    cards: int = 0
    lost: int = 0
    twice: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        mark = "!" if self.problems else ""
        return f"{self.clips} {self.cards} {self.lost} {self.twice} {self.seconds:4.1f}{mark}"


class Cell:
    """Runs one fault at one stage. `go_on` lets the job leave the stage; faults use the rest."""

    def __init__(self, folder: Path, fault: Fault, stage: Stage, poster: str = "careful") -> None:
        self.sandbox = Sandbox()
        self._mount, self._fault, self._stage, self._poster = folder, fault, stage, poster
        self._own_disk = fault.name == "disk full"
        self._bot: asyncio.subprocess.Process | None = None
        self._asked: Interaction | None = None
        self._reached, self._going = asyncio.Event(), asyncio.Event()
        self._killed = 0
        self._done_at: float | None = None
        self._outcome = Outcome()

    # -- for faults

    def go_on(self) -> None:
        """Let the job leave its stage."""
        if not self._going.is_set():
            self._going.set()
            if self._bot and self._bot.stdin:
                self._bot.stdin.write(b"\n")

    async def kill_bot(self) -> None:
        """Kill the bot's process; it is started again at once."""
        assert self._bot is not None
        self._killed += 1
        self._bot.kill()
        await self._bot.wait()

    def children(self) -> list[psutil.Process]:
        """Return the bot's child processes."""
        return psutil.Process(self._bot.pid).children(recursive=True) if self._bot else []

    @property
    def folder(self) -> Path:
        """The bot's data folder, as this process reaches it."""
        if not self._own_disk or self._bot is None:
            return self._mount
        return Path(f"/proc/{self._bot.pid}/root{self._mount}")

    @contextlib.contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """Open a copy of the bot's database: neither a lock of ours nor SQLite's own paths come in between."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("vivant.db", "vivant.db-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(self.folder / name, Path(folder, name))
            with contextlib.closing(sqlite3.connect(Path(folder, "vivant.db"))) as db:
                yield db

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the bot's database."""
        with self.database() as db:
            return db.execute(query).fetchall()

    def card(self) -> Json | None:
        """Return the request's card as the person sees it."""
        mine = self._asked.message_id if self._asked else None
        return next((item for item in self._seen() if item["id"] == mine), None)

    # -- the run

    async def run(self) -> Outcome:
        """Run the cell. What went wrong is told in the outcome's problems."""
        self._mount.mkdir(parents=True, exist_ok=True)
        async with self.sandbox:
            keeper = asyncio.create_task(self._keep_running())
            try:
                await until(self.sandbox.gateway.online.is_set, "the bot is online", timeout=60)
                started = time.monotonic()
                await self._play()
                await until(self._at_rest, "everything came to rest", timeout=MOST_SECONDS)
                self._outcome.seconds = time.monotonic() - started - QUIET_SECONDS
            except AssertionError as error:
                self._outcome.problems.append(str(error))
            finally:
                self._count()
                keeper.cancel()
                await asyncio.wait([keeper])
        return self._outcome

    async def _play(self) -> None:
        """Ask for a clip, wait for the stage, and let the fault happen there."""
        self._arm()
        self._asked = await self.sandbox.world.invoke(
            ADA, PICTURES, "animate", {"frames": 4} | self._stage.options, {"image": png()}
        )
        await until(self._reached.is_set, f"the stage {self._stage.name}", timeout=60)
        happening = asyncio.create_task(self._happen())
        await asyncio.wait([happening], timeout=HOLD_SECONDS)
        self.go_on()
        await happening

    async def _happen(self) -> None:
        if self._fault.action and not self._stage.request:
            self.sandbox.faults.add(self._fault.action, times=self._fault.times)
        if self._fault.happen:
            await self._fault.happen(self)

    def _arm(self) -> None:
        """Make the request that is the stage wait there, or fail."""
        if self._stage.request is None:
            return
        if self._stage.after_post:
            self.sandbox.faults.add(Do(self._arm_request), *POSTS)
        else:
            self._arm_request()

    def _arm_request(self) -> None:
        assert self._stage.request is not None
        self.sandbox.faults.add(Do(self._hold), *self._stage.request)
        if self._fault.action:
            self.sandbox.faults.add(self._fault.action, *self._stage.request, times=self._fault.times)

    async def _hold(self) -> None:
        self._reached.set()
        await self._going.wait()

    async def _keep_running(self) -> None:
        settings = {
            "VIVANT_CONFIG": os.devnull,
            "VIVANT_DATA_DIR": str(self._mount),
            "VIVANT_GENERATOR__VARIANT": "demo",
            "VIVANT_RETENTION__MIN_FREE_MIB": "1",
        }
        event = self._stage.event
        try:
            while True:
                killed = self._killed
                self._bot = await asyncio.create_subprocess_exec(
                    *self._command(event),
                    env=os.environ | settings | self.sandbox.environment(),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
                assert self._bot.stdout is not None
                if await self._bot.stdout.readline():
                    self._reached.set()
                    event = ""
                status = await self._bot.wait()
                if self._killed == killed:
                    self._outcome.problems.append(f"the bot ended by itself, status {status}")
        finally:
            if self._bot is not None and self._bot.returncode is None:
                self._bot.kill()
                await self._bot.wait()

    def _command(self, event: str) -> list[str]:
        command = [sys.executable, "-m", "tests.support.fault_bot", self._poster, event]
        command += ["--step-seconds", "0.03", *self._fault.executor]
        if not self._own_disk:
            return command
        mount = f"mount -t tmpfs -o size=32m none {shlex.quote(str(self._mount))} && exec {shlex.join(command)}"
        return ["unshare", "-Urm", "sh", "-c", mount]

    # -- the end

    def _seen(self) -> list[Json]:
        """Return what the person sees of the bot, without what is private."""
        seen = self.sandbox.world.messages_for(ADA, PICTURES)
        return [item for item in seen if item["author"]["id"] == VIVANT and not item["flags"] & Flag.EPHEMERAL]

    def _waiting_cards(self) -> list[Json]:
        return [item for item in self._seen() if "Cancel" in buttons(item["components"])]

    async def _at_rest(self) -> bool:
        """Tell whether nothing is left to do, and nothing was done for a while."""
        if not self._is_done():
            return False
        self._done_at = self._done_at or time.monotonic()
        is_untold = self._waiting_cards() and any(map(clip_of, self._seen()))
        if is_untold and time.monotonic() - self._done_at < TIDY_SECONDS:
            return False
        before = len(self.sandbox.record.exchanges)
        await asyncio.sleep(QUIET_SECONDS)
        return self._is_done() and len(self.sandbox.record.exchanges) == before

    def _is_done(self) -> bool:
        """Tell whether every job and delivery has come to its end, and the person was answered."""
        undone = self.rows("select id from job where state in ('queued', 'running')")
        undone += self.rows("select job_id from outbox where state in ('pending', 'sending')")
        return self.sandbox.gateway.online.is_set() and not undone and (self._is_answered() or self._killed > 0)

    def _is_answered(self) -> bool:
        """Tell whether the person sees something else than "thinking"."""
        if self._asked is None or self._asked.state is State.WAITING:
            return False
        card = self.card()
        return card is None or not card["flags"] & Flag.LOADING

    def _count(self) -> None:
        outcome, fault, stage = self._outcome, self._fault, self._stage.name
        seen = [item for item in self._seen() if not item["flags"] & Flag.LOADING]
        cards = [item for item in seen if clip_of(item) is None]
        kept = [state for (state,) in self.rows("select state from job")]
        is_accepted = bool(kept) or re.search(r"vivant:\w+:\d+", str([item["components"] for item in seen]))
        outcome.clips, outcome.cards = len(seen) - len(cards), len(cards)
        is_unwanted = stage in fault.without_clip or "cancelled" in kept
        outcome.lost = int(bool(is_accepted) and not outcome.clips and not is_unwanted)
        outcome.twice = max(0, outcome.clips - 1) + max(0, outcome.cards - 1)
        found = {
            "accepted and lost": outcome.lost > 0,
            "shown twice": outcome.twice > 0,
            "a clip that nobody wants": stage in fault.without_clip and outcome.clips > 0,
            "something of a forgotten person is kept": fault.name == "forget-me" and bool(kept),
            "a card still waits": bool(self._waiting_cards()),
        }
        outcome.problems += [name for name, is_wrong in found.items() if is_wrong]
        with self.database() as db:
            outcome.problems += map(str, disagreements(db))
