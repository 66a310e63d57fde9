"""Which cards the executors get: the operator's list, kept to what this process may see. Pure; knows no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from generator.errors import SettingsError

VISIBLE = "CUDA_VISIBLE_DEVICES"
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(\d+|(GPU|MIG)-\S+)")


def choose_gpus(gpus: Sequence[int | str], environment: Mapping[str, str]) -> list[str]:
    """Return a value for CUDA_VISIBLE_DEVICES for each of `gpus`, which are nvidia-smi's numbers or UUIDs.

    Where the environment shows some cards only (Slurm, MIG), each must be one of those. A number then means the card of
    that number; where the visible cards have UUIDs, or not all numbers are visible, it counts the visible cards from 0.
    Raises SettingsError.
    """
    inherited = environment.get(VISIBLE)
    if inherited is None:
        return [str(gpu) for gpu in gpus]
    visible = _visible(inherited)
    numbers = [str(gpu) for gpu in gpus if _NUMBER.fullmatch(str(gpu))]
    by_number = all(number in visible for number in numbers)
    chosen = [_find(str(gpu), visible, by_number) for gpu in gpus]
    missing = [str(gpu) for gpu, found in zip(gpus, chosen, strict=True) if found is None]
    if missing:
        raise SettingsError(
            f"gpus names {', '.join(missing)}, but {VISIBLE} shows this process {', '.join(visible) or 'no GPU'}. "
            f"{_advice(visible)}",
            setting="gpus",
        )
    found = [gpu for gpu in chosen if gpu is not None]
    if len(set(found)) < len(found):
        raise SettingsError(f"gpus names one card twice: {VISIBLE} is {inherited}. {_advice(visible)}", setting="gpus")
    return found


def device_order(environment: Mapping[str, str]) -> str | None:
    """Return what CUDA_DEVICE_ORDER must be so that numbers are nvidia-smi's; None: as it is.

    Where the environment already numbers the visible cards, their numbers keep the meaning that they have there.
    """
    return None if VISIBLE in environment else environment.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def _visible(inherited: str) -> list[str]:
    """Return the cards that CUDA would see: it ends its list at the first name that is none, such as -1."""
    found: list[str] = []
    for name in inherited.split(","):
        if not _NAME.fullmatch(name.strip()):
            break
        found.append(name.strip())
    return found


def _find(gpu: str, visible: Sequence[str], by_number: bool) -> str | None:
    if _NUMBER.fullmatch(gpu) and not by_number:
        return visible[int(gpu)] if int(gpu) < len(visible) else None
    if gpu in visible:
        return gpu
    # CUDA takes the beginning of a UUID for the whole where only one card begins so.
    alike = [name for name in visible if not _NUMBER.fullmatch(name) and (name.startswith(gpu) or gpu.startswith(name))]
    return alike[0] if len(alike) == 1 and not _NUMBER.fullmatch(gpu) else None


def _advice(visible: Sequence[str]) -> str:
    if not visible:
        return f"Give this process a GPU, or unset {VISIBLE}."
    return f"Set gpus to {list(range(len(visible)))} or fewer: they count the visible cards from 0."
