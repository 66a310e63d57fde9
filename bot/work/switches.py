"""The operator's switches: the variant in use and the pause. Kept in the store, read from memory.

Tested in tests/bot/edge/commands/test_admin.py.
"""

from __future__ import annotations

from bot.config import Config
from bot.queue.store import JobStore
from bot.work.gate import Gate, HoldCause
from generator.variants import Variant


class Switches:
    """The variant in use and whether the bot is paused: kept in the store, read from memory.

    `gate` is what all workers wait at.
    """

    def __init__(self, config: Config, store: JobStore) -> None:
        self._variants = config.all_variants()
        self._default = config.generator.variant
        self._store = store
        self._variant = self._default
        self.gate = Gate()

    async def load(self) -> None:
        """Read what was set before the last stop; a variant that no longer exists falls back to the configured one."""
        name = await self._store.settings.get("variant")
        self._variant = name if name in self._variants else self._default
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

    async def pause(self, reason: str) -> None:
        """Accept and start nothing until `resume`; the reason is shown to people."""
        await self._store.settings.set("paused", reason)
        self.gate.close(HoldCause.PAUSED, reason)

    async def resume(self) -> None:
        """Work again, also after a crash storm."""
        await self._store.settings.set("paused", None)
        self.gate.open(HoldCause.PAUSED, HoldCause.CRASH_STORM)
