"""Counts what each node loses: one that loses again and again is left out for a while. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from generator.backend.losses import Streak

MOST_LOSSES = 5
WITHIN_SECONDS = 600.0
OUT_SECONDS = 1800.0
"""then it is tried again by itself"""
INNOCENT_LOSSES = 5
"""of one job: its node may be lost so often before it is the job that counts as the reason"""
AT_ONCE_SECONDS = 3.0
"""losses within this time are one: a node that dies loses all its cards, and Ray names it for 2 s more"""


@dataclass(slots=True, eq=False)
class Losses:
    """The losses of each node by its name, and of each job. `clock` is in seconds."""

    clock: Callable[[], float]
    _of_nodes: defaultdict[str, Streak] = field(
        default_factory=lambda: defaultdict(lambda: Streak(MOST_LOSSES, WITHIN_SECONDS, AT_ONCE_SECONDS))
    )
    _out_since: dict[str, float] = field(default_factory=dict)
    _of_jobs: dict[int, int] = field(default_factory=dict)

    def note_node(self, name: str) -> bool:
        """Note that a node was lost, or an executor of it. Return whether that makes it one to leave out."""
        now = self.clock()
        if self.is_left_out(name) or not self._of_nodes[name].note(now):
            return False
        self._out_since[name] = now
        return True

    def is_left_out(self, name: str) -> bool:
        """Tell whether a node is left out now."""
        since = self._out_since.get(name)
        if since is not None and self.clock() - since >= OUT_SECONDS:
            del self._out_since[name]
        return name in self._out_since

    @property
    def left_out(self) -> list[str]:
        """Return the names of the nodes that are left out now."""
        return [name for name in list(self._out_since) if self.is_left_out(name)]

    def resume(self) -> None:
        """Forget all losses of nodes."""
        self._of_nodes.clear()
        self._out_since.clear()

    def is_innocent(self, job: int) -> bool:
        """Note that a job lost its node while it was rendered. Return whether that is still put down to the node."""
        self._of_jobs[job] = self._of_jobs.get(job, 0) + 1
        return self._of_jobs[job] < INNOCENT_LOSSES

    def forget_job(self, job: int) -> None:
        """Forget a job that has its answer."""
        self._of_jobs.pop(job, None)
