"""Every way to fail has its remedy, and a remedy changes what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.policy.motion import Motion
from bot.policy.remedies import REMEDIES, Remedy, remedied, remedy_for
from generator.clip import ClipSettings, Format
from generator.errors import (
    BadFrames,
    EncodingFailed,
    ExecutorLost,
    OutOfMemory,
    RenderError,
    WeightsUnavailable,
    render_codes,
)
from tests.support.texts import render_errors

GIF = ClipSettings(format=Format.GIF, frames=25, motion_bucket=127)


def without_a_row(codes: list[str]) -> set[str]:
    """Return the kinds of failure that nobody chose a remedy for."""
    return {code for code in codes if "" not in REMEDIES.get(code, {})}


def test_no_kind_of_failure_is_without_a_row() -> None:
    codes = [*render_codes(), RenderError.code]
    assert without_a_row(codes) == set()
    assert set(REMEDIES) == set(codes), "and no row is left of a kind that is gone"
    assert without_a_row([*codes, "new"]) == {"new"}, "the negative control"


@pytest.mark.parametrize("error", render_errors(), ids=lambda error: f"{error.code}-{error.data}")
def test_every_failure_has_a_remedy_that_changes_something_or_is_no_new_request(error: RenderError) -> None:
    remedy = remedy_for(error.to_wire(), GIF)
    keeps = {Remedy.AGAIN, Remedy.OTHER_PICTURE, Remedy.TELL}
    assert (remedied(GIF, remedy) == GIF) is (remedy in keeps)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OutOfMemory(""), Remedy.SMALLER),
        (BadFrames("", kind="nan"), Remedy.AGAIN),
        (BadFrames("", kind="frozen"), Remedy.LIVELIER),
        (BadFrames("", kind="strobing"), Remedy.CALMER),
        (BadFrames("", kind="black"), Remedy.OTHER_PICTURE),
        (WeightsUnavailable("", why="gated"), Remedy.TELL),
        (EncodingFailed("", why="budget"), Remedy.AS_MP4),
        (EncodingFailed("", why="ffmpeg-missing"), Remedy.TELL),
        (ExecutorLost("", cause="signal"), Remedy.SMALLER),
        (ExecutorLost("", cause="node"), Remedy.AGAIN),
    ],
)
def test_the_remedy_fits_what_happened(error: RenderError, remedy: Remedy) -> None:
    assert remedy_for(error.to_wire(), GIF) is remedy


def test_what_is_as_small_as_can_be_wants_another_picture_and_an_mp4_is_made_smaller() -> None:
    budget = EncodingFailed("", why="budget").to_wire()
    assert remedy_for(budget, replace(GIF, format=Format.MP4)) is Remedy.SMALLER
    smallest = remedied(remedied(GIF, Remedy.SMALLER), Remedy.SMALLER)
    assert (smallest.frames, smallest.decode_chunk) == (8, 2)
    assert remedy_for(OutOfMemory("").to_wire(), smallest) is Remedy.OTHER_PICTURE
    frozen, strobing = BadFrames("", kind="frozen").to_wire(), BadFrames("", kind="strobing").to_wire()
    assert remedy_for(frozen, remedied(GIF, Remedy.LIVELIER)) is Remedy.OTHER_PICTURE
    assert remedy_for(strobing, replace(GIF, motion_bucket=0)) is Remedy.OTHER_PICTURE
    assert remedied(replace(GIF, frames=5), Remedy.SMALLER).frames == 5, "never more than were asked for"


def test_remedies_change_what_they_say_and_keep_the_seed() -> None:
    lively, calm = remedied(GIF, Remedy.LIVELIER), remedied(GIF, Remedy.CALMER)
    assert (lively.motion_bucket, lively.noise_augmentation) == (190, 0.1)
    assert remedied(replace(GIF, motion_bucket=250), Remedy.LIVELIER).motion_bucket == 250
    assert (calm.motion_bucket, remedied(replace(GIF, motion_bucket=20), Remedy.CALMER).motion_bucket) == (77, 0)
    assert remedied(GIF, Remedy.LIVELIER, Motion.MEDIUM).motion_bucket == 127, "as far as the server allows"
    assert remedied(GIF, Remedy.SMALLER).frames == 12, "half of them"
    assert remedied(GIF, Remedy.AS_MP4).format is Format.MP4
    assert {remedied(GIF, remedy).seed for remedy in Remedy} == {GIF.seed}


def test_a_failure_of_a_newer_version_has_one_too() -> None:
    assert remedy_for({"code": "from-the-future"}, GIF) is Remedy.AGAIN
    assert remedy_for({}, GIF) is Remedy.AGAIN
