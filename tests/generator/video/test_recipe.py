"""The recipe travels in the clip, says that a model made it, and reading it trusts nobody."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from generator.clip import ClipSettings, Format
from generator.variants import BUILT_IN, Variant
from generator.video.clip_file import ClipFormat
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import find_ffmpeg
from generator.video.recipe import AI_GENERATED, make_recipe, read_recipe, read_settings, used_fast_math, write_recipe
from tests.support.inspect_clip import boxes, inspect_clip
from tests.support.scenes import pan

RECIPE = make_recipe(ClipSettings(seed=42, motion_bucket=90), BUILT_IN["svd-xt"], memory="full")


@pytest.fixture(scope="module", params=list(Format), ids=str)
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with an empty recipe."""
    path = tmp_path_factory.mktemp("clips") / f"c.{request.param}"
    with ClipWriter(
        path, ClipFormat(format=request.param, width=64, height=48, playback_fps=7, max_bytes=2**20)
    ) as writer:
        for frame in pan(4, 64, 48):
            writer.add(frame)
        writer.finish()
    return path


def with_recipe(bare: Path, target: Path, recipe: dict[str, object]) -> Path:
    target.write_bytes(bare.read_bytes().replace(b"vivant:recipe", b"vivant:nothin"))
    write_recipe(target, Format(bare.suffix[1:]), recipe)
    return target


def test_every_setting_the_model_and_the_program_come_back(bare: Path, tmp_path: Path) -> None:
    found = read_recipe(with_recipe(bare, tmp_path / bare.name, RECIPE))
    assert found is not None
    assert ClipSettings.from_json(found["settings"]) == ClipSettings(seed=42, motion_bucket=90)
    assert found["model"] == {
        "variant": "svd-xt",
        "revision": BUILT_IN["svd-xt"].revision,
        "source": BUILT_IN["svd-xt"].source,
    }
    assert found["program"].startswith("Vivant ")
    assert found["memory"] == "full"


def test_the_mark_of_generated_media_is_one_that_others_read(bare: Path) -> None:
    found = read_recipe(bare)
    assert found is not None
    assert found["ai_generated"] is True
    assert found["digital_source_type"] == AI_GENERATED
    assert b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org' in bare.read_bytes()
    if bare.suffix != ".webp":
        assert b"AI-generated with Vivant" in bare.read_bytes(), "for people who look without an XMP reader"
    else:
        with Image.open(bare) as image:  # Pillow finds the packet by itself, as any XMP reader would
            assert AI_GENERATED.encode() in image.info["xmp"]


def test_the_packet_does_not_harm_the_clip(bare: Path, tmp_path: Path) -> None:
    assert inspect_clip(with_recipe(bare, tmp_path / bare.name, RECIPE)).frames == 4
    if bare.suffix == ".mp4":
        order = boxes(bare)
        assert order.index("moov") < order.index("mdat") < order.index("uuid")


@settings(max_examples=60, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_value_comes_back_as_it_was(bare: Path, tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    """Quotes, angle brackets, newlines, other scripts and lone surrogates included."""
    target = tmp_path_factory.getbasetemp() / f"any{bare.suffix}"
    found = read_recipe(with_recipe(bare, target, {"value": value}))
    assert found is not None
    assert found["value"] == json.loads(json.dumps(value))


def test_a_model_in_a_local_folder_is_named_without_its_path(tmp_path: Path) -> None:
    own = Variant(name="mine", source=str(tmp_path), frames=5)
    assert str(tmp_path) not in json.dumps(make_recipe(ClipSettings(), own))


def test_a_file_without_a_recipe_gives_none(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "p.gif")
    (tmp_path / "t.mp4").write_text("not a clip")
    (tmp_path / "e.webp").touch()
    for name in ("p.gif", "t.mp4", "e.webp", "missing.mp4"):
        assert read_recipe(tmp_path / name) is None


def test_a_clip_of_another_program_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "c.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=d=0.2:s=32x32"]
    subprocess.run([find_ffmpeg(), "-v", "error", *source, "-metadata", "comment=hello", str(path)], check=True)
    assert read_recipe(path) is None


def test_damaged_clips_give_a_recipe_or_none_but_never_an_error(bare: Path, tmp_path: Path) -> None:
    whole = with_recipe(bare, tmp_path / bare.name, RECIPE).read_bytes()
    rng = random.Random(7)
    path = tmp_path / f"damaged{bare.suffix}"
    for _ in range(300):
        data = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(rng.randrange(1, 20)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        found = read_recipe(path)
        assert found is None or isinstance(found, dict)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("variant", value) for value in ("a\nb", "x" * 200, 7, None, ["svd"], "\u202eb")),
        *(("seed", value) for value in ("1", True, 1.5, None, [1], 10**30, float("nan"))),
        *(("smooth", value) for value in ("```", 1, None)),
        *(("min_guidance", value) for value in ("2", True, None)),
        *(("decode_chunk", value) for value in ("2", True, 2.0)),
        *(("format", value) for value in ("exe", 1, None, ["mp4"])),
    ],
    ids=repr,
)
def test_a_setting_that_we_would_not_have_written_makes_it_no_recipe_of_ours(
    bare: Path, tmp_path: Path, name: str, value: object
) -> None:
    wire = ClipSettings(seed=5).to_json()
    path = with_recipe(bare, tmp_path / bare.name, {"settings": {**wire, "of a newer version": "```"}})
    assert read_settings(path) == ClipSettings(seed=5)
    assert read_settings(with_recipe(bare, path, {"settings": {**wire, name: value}})) is None


@pytest.mark.parametrize(
    ("said", "used"),
    [({"fast_math": True}, True), ({}, False), ({"fast_math": "```"}, False), ({"fast_math": 1}, False)],
)
def test_a_clip_says_whether_it_was_computed_approximately(
    bare: Path, tmp_path: Path, said: dict[str, object], used: bool
) -> None:
    assert used_fast_math(with_recipe(bare, tmp_path / bare.name, said)) is used
    assert not used_fast_math(tmp_path / "missing.mp4")


@pytest.mark.parametrize("settings", [None, [], "text", 7, [["seed", 1]]], ids=repr)
def test_settings_that_are_no_object_are_none_of_ours(bare: Path, tmp_path: Path, settings: object) -> None:
    assert read_settings(with_recipe(bare, tmp_path / bare.name, {"settings": settings})) is None


@pytest.mark.parametrize(
    ("head", "box"),
    [
        (b"\0\0\0\x14ftypisom\0\0\0\0isom", b"\0\0\0\x08free"),
        (b"RIFF\0\0\0\0WEBP", b"EXIF\0\0\0\0"),
    ],
    ids=["mp4", "webp"],
)
def test_a_file_of_millions_of_boxes_is_given_up_at_once(tmp_path: Path, head: bytes, box: bytes) -> None:
    """With its negative control: as many boxes as a long clip has do not hide a recipe."""
    path, format = tmp_path / "c", Format.MP4 if b"ftyp" in head else Format.WEBP
    path.write_bytes(head + box * 3_000_000)
    began = time.process_time()
    assert read_recipe(path) is None
    assert time.process_time() - began < 0.5
    path.write_bytes(head + box * 3_000)
    write_recipe(path, format, RECIPE)
    assert read_recipe(path) is not None
