"""The command line without a bot: `python -m generator PICTURE -o CLIP`, `plan`, and `--recipe CLIP`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import random
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from generator import protocol
from generator.backend.backend import ExecutorState, LocalBackend
from generator.clip import DEFAULT_STEPS, ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.errors import (
    BadFrames,
    DiskFull,
    EncodingFailed,
    ExecutorLost,
    GeneratorError,
    OutOfMemory,
    PictureError,
    PictureReason,
    SettingsError,
    WeightsUnavailable,
)
from generator.memory import BESIDE_TORCH_GIB, GIB, Pipeline, check_memory, plan_memory
from generator.picture.intake import PictureChild
from generator.picture.limits import PictureLimits
from generator.protocol import ExecutorConfig, Rendered, RenderRequest, check_device
from generator.variants import BUILT_IN, Variant
from generator.video.recipe import read_recipe

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

NO_LIMIT = 2**50


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


RecipeOption = Annotated[
    Path | None, typer.Option(callback=_show_recipe, is_eager=True, help="Print how a clip was made, and stop.")
]


@app.command()
def render(
    picture: Annotated[Path, typer.Argument(help="JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The clip; its suffix chooses the format.")] = None,
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
    max_mib: Annotated[float, typer.Option(help="The clip's size limit; 0: none.", min=0)] = 0,
    memory: Annotated[str, typer.Option(help='auto, full, model-offload, lean, minimal or a cap: "6GiB".')] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    pipeline: Annotated[Pipeline, typer.Option(help="Ours, or diffusers' own.")] = Pipeline.LEAN,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a progress bar.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the executor logs.")] = False,
    recipe: RecipeOption = None,
) -> None:
    """Animate one picture."""
    logging.basicConfig(level="INFO" if verbose else "CRITICAL", format="%(message)s")
    chosen = _variant(variant, model, size)
    _check(check_memory, memory)
    _check(check_device, device)
    clip = {"format": _format(format, out), "shape": shape, "framing": framing, "loop": loop, "smooth": smooth}
    rates = {
        "conditioning_fps": conditioning_fps,
        "playback_fps": playback_fps,
        "frames": chosen.frames if frames is None else frames,
    }
    motion = {"motion_bucket": motion_bucket, "noise_augmentation": noise_augmentation, "seed": _seed(seed)}
    settings = _settings(chosen, quality, steps, decode_chunk=decode_chunk, **clip, **rates, **motion)
    out = _clip_path(picture, out, settings.format)
    config = ExecutorConfig(variants={chosen.name: chosen}, device=device, pipeline=pipeline, memory=memory)
    with _bar(hidden=as_json) as bar:
        rendered = _run(_animate(picture, out, settings, int(max_mib * 1024 * 1024) or NO_LIMIT, config, bar))
    _report(rendered, settings, as_json=as_json)


@app.command()
def plan(
    vram_gib: Annotated[float, typer.Option(help="The card's memory.", min=1)],
    variant: Annotated[str, typer.Option(help=f"One of {', '.join(BUILT_IN)}.")] = "svd-xt",
    memory: Annotated[str, typer.Option(help="As for render.")] = "auto",
    pipeline: Annotated[Pipeline, typer.Option(help="As for render.")] = Pipeline.LEAN,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Say how a card of some size would render a variant's full clip, and its predicted peak."""
    chosen = _variant(variant, None, None)
    _check(check_memory, memory)
    free_bytes = int((vram_gib - BESIDE_TORCH_GIB) * GIB)
    try:
        found = plan_memory(
            free_bytes, chosen, *chosen.landscape, chosen.frames, memory, stock=pipeline is Pipeline.STOCK
        )
    except OutOfMemory as error:
        _stop(f"A clip of {variant} {error.text}.")
    facts = {"variant": variant, "vram_gib": vram_gib, **dataclasses.asdict(found)}
    facts["peak_gib"] = round(found.peak_bytes / GIB, 2)
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    table = Table("what", "value", title=f"{variant} on a card of {vram_gib:g} GiB")
    for key, value in facts.items():
        table.add_row(key, str(value))
    console.print(table)


async def _animate(
    picture: Path, out: Path, settings: ClipSettings, max_bytes: int, config: ExecutorConfig, bar: Progress
) -> Rendered:
    """Prepare the picture and render it, both in children, as the bot does."""
    task = bar.add_task("picture", total=None)
    variant = config.variants[settings.variant]
    with tempfile.TemporaryDirectory(prefix="vivant-") as folder:
        conditioning = Path(folder) / "conditioning.png"
        async with PictureChild(PictureLimits(), children=1) as pictures:
            prepared = await pictures.prepare(picture, conditioning, variant, settings.shape, settings.framing)
        request = RenderRequest(
            job=1,
            attempt=1,
            picture_path=conditioning,
            clip_path=out.absolute(),
            settings=dataclasses.replace(settings, shape=prepared.shape),
            max_bytes=max_bytes,
        )

        def show(item: protocol.Progress) -> None:
            bar.update(task, description=str(item.phase), completed=item.step, total=item.of or None)

        def show_start(state: ExecutorState, facts: dict[str, Any]) -> None:
            if state is ExecutorState.LOADING:
                bar.update(task, description="load", completed=facts.get("step", 0), total=facts.get("of") or None)

        backend = LocalBackend(config, slots=1, on_state=show_start)
        await backend.start()
        try:
            rendered = await backend.render(request, show)
        finally:
            await backend.close()
    return dataclasses.replace(rendered, notes=prepared.notes + rendered.notes)


