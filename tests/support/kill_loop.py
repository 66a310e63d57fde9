"""SIGKILL at random instants, to the real bot process and its real executor process, while people keep asking."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import sqlite3
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from bot.sandbox.faults import FaultScript, LoseReply, Reset
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES, VIVANT
from tests.support.edge import until
from tests.support.kill_manager import Manager
from tests.support.kill_people import AT_ONCE, GIVEN_BACK, People

BOT_SHARE = 0.6
"""of the kills; the rest hit the executor"""
STARTING = 0.1
"""of the kills; they hit a bot that is not yet connected"""
LIFE_SECONDS = 1.0
"""the mean life of a connected bot"""
LEAST_PER_DAY = 3
"""the quota of a short run; so few that it is used up while the bot is killed"""
KILLS_PER_CLIP = 50
"""a longer run has a clip more for each so many kills, so that some of the quota is left to its end"""


@dataclass
class Outcome:
    """The counts of a run."""

    seed: int
    kills_bot: int = 0
    kills_executor: int = 0
    accepted: int = 0
    clips: int = 0
    lost: int = 0
    duplicates: int = 0
    replies_lost: int = 0
    posts_reset: int = 0
    changes: int = 0
    """of the server's settings, acknowledged"""
    changes_lost: int = 0
    """acknowledged, and neither kept nor in the log, or in the log without what was before"""
    most_at_once: int = 0
    """the jobs of one person that were seen waiting or running at once"""
    per_day: int = 0
    """the quota of some people"""
    most_a_day: int = 0
    """the clips that one of them was seen to have, made or coming"""
    given_back: int = 0
    """the jobs that were cancelled, or failed as they had to"""
    refused_early: int = 0
    """the clips that were refused to those who had not used up their quota"""
    integrity: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        kills = f"{self.kills_bot + self.kills_executor:,} kills ({self.kills_executor:,} of the executor)"
        found = f"{self.accepted:,} requests accepted, {self.clips:,} clips, {self.lost} lost, {self.duplicates} twice"
        played = f"{self.replies_lost} replies lost, {self.posts_reset} posts reset"
        found += f", {self.changes} settings changed, {self.changes_lost} lost, {self.most_at_once} at once"
        found += f", {self.most_a_day} of {self.per_day} a day, {self.given_back} given back, {self.refused_early} not"
        return f"{kills}, {found}: seed {self.seed}, {played}, database {self.integrity}, {self.seconds:g} s"


