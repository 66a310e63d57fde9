"""One benchmark's figures and its targets."""

from __future__ import annotations

import importlib.metadata
import operator
import platform
from dataclasses import dataclass, field
from typing import Any

_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq}


@dataclass
class Report:
    """`figures` carry their unit in the key (`claim_p99_ms`); a target reads like "<= 1"."""

    name: str
    figures: dict[str, float | int | str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    tables: list[str] = field(default_factory=list)
    """what a person reads in addition to the figures"""

    def missed(self) -> list[str]:
        """Return the targets that do not hold; a target without a figure counts as missed."""
        return [key for key, target in self.targets.items() if not self._holds(key, target)]

    def _holds(self, key: str, target: str) -> bool:
        sign, bound = target.split()
        value = self.figures.get(key)
        return isinstance(value, int | float) and bool(_COMPARE[sign](value, float(bound)))

    @property
    def met(self) -> bool:
        """Return whether every target holds."""
        return not self.missed()

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        versions = {"python": platform.python_version()}
        versions |= {library: importlib.metadata.version(library) for library in self.libraries}
        return {
            "name": self.name,
            "versions": versions,
            "figures": self.figures,
            "targets": self.targets,
            "met": self.met,
        }

    def to_text(self) -> str:
        """Return the report as text for a terminal."""
        lines = [f"== {self.name}"]
        for key, value in self.figures.items():
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            target = ""
            if key in self.targets:
                target = f"   target {self.targets[key]}: {'met' if key not in self.missed() else 'MISSED'}"
            lines.append(f"{key:44s} {shown:>12s}{target}")
        return "\n".join([*lines, *self.tables])
