"""What a person said with a request, beside the settings that it became.

Tested in tests/bot/queue/test_rows.py and tests/bot/edge/commands/test_animate.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person said with a request, beside the settings that it became."""

    chosen: tuple[str, ...] = ()
    """the options that they chose themselves, by name"""
    description: str = ""
    """what the picture shows, in their words or its author's"""

    @classmethod
    def from_json(cls, kept: object) -> Told:
        """Read what `dataclasses.asdict` gave. What cannot be read was not said: no request fails for it."""
        found = kept if isinstance(kept, dict) else {}
        chosen, description = found.get("chosen"), found.get("description")
        return cls(
            chosen=tuple(map(str, chosen)) if isinstance(chosen, list) else (),
            description=description if isinstance(description, str) else "",
        )


NOTHING_TOLD = Told()
