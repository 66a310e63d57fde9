"""The operator's switches: the variant in use and the pause. Kept in the store, read from memory.

Tested in tests/bot/edge/commands/test_admin.py.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Literal

from bot.config import Config
from bot.policy.quota import Limits, Quota
from bot.queue.store import JobStore
from bot.work.gate import Gate, HoldCause
from generator.variants import Variant

Whose = Literal["person", "server"]
"""whose quota an admin may set"""
_WHOSE: tuple[Whose, ...] = ("person", "server")


class Switches:
    """The variant in use and whether the bot is paused: kept in the store, read from memory.

    `gate` is what all workers wait at.
    """

    def __init__(self, config: Config, store: JobStore) -> None:
        self._variants = config.all_variants()
        self._default = config.generator.variant
        self._store = store
        self._variant = self._default
        self._configured_limits = config.quota.limits()
        self._set_limits: dict[Whose, Quota] = {}
        self.gate = Gate()
        self.draining: str | None = None
        """an admin's words on why nothing new is taken while the rest is finished; None: requests are taken"""
        self.drains = asyncio.Event()
        """set when draining begins"""

    async def load(self) -> None:
        """Read what was set before the last stop; a variant that no longer exists falls back to the configured one."""
        name = await self._store.settings.get("variant")
        self._variant = name if name in self._variants else self._default
        kept = json.loads(await self._store.settings.get("limits") or "{}")
        self._set_limits = {whose: Quota.model_validate(kept[whose]) for whose in _WHOSE if whose in kept}
        self.draining = await self._store.settings.get("draining")
        if paused := await self._store.settings.get("paused"):
            self.gate.close(HoldCause.PAUSED, paused)

    @property
    def variant(self) -> Variant:
        """The variant that new jobs are rendered with."""
        return self._variants[self._variant]

    @property
    def variants(self) -> dict[str, Variant]:
        """All variants by name."""
        return self._variants

    async def switch(self, name: str) -> None:
        """Render new jobs with another variant; jobs in the queue keep theirs. Raises KeyError on an unknown name."""
        await self._store.settings.set("variant", self._variants[name].name)
        self._variant = name

    @property
    def limits(self) -> Limits:
        """What people and servers may have: the configuration's quotas, or what an admin has set since."""
        configured, own = self._configured_limits, self._set_limits
        return replace(
            configured, person=own.get("person", configured.person), server=own.get("server", configured.server)
        )

    async def limit(self, whose: Whose, quota: Quota | None) -> None:
        """Let each person, or each server, have so much from now on; None: as the configuration says."""
        changed = {name: value for name, value in self._set_limits.items() if name != whose}
        if quota is not None:
            changed[whose] = quota
        kept = {name: value.model_dump() for name, value in changed.items()}
        await self._store.settings.set("limits", json.dumps(kept) if kept else None)
        self._set_limits = changed

    async def pause(self, reason: str) -> None:
        """Accept and start nothing until `resume`; the reason is shown to people."""
        await self._store.settings.set("paused", reason)
        self.gate.close(HoldCause.PAUSED, reason)

    async def drain(self, reason: str) -> None:
        """Accept nothing new until `resume`, and finish what is waiting."""
        await self._store.settings.set("draining", reason)
        await self._store.settings.set("drained", None)
        self.draining = reason
        self.drains.set()

    async def resume(self) -> None:
        """Work again, also after a crash storm and a drain."""
        await self._store.settings.set("draining", None)
        self.draining = None
        await self._store.settings.set("paused", None)
        self.gate.open(HoldCause.PAUSED, HoldCause.CRASH_STORM)
