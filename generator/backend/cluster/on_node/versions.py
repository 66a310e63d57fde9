"""Whether a node can work with this bridge: what each side is, and the sentence that names a difference. Pure."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Mapping

from generator.protocol import PROTOCOL_VERSION

OLDEST_TORCH = (2, 6)
"""what pyproject.toml asks for"""


def own_versions() -> dict[str, str]:
    """Return what this process is, without importing torch; a package that is not there is left out."""
    found = {"python": platform.python_version(), "protocol": str(PROTOCOL_VERSION)}
    for package in ("vivant", "torch"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def find_mismatch(bridge: Mapping[str, str], node: Mapping[str, str]) -> str | None:
    """Say why a node cannot work for this bridge, None when it can.

    Ray itself insists on the same Python minor and the same Ray. The clips of two versions of Vivant differ, so its
    first two numbers must agree; of torch only the node's matters, and only that it is new enough.
    """
    if bridge.get("protocol") != node.get("protocol"):
        return f"it speaks protocol {node.get('protocol')}, the bot {bridge.get('protocol')}: install the same Vivant"
    if _numbers(bridge.get("vivant", "")) != _numbers(node.get("vivant", "")):
        return f"it has Vivant {node.get('vivant')}, the bot {bridge.get('vivant')}: install the same on both"
    torch = node.get("torch")
    if torch is None:
        return "it has no torch: pip install 'vivant[cluster]' there"
    if _numbers(torch) < OLDEST_TORCH:
        return f"it has torch {torch}, and Vivant needs {'.'.join(map(str, OLDEST_TORCH))} or newer"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
