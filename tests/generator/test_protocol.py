"""The lines on the executor's pipe."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.clip import BOUNDS, ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.errors import OutOfMemory, SettingsError
from generator.protocol import (
    ExecutorConfig,
    Note,
    Phase,
    Progress,
    Rendered,
    RenderRequest,
    answer_from_wire,
    check_device,
    config_from_wire,
    from_line,
    request_from_wire,
    to_line,
)
from generator.variants import BUILT_IN

SETTINGS = st.builds(
    ClipSettings,
    variant=st.text(max_size=20),
    frames=st.integers(2, 50),
    motion_bucket=st.integers(0, 255),
    noise_augmentation=st.floats(0, 1),
    seed=st.integers(0, int(BOUNDS["seed"][1])),
    decode_chunk=st.none() | st.integers(1, 50),
    format=st.sampled_from(Format),
    quality=st.sampled_from(Quality),
    shape=st.sampled_from(Shape),
    framing=st.sampled_from(Framing),
    loop=st.sampled_from(Loop),
    smooth=st.booleans(),
)


@given(settings=SETTINGS, name=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1))
def test_a_request_survives_the_pipe_whatever_its_settings_and_paths(settings: ClipSettings, name: str) -> None:
    request = RenderRequest(
        job=17,
        attempt=2,
        picture_path=Path("/spool") / name,
        clip_path=Path("/spool/17-2.mp4"),
        master_path=Path("/spool/17-2.master.mp4"),
        settings=settings,
        max_bytes=10_000_000,
    )
    assert request_from_wire(from_line(to_line("render", request))) == request


def test_a_path_that_is_no_utf8_survives_the_pipe() -> None:
    name = os.fsdecode(b"/spool/caf\xe9.png")
    assert from_line(to_line("prepare", source=Path(name)))["source"] == name


def test_a_line_is_one_line_even_when_the_text_has_line_breaks() -> None:
    line = to_line("fatal", text="first\nsecond\r\x85\u2028third")
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert from_line(line)["text"] == "first\nsecond\r\x85\u2028third"


def test_a_configuration_survives_the_pipe() -> None:
    config = ExecutorConfig(variants=BUILT_IN, device="cuda:1", memory="6GiB", state_folder=Path("/state"), threads=3)
    assert config_from_wire(from_line(to_line("configure", config))) == config


def test_a_finished_clip_survives_the_pipe() -> None:
    rendered = Rendered(
        clip_path=Path("/spool/17-2.mp4"),
        bytes=4711,
        width=1024,
        height=576,
        frames=25,
        playback_fps=7.0,
        seconds=81.5,
        phase_seconds={"denoise": 70.0},
        master_path=Path("/spool/m.mp4"),
        notes=(Note("memory", {"rung": "split"}),),
        motion=1.25,
    )
    line = to_line("rendered", rendered, job=17, attempt=2)
    assert answer_from_wire(from_line(line)) == rendered
    of_an_earlier_version = {name: value for name, value in from_line(line).items() if name != "motion"}
    assert answer_from_wire(of_an_earlier_version) == replace(rendered, motion=None)


def test_progress_survives_the_pipe() -> None:
    progress = Progress(Phase.DENOISE, 3, 25, preview="iVBORw0K")
    wire = from_line(to_line("progress", progress, job=1, attempt=1))
    assert answer_from_wire(wire) == progress
    del wire["preview"]
    assert answer_from_wire(wire) == Progress(Phase.DENOISE, 3, 25), "of a node with an earlier version"


def test_a_failure_survives_the_pipe() -> None:
    wire = from_line(to_line("failed", error=OutOfMemory("too small", needed_gib=9.5).to_wire(), job=1, attempt=1))
    error = answer_from_wire(wire)
    assert isinstance(error, OutOfMemory)
    assert (error.text, error.data) == ("too small", {"needed_gib": 9.5})


def test_a_cancel_has_no_more_to_say_and_an_event_of_another_kind_is_no_answer() -> None:
    assert answer_from_wire(from_line(to_line("cancelled", job=1, attempt=1))) is None
    with pytest.raises(ValueError, match="ready"):
        answer_from_wire(from_line(to_line("ready", job=1, attempt=1)))


def test_unknown_keys_of_a_newer_side_are_ignored() -> None:
    request = RenderRequest(
        job=1, attempt=1, picture_path=Path("p"), clip_path=Path("c"), settings=ClipSettings(), max_bytes=1
    )
    wire = from_line(to_line("render", request)) | {"from_the_future": 1}
    wire["settings"]["also_new"] = True
    assert request_from_wire(wire) == request


@pytest.mark.parametrize("line", [b"", b"Loading: 100%\n", b"[1]\n", b'{"job": 1}\n', b'{"type": 7}\n', b"\xff\xfe\n"])
def test_what_is_no_protocol_line_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):
        from_line(line)


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:12"])
def test_the_devices_that_a_configuration_may_name(device: str) -> None:
    """A SettingsError would fail this."""
    check_device(device)


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:x", "CUDA"])
def test_other_devices_are_refused(device: str) -> None:
    with pytest.raises(SettingsError, match=r"cuda:N"):
        check_device(device)
