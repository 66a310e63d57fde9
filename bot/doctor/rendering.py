"""What a render needs: ffmpeg, torch and a card that computes, the weights, and the child that decodes pictures.

Each is tried in a process of its own, which may crash or hang. Tested in tests/bot/doctor/test_rendering.py.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

from bot.config import Config
from bot.doctor.check import Check, Status, ask_module, run_program
from bot.doctor.torch_builds import LEGACY, NEWEST, install_from, remedy_for
from generator.backend.gpus import VISIBLE, choose_gpus, device_order
from generator.clip import Framing, Shape
from generator.errors import SettingsError
from generator.picture.intake import PictureChild
from generator.process.environment import model_environment

NO_FFMPEG = "pip install imageio-ffmpeg, or install ffmpeg and set IMAGEIO_FFMPEG_EXE to its path."
PYTORCH = "https://pytorch.org/get-started/locally/"
NO_TORCH = f"pip install torch: see {PYTORCH}"
_USEFUL_GIB = 3
"""free on a card: with less, SVD-XT has no memory plan"""


async def check_ffmpeg(_config: Config) -> list[Check]:
    """Find ffmpeg, and write an MP4 and a GIF with it."""
    try:
        import imageio_ffmpeg

        path = str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return [Check("ffmpeg", Status.PROBLEM, "not found", NO_FFMPEG)]
    encoders = await run_program(path, "-hide_banner", "-encoders")
    if encoders.status is None:
        set_by = os.environ.get("IMAGEIO_FFMPEG_EXE")
        remedy = "Correct IMAGEIO_FFMPEG_EXE, or unset it to use the bundled build." if set_by else NO_FFMPEG
        return [Check("ffmpeg", Status.PROBLEM, f"{path} cannot be run ({encoders.last_line})", remedy)]
    if "libx264" not in encoders.output:
        remedy = "Unset IMAGEIO_FFMPEG_EXE to use the bundled build, or install an ffmpeg with libx264."
        return [Check("ffmpeg", Status.PROBLEM, f"{path} cannot write H.264", remedy)]
    tried = await ask_module("generator.executor.encode_trial")
    failed = {"MP4 and GIF": tried} if isinstance(tried, str) else {name: why for name, why in tried.items() if why}
    if failed:
        remedy = "Unset IMAGEIO_FFMPEG_EXE to use the bundled build, or pip install --upgrade imageio-ffmpeg."
        seen = "; ".join(f"no {name} could be written: {why}" for name, why in failed.items())
        return [Check("ffmpeg", Status.PROBLEM, f"{path}: {seen}", remedy)]
    return [Check("ffmpeg", Status.OK, f"{path} wrote an MP4 and a GIF")]


async def check_torch(config: Config) -> list[Check]:
    """See in a child process which torch there is, which GPUs it sees, and whether each of them computes."""
    settings = config.generator
    environment = model_environment()
    try:
        chosen = choose_gpus(settings.gpus, os.environ)
    except SettingsError as error:
        return [Check("GPU", Status.PROBLEM, "generator.gpus cannot be had", f"{error.text}")]
    if chosen:
        environment[VISIBLE] = ",".join(chosen)
        environment |= {"CUDA_DEVICE_ORDER": order} if (order := device_order(os.environ)) else {}
    facts = await ask_module("generator.model.gpu_trial", environment=environment)
    if isinstance(facts, str):
        return [Check("torch", Status.PROBLEM, facts, NO_TORCH)]
    demo = config.all_variants()[settings.variant].is_demo
    cards = [describe_card(card, facts, demo=demo) for card in facts["cards"]]
    wanted = max(len(chosen), int(settings.device[5:]) + 1 if settings.device.startswith("cuda:") else 0)
    if not cards and settings.device.startswith(("cuda", "mps")) and not (facts["mps"] and settings.device == "mps"):
        remedy = f'Set generator.device = "auto", or install a torch that knows the card: {PYTORCH}.'
        cards = [Check("GPU", Status.PROBLEM, f'torch sees none, the settings name "{settings.device}"', remedy)]
    elif not cards:
        needs_none = demo or settings.device == "cpu"
        cards = [no_card(facts, [] if needs_none else await list_cards(), needs_none=needs_none)]
    elif len(cards) < wanted:
        remedy = "Correct generator.gpus and generator.device: `nvidia-smi -L` lists the cards."
        cards.append(Check("GPU", Status.PROBLEM, f"torch sees {len(cards)}, the settings name {wanted}", remedy))
    return [Check("torch", Status.OK, facts["version"]), *cards]


def describe_card(card: dict[str, Any], facts: dict[str, Any], *, demo: bool) -> Check:
    """Judge one card by what torch says of it. `error` is what the first kernel said, if it failed."""
    if error := card.get("error"):
        remedy = "Restart the machine; if it stays so, look into the system's log for errors of the driver (dmesg)."
        if "no kernel image" in error or "not compatible" in error:
            remedy = f"torch {facts['version']} has no code for it. {remedy_for(tuple(card['capability']))}"
        elif "out of memory" in error:
            remedy = "Close other programs that use the card."
        elif "driver" in error:
            remedy = (
                f"Install NVIDIA's driver {NEWEST.driver} or newer, or with driver {LEGACY.driver} or newer a torch "
                f"for CUDA {LEGACY.cuda}: {install_from(LEGACY)}"
            )
        return Check("GPU", Status.PROBLEM, f"{card['name']} does not compute: {error}", remedy)
    seen = f"{card['name']}, {card['free_gib']:.1f} of {card['gib']:.1f} GiB free; it computes"
    if card["free_gib"] < _USEFUL_GIB and not demo:
        remedy = "Close other programs that use the card; SVD-XT needs a card of 4 GB or more."
        return Check("GPU", Status.WARNING, seen, remedy)
    return Check("GPU", Status.OK, seen)


async def list_cards() -> list[tuple[str, tuple[int, int]]]:
    """Return the name and compute capability of each card that NVIDIA's driver knows; none where it is not there."""
    ended = await run_program("nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader", seconds=20)
    found = re.findall(r"^(.+), (\d+)\.(\d+)$", ended.output, re.MULTILINE) if ended.status == 0 else []
    return [(name, (int(major), int(minor))) for name, major, minor in found]


