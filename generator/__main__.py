"""The command line without a bot: `python -m generator PICTURE -o CLIP`, `plan`, and `--recipe CLIP`.

It reads the options and shows results; `generator.backend.one_clip` makes the clip.
Tested in tests/generator/test_main.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from generator import protocol
from generator.backend.destination import choose_destination
from generator.backend.one_clip import ClipJob, make_clip
from generator.backend.speed import RATES, clip_tflop, estimate_clip, rate_from_product, rate_of
from generator.clip import ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.errors import GeneratorError, OutOfMemory, SettingsError, did_you_mean, terminal_sentence
from generator.memory import BESIDE_TORCH_GIB, GIB, MIB, ClipSize, PipelineKind, check_memory, plan_memory, require_room
from generator.process.terminal import show_letters_that_a_terminal_lacks
from generator.protocol import ExecutorConfig, Rendered, check_device
from generator.variants import BUILT_IN, Variant, variant_of_folder
from generator.video.recipe import read_recipe

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

NO_LIMIT = 2**50
"""bytes: more than any clip has"""
MOST = 1_000_000
"""MiB of a clip, GiB of a card: a million is none, and typer lets "inf" and "nan" pass where there is no maximum"""

_SIDES = range(64, 4097, 64)
"""pixels along a side of a clip"""

_LESS_MEMORY = "Fewer --frames or a smaller --size need less, and --variant demo runs without a GPU."

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="`python -m generator PICTURE -o CLIP` animates one picture; `render --help` lists its options.",
)


def _show_recipe(path: Path | None) -> None:
    if path is None:
        return
    if not path.is_file():
        _stop(f"There is no file {path}.")
    recipe = read_recipe(path)
    if recipe is None:
        _stop(f"{path} carries no recipe: it was not made by this program, or its metadata was taken away.")
    sys.stdout.write(json.dumps(recipe, indent=2) + "\n")
    raise typer.Exit


def _clip_name(text: str) -> Path:
    if text.endswith("/"):
        raise typer.BadParameter(f"{text} is a folder: name the clip in it, such as {text}clip.mp4")
    return Path(text).expanduser() if text.startswith("~/") else Path(text)


RecipeOption = Annotated[
    Path | None, typer.Option(callback=_show_recipe, is_eager=True, help="Print how a clip was made, and stop.")
]


@app.callback()
def every(recipe: RecipeOption = None) -> None:
    """Carry the option that needs no command, so that the help lists it."""


@app.command()
def render(
    picture: Annotated[Path, typer.Argument(help="JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", parser=_clip_name, metavar="FILE", help="The clip; its suffix chooses the format."),
    ] = None,
    variant: Annotated[str, typer.Option(help=f"One of {', '.join(BUILT_IN)}.")] = "svd-xt",
    model: Annotated[Path | None, typer.Option(help="A folder with a checkpoint, instead of a variant.")] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT, instead of the variant's own.")] = None,
    motion_bucket: Annotated[int, typer.Option(help="0-255: how much moves.")] = 127,
    noise_augmentation: Annotated[float, typer.Option(help="0-1: how far the clip may leave the picture.")] = 0.02,
    conditioning_fps: Annotated[int, typer.Option(help="5-30: the frame rate that the model is told.")] = 7,
    playback_fps: Annotated[int, typer.Option(help="1-60: the frame rate that is written.")] = 7,
    quality: Annotated[Quality | None, typer.Option(help="By default the variant's own, else quality.")] = None,
    steps: Annotated[int | None, typer.Option(help="1-100; by default what the quality asks for.")] = None,
    decode_chunk: Annotated[int | None, typer.Option(help="Frames decoded together; by default all, exactly.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same clip; random by default.")] = None,
    frames: Annotated[int | None, typer.Option(help="2-50; by default what the variant was trained on.")] = None,
    format: Annotated[Format | None, typer.Option(help="By default the suffix of --out, else mp4.")] = None,
    shape: Annotated[Shape, typer.Option(help="auto follows the picture.")] = Shape.AUTO,
    framing: Annotated[Framing, typer.Option(help="What happens to what does not fit the shape.")] = Framing.CROP,
    loop: Annotated[Loop, typer.Option(help="How the end meets the beginning.")] = Loop.NONE,
    smooth: Annotated[bool, typer.Option("--smooth", help="Interpolate to 24 frames a second.")] = False,
    max_mib: Annotated[float, typer.Option(help="The clip's size limit; 0: none.", min=0, max=MOST)] = 0,
    memory: Annotated[str, typer.Option(help='auto, full, model-offload, lean, minimal or a cap: "6GiB".')] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    pipeline: Annotated[PipelineKind, typer.Option(help="Ours, or diffusers' own.")] = PipelineKind.LEAN,
    fast_math: Annotated[bool, typer.Option("--fast-math", help="Approximate, and faster on consumer cards.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a progress bar.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the executor logs.")] = False,
    recipe: RecipeOption = None,
) -> None:
    """Animate one picture."""
    logging.basicConfig(level="INFO" if verbose else "CRITICAL", format="%(message)s")
    chosen = _variant(variant, model, size)
    with _shown_as_usage():
        check_memory(memory)
        check_device(device)
    clip = {"format": _format(format, out), "shape": shape, "framing": framing, "loop": loop, "smooth": smooth}
    rates = {"conditioning_fps": conditioning_fps, "playback_fps": playback_fps, "frames": frames}
    motion = {"motion_bucket": motion_bucket, "noise_augmentation": noise_augmentation, "seed": seed}
    settings = _settings(chosen, quality, steps=steps, decode_chunk=decode_chunk, **clip, **rates, **motion)
    job = ClipJob(
        picture=picture,
        out=_clip_path(picture, out, settings.format),
        settings=settings,
        max_bytes=int(max_mib * MIB) or NO_LIMIT,
        config=ExecutorConfig(
            variants={chosen.name: chosen}, device=device, pipeline=pipeline, memory=memory, fast_math=fast_math
        ),
    )
    _check_cap(chosen, settings, job.config)
    _report(_run(job, hidden=as_json), settings, as_json=as_json)


@app.command()
def plan(
    vram_gib: Annotated[float, typer.Option(help="The card's memory.", min=1, max=MOST)],
    variant: Annotated[str, typer.Option(help=f"One of {', '.join(BUILT_IN)}.")] = "svd-xt",
    memory: Annotated[str, typer.Option(help="As for render.")] = "auto",
    pipeline: Annotated[PipelineKind, typer.Option(help="As for render.")] = PipelineKind.LEAN,
    card: Annotated[
        str | None, typer.Option(help='Its name, such as "RTX 4090", or "here": estimates the time.')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Say how a card of some size would render a variant's full clip, its predicted peak, and about how long."""
    chosen = _variant(variant, None, None)
    with _shown_as_usage():
        check_memory(memory)
    free, clip = int((vram_gib - BESIDE_TORCH_GIB) * GIB), ClipSize(*chosen.landscape, chosen.frames)
    try:
        found = plan_memory(free, chosen, clip, memory, pipeline=pipeline)
        if not chosen.is_demo:
            require_room(found, free)
    except OutOfMemory as error:
        _stop(f"A clip of {variant} {error.text}. It takes a card of 4 GiB or more. {_LESS_MEMORY}")
    facts = {"variant": variant, "vram_gib": vram_gib, **dataclasses.asdict(found)}
    facts["peak_gib"] = round(found.peak_bytes / GIB, 2)
    facts |= _estimated_seconds(chosen, card) if card is not None else {}
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        _show_plan(facts)


