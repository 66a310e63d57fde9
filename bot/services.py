"""What the Discord edge needs from the rest of the bot, in one object, and the operator's switches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.gate import Gate, Hold, HoldCause
from generator.variants import Variant
from generator.video.shrink import shrink

if TYPE_CHECKING:
    from bot.config import Config
    from bot.posting import Shrink
    from bot.spool import Spool
    from bot.status import StatusCards
    from bot.store import JobStore
    from bot.worker import Worker
    from generator.picture.intake import PictureChild


class Switches:
    """The variant in use and whether the bot is paused: kept in the store, read from memory.

    `gate` is what all workers wait at.
    """

    def __init__(self, config: Config, store: JobStore, gate: Gate | None = None) -> None:
        self._variants = config.all_variants()
        self._default = config.generator.variant
        self._store = store
        self._variant = self._default
        self.gate = gate or Gate()

    async def load(self) -> None:
        """Read what was set before the last stop; a variant that no longer exists falls back to the configured one."""
        name = await self._store.get_setting("variant")
        self._variant = name if name in self._variants else self._default
        if paused := await self._store.get_setting("paused"):
            self.gate.close(HoldCause.PAUSED, paused)

    @property
    def variant(self) -> Variant:
        """The variant that new jobs are rendered with."""
        return self._variants[self._variant]

    @property
    def variants(self) -> dict[str, Variant]:
        """All variants by name."""
        return self._variants

    @property
    def hold(self) -> Hold | None:
        """Why no job is started; None while the bot works."""
        return self.gate.hold

    @property
    def paused(self) -> str | None:
        """An admin's words on why the bot is paused; None while it is not."""
        hold = self.gate.hold
        return hold.detail if hold and hold.cause is HoldCause.PAUSED else None

    def is_demo(self, name: str) -> bool:
        """Tell whether clips of this variant carry the demo label."""
        return name in self._variants and self._variants[name].is_demo

    async def switch(self, name: str) -> None:
        """Render new jobs with another variant; jobs in the line keep theirs. Raises KeyError on an unknown name."""
        await self._store.set_setting("variant", self._variants[name].name)
        self._variant = name

    async def pause(self, reason: str) -> None:
        """Accept and start nothing until `resume`; the reason is shown to people."""
        await self._store.set_setting("paused", reason)
        self.gate.close(HoldCause.PAUSED, reason)

    async def resume(self) -> None:
        """Work again, also after a crash storm."""
        await self._store.set_setting("paused", None)
        self.gate.open(HoldCause.PAUSED, HoldCause.CRASH_STORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a command may use. `preload` asks the backends to load a variant before its first job."""

    config: Config
    store: JobStore
    spool: Spool
    pictures: PictureChild
    switches: Switches
    cards: StatusCards
    shrink: Shrink = shrink
    workers: Sequence[Worker] = field(default_factory=tuple)
    preload: Callable[[str], None] = lambda variant: None