def no_card(facts: dict[str, Any], cards: list[tuple[str, tuple[int, int]]], *, needs_none: bool) -> Check:
    """Judge that torch sees no card; `cards` are those that NVIDIA's driver knows."""
    if needs_none:
        return Check("GPU", Status.OK, "none, and none is needed")
    if facts["mps"]:
        return Check("GPU", Status.WARNING, "Apple GPU", "It works, slowly; nothing was measured on Apple hardware.")
    if cards:
        name, capability = cards[0]
        seen = f"NVIDIA's driver knows {name}, torch {facts['version']} sees none"
        return Check("GPU", Status.PROBLEM, seen + _said(facts), remedy_for(capability))
    remedy = (
        'A clip of SVD-XT takes hours on a CPU. Set generator.variant = "demo" to try the bot without a GPU. With an '
        f"NVIDIA card, install its driver and a CUDA build of torch: {PYTORCH}"
    )
    return Check("GPU", Status.PROBLEM, f"torch sees none{_said(facts)}", remedy)


def _said(facts: dict[str, Any]) -> str:
    return f" ({facts['warning']})" if facts.get("warning") else ""


async def check_weights(config: Config) -> list[Check]:
    """See whether the configured variant's weights are here and whole, or can be fetched, and name their licence."""
    variant = config.all_variants()[config.generator.variant]
    name = f"Weights of {variant.name}"
    answer = await ask_module("generator.model.checkpoint.check", json.dumps(dataclasses.asdict(variant)))
    if isinstance(answer, str):
        remedy = "Run `python -m generator.model.checkpoint.check` with the variant for the whole error."
        return [Check(name, Status.PROBLEM, f"they cannot be checked: {answer}", remedy)]
    found = [Check(name, Status(answer["status"]), answer["seen"], answer["remedy"])]
    if not variant.is_local:
        licence = f"{variant.licence or 'see the model card'} {variant.licence_url}"
        found.append(Check("Licence of the weights", Status.OK, licence))
    return found


async def check_pictures(config: Config) -> list[Check]:
    """Let the picture child decode a small picture, as it does with what people send."""
    variant = config.all_variants()["demo"]
    with tempfile.TemporaryDirectory(prefix="vivant-doctor-") as name:
        source, target = Path(name) / "picture.png", Path(name) / "conditioning.png"
        source.write_bytes(small_png())
        async with PictureChild(children=1) as pictures:
            prepared = await pictures.prepare(source, target, variant, Shape.AUTO, Framing.CROP)
        if not target.is_file():
            raise OSError("it wrote no picture")
    return [Check("Pictures", Status.OK, f"decoded in a child, {prepared.width}x{prepared.height}")]


def small_png() -> bytes:
    """Return a PNG of 64 x 64 grey pixels. The bot imports no picture library."""
    rows = zlib.compress((b"\0" + bytes(range(64))) * 64)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