def _run(work: Coroutine[Any, Any, Rendered]) -> Rendered:
    try:
        return asyncio.run(work)
    except GeneratorError as error:
        _stop(sentence(error))
    except OSError as error:
        _stop(f"{error}.")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def sentence(error: GeneratorError) -> str:
    """Say what happened and what to do, for a person at a terminal."""
    data = error.data
    match error:
        case PictureError():
            return _PICTURE.get(error.reason, "This picture cannot be used: {text}.").format(text=error.text, **data)
        case WeightsUnavailable() if data.get("why") == "device":
            return error.text
        case WeightsUnavailable():
            return f"The weights cannot be loaded. {data.get('remedy', error.text)}"
        case OutOfMemory():
            return f"This clip does not fit into memory: {error.text}. Try fewer --frames or a smaller --size."
        case BadFrames():
            return f"The model gave {data.get('kind')} frames, also on a second try. Try another --seed or picture."
        case EncodingFailed() if data.get("why") == "ffmpeg-missing":
            return "There is no ffmpeg: pip install imageio-ffmpeg."
        case EncodingFailed():
            return f"The clip could not be written: {error.text}. Try another --format or a larger --max-mib."
        case DiskFull():
            return "The disk is full. Make room and try again."
        case ExecutorLost():
            return f"The rendering process is gone: {error.text}. --verbose shows what it said last."
        case SettingsError():
            return f"{error.text[:1].upper()}{error.text[1:]}."
    return f"The render failed: {error.text}. --verbose shows more."


_PICTURE = {
    PictureReason.NOT_A_PICTURE: "This file is not a picture. Try a JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC.",
    PictureReason.UNSUPPORTED_FORMAT: "This format is not supported. Try a JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC.",
    PictureReason.CORRUPT: "This picture is damaged: {text}. Save it again in another program.",
    PictureReason.EMPTY: "This file is empty.",
}


def _variant(name: str, model: Path | None, size: str | None) -> Variant:
    if model is not None:
        variant = _local_variant(model)
    elif name in BUILT_IN:
        variant = BUILT_IN[name]
    else:
        raise typer.BadParameter(f"there is no variant {name}; there are {', '.join(BUILT_IN)}, or --model FOLDER")
    if size is None:
        return variant
    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) % 64 == int(height) % 64 == 0 < int(width)):
        raise typer.BadParameter("--size is WIDTHxHEIGHT, both multiples of 64")
    wanted = (int(width), int(height))
    return dataclasses.replace(variant, landscape=wanted, portrait=wanted, square=wanted)


def _local_variant(folder: Path) -> Variant:
    """Describe a checkpoint folder by what its own configuration says."""
    try:
        unet = json.loads((folder / "unet" / "config.json").read_text())
    except (OSError, ValueError):
        raise typer.BadParameter(f"{folder} holds no Stable Video Diffusion checkpoint in diffusers' layout") from None
    return Variant(name=folder.name, source=str(folder.absolute()), frames=int(unet.get("num_frames", 25)))


def _settings(variant: Variant, quality: Quality | None, steps: int | None, **values: Any) -> ClipSettings:
    quality = quality or variant.quality or Quality.QUALITY
    values |= {"variant": variant.name, "quality": quality, "steps": DEFAULT_STEPS[quality] if steps is None else steps}
    if variant.max_guidance:
        values["max_guidance"] = variant.max_guidance
    try:
        return ClipSettings(**values)
    except SettingsError as error:
        raise typer.BadParameter(error.text) from error


def _check(check: Callable[[str], None], value: str) -> None:
    try:
        check(value)
    except SettingsError as error:
        raise typer.BadParameter(error.text) from error


def _seed(wanted: int | None) -> int:
    return random.randrange(2**32) if wanted is None else wanted


def _clip_path(picture: Path, out: Path | None, format: Format) -> Path:
    if picture.is_dir():
        _stop(f"{picture} is a folder: name one picture in it.")
    if not picture.is_file():
        _stop(f"There is no file {picture}.")
    path = out or Path(f"{picture.stem}.{format}")
    if not path.parent.is_dir():
        _stop(f"There is no folder {path.parent} to write the clip to.")
    return path


def _format(wanted: Format | None, out: Path | None) -> Format:
    suffix = out.suffix.lower().removeprefix(".") if out and out.suffix else wanted or Format.MP4
    if suffix not in list(Format):
        raise typer.BadParameter(f"a clip is mp4, gif or webp, not {suffix!r}")
    if wanted and wanted != suffix:
        raise typer.BadParameter(f"--format {wanted} and a file that ends in .{suffix} contradict each other")
    return Format(suffix)


def _bar(*, hidden: bool) -> Progress:
    columns = (TextColumn("{task.description:8s}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors, transient=True, disable=hidden)


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
    app(args=arguments, prog_name="python -m generator")


if __name__ == "__main__":
    main()
