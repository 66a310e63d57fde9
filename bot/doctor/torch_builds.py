"""Which of PyTorch's builds knows which card, and where it is installed from. No torch.

From the table of releases in PyTorch's repository (RELEASE.md) for torch 2.11 to 2.14: builds for CUDA 12.8 and later
know no card older than Turing; the one for CUDA 12.6 knows Maxwell, Pascal and Volta, and PyTorch's makers propose to
end it with torch 2.15. PyPI's torch is the one for CUDA 13. The drivers are from NVIDIA's guide on CUDA compatibility.
"""

from __future__ import annotations

from dataclasses import dataclass

Capability = tuple[int, int]
"""compute capability: NVIDIA's number of a card's generation, such as (8, 6)"""


@dataclass(frozen=True, slots=True)
class Build:
    """One of PyTorch's builds: the cards from `oldest` to `newest` can run it. `driver` is the oldest that does."""

    cuda: str
    index: str
    oldest: Capability
    newest: Capability
    driver: int

    def knows(self, capability: Capability) -> bool:
        """Tell whether this build has code for a card."""
        return self.oldest <= capability <= self.newest


NEWEST = Build("13.0", "https://download.pytorch.org/whl/cu130", (7, 5), (12, 1), 580)
LEGACY = Build("12.6", "https://download.pytorch.org/whl/cu126", (5, 0), (9, 0), 525)
BUILDS = (NEWEST, LEGACY)

GENERATIONS: dict[str, tuple[Capability, ...]] = {
    "Maxwell": ((5, 0), (5, 2)),
    "Pascal": ((6, 0), (6, 1)),
    "Volta": ((7, 0),),
    "Turing": ((7, 5),),
    "Ampere": ((8, 0), (8, 6)),
    "Ada": ((8, 9),),
    "Hopper": ((9, 0),),
    "Blackwell": ((10, 0), (10, 3), (12, 0), (12, 1)),
}


def build_for(capability: Capability) -> Build | None:
    """Return the newest build that knows a card; None for one that none of them knows."""
    return next((build for build in BUILDS if build.knows(capability)), None)


def generation_of(capability: Capability) -> str:
    """Return the name of a card's generation; nothing for one that is not in the table."""
    return next((name for name, known in GENERATIONS.items() if capability in known), "")


def install_from(build: Build) -> str:
    """Return the command that replaces torch by this build, in the environment that the bot runs in."""
    return f"pip install --force-reinstall --index-url {build.index} torch"


def remedy_for(capability: Capability) -> str:
    """Say which torch a card needs and how it is installed."""
    name = generation_of(capability)
    card = f"compute capability {capability[0]}.{capability[1]}{f', {name}' if name else ''}"
    build = build_for(capability)
    if build is None:
        return f"No build of torch from PyTorch's own indexes is known to have code for this card ({card})."
    return (
        f"This card ({card}) needs a torch for CUDA {build.cuda}: {install_from(build)}. "
        f"It needs NVIDIA's driver {build.driver} or newer."
    )