def _estimated_seconds(variant: Variant, card: str) -> dict[str, Any]:
    """Return about how long a clip of the variant takes on a card. Leaves with a usage error on an unknown one."""
    card, rate = _card_here() if card == "here" else (card, rate_of(card))
    if rate is None:
        raise typer.BadParameter(
            f"the rate of {card!r} is not known, only those of: {', '.join(RATES)}. "
            "`python -m bot doctor --bench` measures the card that is in this machine."
        )
    settings = _settings(variant, None)
    found = estimate_clip(rate, clip_tflop(settings, variant.landscape))
    return {"card": card, "estimated_seconds": f"{found.low_s:.0f} to {found.high_s:.0f}, not measured"}


def _card_here() -> tuple[str, float]:
    """Return the name and the rate of this machine's first GPU, measured where no data sheet is known."""
    done = subprocess.run([sys.executable, "-m", "generator.model.gpu_trial"], capture_output=True, text=True)
    cards = json.loads(done.stdout)["cards"] if done.returncode == 0 else []
    if not cards or "error" in cards[0]:
        _stop("torch sees no GPU here that computes: name a card instead, or run `python -m bot doctor`.")
    name = str(cards[0]["name"])
    return name, rate_of(name) or rate_from_product(cards[0]["tflops"])


def _show_plan(facts: dict[str, Any]) -> None:
    table = Table("what", "value", title=f"{facts['variant']} on a card of {facts['vram_gib']:g} GiB")
    for key, value in facts.items():
        table.add_row(key, str(value))
    console.print(table)


