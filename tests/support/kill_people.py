"""People who keep asking while the bot is killed: some give up again, some ask for clips that fail.

Three of them have a quota for a day. The fourth has none, so that somebody always waits.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction, State
from bot.sandbox.world.standard import ADA, BEN, MIA, MODERATOR_ROLE, OLGA, PICTURES
from tests.support.edge import png, until
from tests.support.kill_bot import FAILING_MOTION

WAITING = 6
"""how many jobs people let wait at once"""
AT_ONCE = 2
"""how many of them one person has"""
WITH_QUOTA = [ADA, BEN, OLGA]
"""for a day; Mia has another one by her role"""
CANCELLED, FAILED = 0.2, 0.2
"""of what people do: they give up their newest job, or ask for a clip that fails"""
SECONDS = 60.0

GIVEN_BACK = f"""
    state = 'cancelled' or (state = 'failed' and json_extract(settings, '$.motion_bucket') = {FAILING_MOTION})
"""
"""of a job: whether it had to end without a clip"""


@dataclass(frozen=True)
class Held:
    """The jobs of one person: what waits or runs, and what a day's quota counts."""

    active: int = 0
    counted: int = 0


class People:
    """Those who ask. `rows` reads what is on disk."""

    def __init__(self, sandbox: Sandbox, rng: random.Random, rows: Callable[[str], list[tuple[object, ...]]]) -> None:
        self._sandbox = sandbox
        self._random = rng
        self._rows = rows
        self.most_at_once = 0
        """the jobs of one person that were seen waiting or running at once"""
        self.most_a_day = 0
        """the clips that somebody with a quota was seen to have, made or coming"""
        self.refused_early = 0
        """the clips of their quotas that were refused to those who had not used them"""

    @staticmethod
    def quotas(per_day: int, at_once: int) -> dict[str, str]:
        """Return the operator's settings for them."""
        return {
            "VIVANT_QUOTA__PERSON__CLIPS_AT_ONCE": str(at_once),
            "VIVANT_QUOTA__PERSON__CLIPS_PER_DAY": str(per_day),
            "VIVANT_QUOTA__ROLES": json.dumps({MODERATOR_ROLE: {"clips_at_once": at_once}}),
        }

    async def ask(self) -> None:
        """Go on for ever."""
        while True:
            await self._sandbox.gateway.online.wait()
            if sum(held.active for held in self.look().values()) < WAITING:
                await self._do_something(self._random.choice([*WITH_QUOTA, MIA]))
            await asyncio.sleep(0.15)

    async def _do_something(self, person: str) -> None:
        drawn = self._random.random()
        if drawn < CANCELLED:
            await self._sandbox.world.invoke(person, PICTURES, "cancel")
        else:
            await self._animate(person, fails=drawn < CANCELLED + FAILED)

    async def _animate(self, person: str, *, fails: bool = False) -> Interaction:
        options = {"motion": str(FAILING_MOTION)} if fails else {}
        return await self._sandbox.world.invoke(person, PICTURES, "animate", options, {"image": png()})

    def look(self) -> dict[str, Held]:
        """Read what everybody has, and note the most."""
        sql = """
            select user_id, sum(state in ('queued', 'running')), sum(state in ('queued', 'running', 'rendered'))
            from job group by user_id
        """
        found = {str(user): Held(int(str(active)), int(str(counted))) for user, active, counted in self._rows(sql)}
        self.most_at_once = max(self.most_at_once, *(held.active for held in found.values()), 0)
        self.most_a_day = max(self.most_a_day, *(held.counted for person, held in found.items() if person != MIA), 0)
        return found

    async def use_up(self, per_day: int) -> None:
        """Ask for all that is left of the quotas, and for a clip that fails before: what it took is given back."""
        for person in WITH_QUOTA:
            fails = True
            while (left := per_day - self.look().get(person, Held()).counted) > 0:
                if not await self._is_accepted(person, fails=fails):
                    self.refused_early += left
                    break
                fails = False

    async def ask_for_more(self) -> None:
        """Let each of those who have used up their quota ask once more."""
        for person in WITH_QUOTA:
            await self._is_accepted(person)

    async def _is_accepted(self, person: str, *, fails: bool = False) -> bool:
        """Ask, and wait until nothing of this person waits or runs; refusals are private."""
        asked = await self._animate(person, fails=fails)
        while (await asked.acknowledged()).state is State.FAILED:  # the bot was away
            await self._sandbox.gateway.online.wait()
            asked = await self._animate(person, fails=fails)
        if asked.ephemeral:
            return False
        await until(lambda: asked.state is not State.THINKING, "the card", timeout=SECONDS)
        await until(lambda: not self.look()[person].active, "the clip's end", timeout=SECONDS)
        return True
