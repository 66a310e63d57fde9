"""What crosses the executor's pipe: one JSON object a line, with paths and never with pictures. Knows no torch.

To the child (stdin):   {"type": "configure", "protocol": 1, "parent": pid, ...ExecutorConfig}   first line
                        {"type": "render", ...RenderRequest}
                        {"type": "cancel", "job": 17, "attempt": 1}
                        {"type": "preload", "variant": "svd"}
                        end of file: stop at once
From the child (stdout): {"type": "hello", "protocol": 1}                         first line
                        {"type": "loading", "variant": "svd", "step": 1, "of": 4}
                        {"type": "ready", "facts": {...}}                        loaded; what `describe` returns
                        {"type": "broken", "error": {...}}                       the variant cannot be loaded
                        {"type": "progress" | "rendered" | "failed" | "cancelled", "job": 17, "attempt": 1, ...}
                        {"type": "fatal", "text": "..."}                         then it exits 70

Unknown keys and unknown types are ignored by both sides, so either may be a little newer.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from generator.clip import ClipSettings
from generator.errors import RenderError, SettingsError
from generator.variants import Variant

PROTOCOL_VERSION = 1


class Phase(StrEnum):
    """The part of a render that is going on."""

    LOAD = "load"
    """weights from disk (or the hub) to memory"""
    PREPARE = "prepare"
    """picture to tensors, image encoder, VAE encode"""
    DENOISE = "denoise"
    DECODE = "decode"
    ENCODE = "encode"
    """what the encoder does after the last frame: loops, the size ladder"""


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` of `of` in a phase; `of` is 0 where it is not known."""

    phase: Phase
    step: int = 0
    of: int = 0
    preview: str = ""
    """a small PNG of what the clip will be about, in base64; empty: none with this step"""


TakeLatents = Callable[[], Any]
"""returns a numpy array; numpy itself is not imported in the bot process"""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a render calls while it runs: `progress` after each step, `check` before it, which may raise Cancelled.

    `preview` is asked after a denoising step. It gets a function that returns one frame of the clean latents, height x
    width x channels in single precision, and calls it only when it is time for another `Progress.preview`.
    """

    progress: Callable[[Progress], None]
    check: Callable[[], None]
    preview: Callable[[TakeLatents], str] = lambda take: ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something the person should know about their clip: `kind` names the sentence, `data` holds its facts.

    The sentences are in `bot/texts/notes.py`, by kind.
    Kinds: `memory` (rung), `rerun` (why, how), `shrunk` (width, height, from_width, from_height, why),
    `frame-rate` (fps, from_fps, and why=gif where the format is the reason), `loop-score` (score),
    `small-picture` (width, height), `first-picture` (of), `first-frame`, `flattened`, `hdr`, `fast-math`,
    `drift` (kept, of), `one-quality` (steps).
    """

    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorConfig:
    """How the child shall work. It is sent once, before anything else."""

    variants: dict[str, Variant]
    device: str = "auto"
    """auto, cpu, mps, cuda or cuda:N"""
    pipeline: str = "lean"
    """lean or stock"""
    memory: str = "auto"
    """auto, full, model-offload, lean, minimal, or a cap such as "6GiB" """
    previews: bool = False
    """send a small picture with some of the denoising steps, of variants whose latents' colours are known"""
    fast_math: bool = False
    """let products be added up in half precision, where the device can: approximate"""
    preload: str | None = None
    """the variant to load before the first request"""
    state_folder: Path | None = None
    """the folder that keeps what did not fit into the GPU's memory, and the built kernels"""
    threads: int = 0
    """CPU threads for torch; 0: as many as it needs, see `generator.process.share`"""
    executors: int = 1
    """how many executors share this machine's cores and memory"""


def check_device(device: str) -> None:
    """Check a value for `ExecutorConfig.device`. Raises SettingsError when it is none of those named there."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise SettingsError(f"device must be auto, cpu, mps, cuda or cuda:N, not {device!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """One clip to render. `picture_path` is a conditioning image made by `generator.picture.image`."""

    job: int
    attempt: int
    picture_path: Path
    clip_path: Path
    """where the complete clip shall appear: written aside, fsynced, renamed"""
    settings: ClipSettings
    max_bytes: int
    """the channel's upload limit in bytes; the clip at `clip_path` never exceeds it"""
    master_path: Path | None = None
    """where the full-quality clip is kept when `clip_path` had to be shrunk; None: not kept"""
    frames_path: Path | None = None
    """where the rendered frames are kept as an MP4 when the clip does not hold them as they are; None: not kept"""


