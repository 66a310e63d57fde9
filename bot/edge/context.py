"""What the Discord edge needs from the rest of the bot, in one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from generator.video.shrink import shrink

if TYPE_CHECKING:
    from bot.config import Config
    from bot.edge.posting import Shrink
    from bot.edge.status_cards import StatusCards
    from bot.queue.spool import Spool
    from bot.queue.store import JobStore
    from bot.work.switches import Switches
    from bot.work.worker import Worker
    from generator.picture.intake import PictureChild


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