def _run(job: ClipJob, *, hidden: bool) -> Rendered:
    """Make the clip behind a progress bar. What goes wrong becomes a sentence and an exit status."""
    columns = (TextColumn("{task.description:8s}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=hidden) as bar:
        task = bar.add_task("picture", total=None)

        def show(item: protocol.Progress) -> None:
            bar.update(task, description=str(item.phase), completed=item.step, total=item.of or None)

        try:
            return asyncio.run(make_clip(job, show))
        except GeneratorError as error:
            _stop(terminal_sentence(error))
        except OSError as error:
            _stop(f"{error}.")
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def _variant(name: str, model: Path | None, size: str | None) -> Variant:
    if model is not None:
        with _shown_as_usage():
            variant = variant_of_folder(model.expanduser() if str(model).startswith("~/") else model)
    elif name in BUILT_IN:
        variant = BUILT_IN[name]
    else:
        known = f"there are {', '.join(BUILT_IN)}, or --model FOLDER"
        raise typer.BadParameter(f"there is no variant {name}; {known}.{did_you_mean(name, BUILT_IN)}")
    if size is None:
        return variant
    numbers = [int(part) if part.isdecimal() else 0 for part in size.split("x")]
    if len(numbers) != 2 or any(number not in _SIDES for number in numbers):
        raise typer.BadParameter(f"--size is WIDTHxHEIGHT, both multiples of 64 from 64 to {_SIDES[-1]}")
    wanted = (numbers[0], numbers[1])
    return dataclasses.replace(variant, landscape=wanted, portrait=wanted, square=wanted)


def _settings(variant: Variant, quality: Quality | None, **chosen: Any) -> ClipSettings:
    """Fill in what was not chosen. Leaves with a usage error on a value out of bounds."""
    quality = quality or variant.quality or Quality.QUALITY
    usual = {"frames": variant.frames, "steps": variant.usual_steps(quality), "seed": random.randrange(2**32)}
    values: dict[str, Any] = usual | {name: value for name, value in chosen.items() if value is not None}
    values |= {"variant": variant.name, "quality": quality}
    if variant.max_guidance:
        values["max_guidance"] = variant.max_guidance
    with _shown_as_usage():
        settings = ClipSettings(**values)
        variant.check_steps(settings.steps)
    return settings


@contextlib.contextmanager
def _shown_as_usage() -> Iterator[None]:
    """Show a SettingsError as typer shows a mistake in the command."""
    try:
        yield
    except SettingsError as error:
        raise typer.BadParameter(error.text) from error


def _clip_path(picture: Path, out: Path | None, format: Format) -> Path:
    if picture.is_dir():
        _stop(f"{picture} is a folder: name one picture in it.")
    if not picture.is_file():
        _stop(f"There is no file {picture}.")
    try:
        return choose_destination(picture, out, format)
    except SettingsError as error:
        _stop(f"{error.text}.")


def _check_cap(variant: Variant, settings: ClipSettings, config: ExecutorConfig) -> None:
    """Leave before the weights are loaded when the memory that the person allows is too little for the clip."""
    clip, kind = ClipSize(*variant.landscape, settings.frames), PipelineKind(config.pipeline)
    try:
        plan_memory(None, variant, clip, config.memory, pipeline=kind)
    except OutOfMemory as error:
        _stop(f"With --memory {config.memory} there is no clip: it {error.text}. {_LESS_MEMORY}")


def _format(wanted: Format | None, out: Path | None) -> Format:
    suffix = out.suffix.lower().removeprefix(".") if out and out.suffix else wanted or Format.MP4
    if suffix not in list(Format):
        raise typer.BadParameter(f"a clip is mp4, gif or webp, not {suffix!r}")
    if wanted and wanted != suffix:
        raise typer.BadParameter(f"--format {wanted} and a file that ends in .{suffix} contradict each other")
    return Format(suffix)


def _report(rendered: Rendered, settings: ClipSettings, *, as_json: bool) -> None:
    if as_json:
        facts = dataclasses.asdict(rendered) | {"settings": settings.to_json()}
        sys.stdout.write(json.dumps(facts, default=str) + "\n")
        return
    size = f"{rendered.width}x{rendered.height}, {rendered.frames} frames, {rendered.bytes / 1024:.0f} KiB"
    told = f"{rendered.clip_path}  ({size}, seed {settings.seed}, {rendered.seconds:.1f} s)"
    console.print(told, soft_wrap=True, markup=False)
    for note in rendered.notes:
        console.print(f"  {note.kind}: {', '.join(f'{key} {value}' for key, value in note.data.items())}", markup=False)


def _stop(text: str) -> NoReturn:
    errors.print(text, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(1)


def main() -> None:
    """Run the command line; anything that is no command is the picture of `render`."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] not in ("render", "plan", "--help"):
        arguments = ["render", *arguments]
    show_letters_that_a_terminal_lacks()
    app(args=arguments, prog_name="python -m generator")


if __name__ == "__main__":
    main()