class KillLoop:
    """One run: a local Discord, a bot that is started again whenever it dies, people, and random kills."""

    settle_seconds = 120.0
    at_once = AT_ONCE
    """how many clips one person may have waiting or being made; 0: as many as they like"""

    def __init__(self, folder: Path, seed: int, poster: str = "careful") -> None:
        self.folder = folder
        self.command: tuple[str, ...] = (sys.executable, "-m", "tests.support.kill_bot", poster)
        self.environment = {
            "VIVANT_CONFIG": os.devnull,
            "VIVANT_DATA_DIR": str(folder),
            "VIVANT_GENERATOR__VARIANT": "demo",
            "VIVANT_GENERATOR__QUALITY": "fast",
            "VIVANT_QUEUE__MAX_ATTEMPTS": "10",
            "VIVANT_RETENTION__MIN_FREE_MIB": "0",
        }
        self.random = random.Random(seed)
        self.bot: asyncio.subprocess.Process | None = None
        self.sandbox = Sandbox(faults=FaultScript(seed))
        self.outcome = Outcome(seed)
        self.manager = Manager(self.sandbox)
        self.people = People(self.sandbox, self.random, self.rows)

    async def run(self, kills: int) -> Outcome:
        """Kill `kills` times, let everything settle, and count."""
        started = time.monotonic()
        self.outcome.per_day = LEAST_PER_DAY + kills // KILLS_PER_CLIP
        self.environment |= self.people.quotas(self.outcome.per_day, self.at_once)
        async with self.sandbox, asyncio.TaskGroup() as tasks:
            faults = self.sandbox.faults
            faults.add(LoseReply(), times=None, probability=0.05)
            # at least these, so that even a short run meets both ways in which a post's fate stays unknown
            faults.add(Reset(), "POST", "/channels/*/messages", times=3)
            lost = faults.add(LoseReply(), "POST", "/channels/*/messages", times=3, skip=3)
            keeper = tasks.create_task(self.keep_running())
            people = [tasks.create_task(self.people.ask()), tasks.create_task(self.manager.run())]
            for _ in range(kills):
                await self.random_instant()
                await self.kill()
            await until(lambda: lost.times == 0, "three posts whose reply was lost", timeout=120)
            for task in people:
                task.cancel()
            self.sandbox.faults.clear()
            await self.kill_bot()  # a storm of crashes may have stopped the bot; a start clears it
            await until(self.is_settled, "every job settled and delivered", timeout=self.settle_seconds)
            await self.people.use_up(self.outcome.per_day)
            await self.kill_bot()
            await self.people.ask_for_more()
            await until(self.is_settled, "every job settled and delivered", timeout=self.settle_seconds)
            keeper.cancel()
        self._count()
        self.outcome.seconds = round(time.monotonic() - started, 1)
        return self.outcome

    async def random_instant(self) -> None:
        """Wait for any moment of a bot's life: mostly while it works, sometimes while it starts."""
        if self.random.random() > STARTING:
            await asyncio.wait_for(self.sandbox.gateway.online.wait(), 60)
        await asyncio.sleep(self.random.expovariate(1 / LIFE_SECONDS))

    async def keep_running(self) -> None:
        try:
            while True:
                self.bot = await asyncio.create_subprocess_exec(
                    *self.command, env=os.environ | self.environment | self.sandbox.environment()
                )
                await self.bot.wait()
        finally:
            await self.kill_bot()

    async def kill(self) -> None:
        """Kill the bot or its executors."""
        executors = [] if self.random.random() < BOT_SHARE else self._executors()
        if executors:
            for executor in executors:
                with contextlib.suppress(psutil.NoSuchProcess):
                    executor.kill()
            self.outcome.kills_executor += 1
        else:
            await self.kill_bot()
            self.outcome.kills_bot += 1

    async def kill_bot(self) -> None:
        """Kill the bot, if it runs."""
        if self.bot is not None and self.bot.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.bot.kill()
            await self.bot.wait()

    def _executors(self) -> list[psutil.Process]:
        if self.bot is None or self.bot.returncode is not None:
            return []
        try:
            children = psutil.Process(self.bot.pid).children()
            return [child for child in children if "tests.support.fake_executor" in child.cmdline()]
        except psutil.Error:
            return []

    # -- what is on disk and what people see

    def rows(self, query: str) -> list[tuple[object, ...]]:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
                return db.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []  # the first start has not made it yet

    @property
    def _database(self) -> Path:
        return next(self.folder.glob("*.db"), self.folder / "none.db")

    def _open_jobs(self) -> int:
        return len(self.rows("select id from job where state in ('queued', 'running')"))

    def is_settled(self) -> bool:
        unsettled = self._open_jobs()
        undelivered = len(self.rows("select job_id from outbox where state in ('pending', 'sending')"))
        return unsettled + undelivered == 0

    def _count(self) -> None:
        accepted = {int(str(row[0])) for row in self.rows("select id from job")}
        without = {int(str(row[0])) for row in self.rows(f"select id from job where {GIVEN_BACK}")}
        clips: Counter[int] = Counter()
        cards: set[int] = set()
        for message in self.sandbox.world.messages_for(ADA, PICTURES):
            jobs = {int(number) for number in re.findall(r"vivant:\w+:(\d+)", str(message["components"]))}
            cards |= jobs
            if message["author"]["id"] == VIVANT and any(
                item["filename"].endswith(".mp4") for item in message["attachments"]
            ):
                clips.update(jobs)
        self.outcome.accepted = len(accepted)
        self.outcome.given_back = len(without)
        self.outcome.clips = sum(clips.values())
        self.outcome.lost = len((accepted | cards) - without - set(clips))
        self.outcome.duplicates = sum(count - 1 for count in clips.values())
        played = [type(fault.action) for fault in self.sandbox.faults.played]
        self.outcome.replies_lost = played.count(LoseReply)
        self.outcome.posts_reset = played.count(Reset)
        kept, log = self.rows("select settings from server"), self.rows("select what from audit order by id")
        self.outcome.changes = len(self.manager.acknowledged)
        self.outcome.changes_lost = self.manager.count_lost([str(row[0]) for row in kept], [str(row[0]) for row in log])
        self.outcome.most_at_once, self.outcome.most_a_day = self.people.most_at_once, self.people.most_a_day
        self.outcome.refused_early = self.people.refused_early
        self.outcome.integrity = str(self.rows("pragma integrity_check")[0][0])