def before_path(picture: Path) -> Path:
    """Return where the frames lie that a clip of this conditioning image continues."""
    return picture.with_name(f"{picture.stem}-before.mp4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished clip: it lies complete at `clip_path`."""

    clip_path: Path
    bytes: int
    width: int
    height: int
    frames: int
    playback_fps: float
    seconds: float
    """wall-clock seconds this render held the GPU"""
    plan: str = ""
    """the rung of the memory plan that it was rendered with"""
    phase_seconds: dict[str, float] = field(default_factory=dict)
    master_path: Path | None = None
    """the full-quality clip, where one was kept"""
    frames_path: Path | None = None
    """the rendered frames, where they were kept"""
    notes: tuple[Note, ...] = ()
    motion: float | None = None
    """how far the liveliest parts of the picture moved, in percent of its shorter side, see `MotionMeter`; None: not
    measured, as by an executor of an earlier version"""


def to_line(kind: str, payload: object = None, **extra: Any) -> bytes:
    """Return one JSON line, with its newline, of a dataclass and extra keys."""
    body: dict[str, Any] = {"type": kind}
    if payload is not None:
        body |= dataclasses.asdict(payload)  # type: ignore[call-overload]
    text = json.dumps(body | extra, default=str, ensure_ascii=False, separators=(",", ":"))
    # A file's name that is no UTF-8 has surrogates in Python; json.loads reads them as they are written here.
    return text.encode(errors="surrogatepass") + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """Read one line. Raises ValueError on anything that is not a JSON object with a `type`."""
    body = json.loads(line)
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise ValueError("not a protocol line")
    return body


def _fields(cls: type, wire: dict[str, Any]) -> dict[str, Any]:
    known = {item.name for item in dataclasses.fields(cls)}
    return {key: value for key, value in wire.items() if key in known}


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)


def config_from_wire(wire: dict[str, Any]) -> ExecutorConfig:
    """Rebuild the configuration from a `configure` line."""
    values = _fields(ExecutorConfig, wire)
    values["variants"] = {name: Variant.from_json(item) for name, item in values["variants"].items()}
    values["state_folder"] = _path(values.get("state_folder"))
    return ExecutorConfig(**values)


def request_from_wire(wire: dict[str, Any]) -> RenderRequest:
    """Rebuild the request from a `render` line."""
    values = _fields(RenderRequest, wire)
    values["picture_path"] = Path(values["picture_path"])
    values["clip_path"] = Path(values["clip_path"])
    for name in ("master_path", "frames_path"):
        values[name] = _path(values.get(name))
    values["settings"] = ClipSettings.from_json(values["settings"])
    return RenderRequest(**values)


def answer_from_wire(wire: dict[str, Any]) -> Progress | Rendered | RenderError | None:
    """Rebuild what an event says about its request; None is a `cancelled` one. Raises ValueError on another kind."""
    match wire["type"]:
        case "progress":
            return _progress(wire)
        case "rendered":
            return _rendered(wire)
        case "failed":
            return RenderError.from_wire(wire["error"])
        case "cancelled":
            return None
        case kind:
            raise ValueError(f"{kind} is about no request")


def _rendered(wire: dict[str, Any]) -> Rendered:
    values = _fields(Rendered, wire)
    values["clip_path"] = Path(values["clip_path"])
    for name in ("master_path", "frames_path"):
        values[name] = _path(values.get(name))
    values["notes"] = tuple(Note(**_fields(Note, note)) for note in values.get("notes", ()))
    return Rendered(**values)


def _progress(wire: dict[str, Any]) -> Progress:
    return Progress(
        phase=Phase(wire["phase"]),
        step=int(wire.get("step", 0)),
        of=int(wire.get("of", 0)),
        preview=str(wire.get("preview", "")),
    )
