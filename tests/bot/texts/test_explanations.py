"""Every refusal says what happened and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.policy.language import LANGUAGES
from bot.queue.job import CancelOutcome, DeadReason
from bot.texts.explanations import (
    explain_dead,
    explain_full,
    explain_hold,
    explain_picture,
    explain_settings,
    explain_source,
    format_minutes,
)
from bot.texts.languages.numbers import shortest
from bot.texts.languages.sentences import pgettext
from bot.texts.languages.spoken import speaking
from bot.texts.replies import explain_cancel, now_paused_text, paused_text
from bot.work.gate import Hold, HoldCause
from generator.clip import BOUNDS, ClipSettings, check_extent
from generator.errors import (
    PictureError,
    PictureReason,
    SettingsError,
)
from generator.memory import check_memory
from generator.variants import Variant
from tests.support.texts import SECRET


@pytest.mark.parametrize("reason", PictureReason)
def test_every_picture_reason_says_what_to_do_and_that_nothing_was_queued(reason: PictureReason) -> None:
    sentences = explain_picture(PictureError(reason, SECRET, max_bytes=25 * 1024**2, max_pixels=100_000_000))
    assert all((sentences.what, sentences.todo))
    assert sentences.means == "Nothing was queued."
    assert "exploded" not in str(sentences)


@pytest.mark.parametrize(
    ("reason", "data", "said"),
    [
        (PictureReason.TOO_SLOW, {"what": "time"}, "takes too long"),
        (PictureReason.TOO_SLOW, {"what": "memory"}, "too much memory"),
        (PictureReason.CORRUPT, {"what": "cut-short"}, "the file ends before the picture does"),
        (PictureReason.CORRUPT, {}, "damaged"),
        (PictureReason.UNSUPPORTED_FORMAT, {"format": "TIFF"}, "That kind of TIFF"),
        (PictureReason.UNSUPPORTED_FORMAT, {"format": "PDF"}, "save it as JPEG"),
        (
            PictureReason.TOO_MANY_PIXELS,
            {"pixels": 64_000_000, "max_pixels": 28_000_000, "kind": "WebP"},
            "64 million; the limit is 28 million for WebP pictures.",
        ),
    ],
)
def test_a_refusal_names_its_true_cause(reason: PictureReason, data: dict[str, Any], said: str) -> None:
    assert said in str(explain_picture(PictureError(reason, SECRET, **data)))


@pytest.mark.parametrize(
    "name", ["a.HIF", "a.jpe", "a.apng", "a.mpo", "a.heics", "a.heifs", "a.avifs", "a.jfif", "a.dib"]
)
def test_a_pictures_name_is_enough_without_a_content_type(name: str) -> None:
    assert explain_source(name, None, 10, 1000) is None
    assert explain_source(name, "application/octet-stream", 10, 1000) is None
    assert explain_source(name + ".exe", None, 10, 1000) is not None, "the negative control"


def test_picture_limits_are_told_in_numbers() -> None:
    assert "25 MiB" in str(explain_picture(PictureError(PictureReason.TOO_MANY_BYTES, "", max_bytes=25 * 1024**2)))
    assert "100 million" in str(
        explain_picture(PictureError(PictureReason.TOO_MANY_PIXELS, "", max_pixels=100_000_000, pixels=144_000_000))
    )


def test_every_closed_set_has_its_sentence() -> None:
    assert all(explain_dead(reason) for reason in DeadReason)
    assert len({explain_dead(reason) for reason in DeadReason}) == len(DeadReason)
    assert all(explain_hold(Hold(cause, "a reason")) for cause in HoldCause)
    assert all(explain_cancel(outcome, 1) for outcome in CancelOutcome)
    assert all(explain_full(scope, 20) for scope in ("user", "guild"))
    assert explain_dead(None)


def test_the_operators_reason_for_a_pause_is_told_wherever_people_meet_it() -> None:
    reason = "new model coming at eight."
    told = [explain_hold(Hold(HoldCause.PAUSED, reason)), paused_text(reason), now_paused_text(reason)]
    assert all(reason in text for text in told)
    assert reason not in explain_hold(Hold(HoldCause.DISK_FULL, reason)), "a detail that is for the log"


@pytest.mark.parametrize("setting", BOUNDS)
def test_an_option_out_of_range_is_named_with_its_range(setting: str) -> None:
    low, high = BOUNDS[setting]
    beyond: dict[str, Any] = {setting: high + 1}
    with pytest.raises(SettingsError) as caught:
        ClipSettings(**beyond)
    text = explain_settings(caught.value)
    assert f"{shortest(low)} to {shortest(high)}" in text


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "guidance that ends below its beginning": (
        lambda: ClipSettings(min_guidance=2.0, max_guidance=1.5),
        "`guidance` is lower here than what a clip begins with",
    ),
    "a word that this version does not know": (
        lambda: ClipSettings.from_json(ClipSettings().to_json() | {"loop": "spiral"}),
        "I know no loop `spiral`. Choose one of `none`, `boomerang`",
    ),
    "what is wrong with no option by itself": (lambda: check_memory("huge"), "I cannot make a clip with these options"),
    "more frames than memory takes": (
        lambda: check_extent(ClipSettings(frames=50), (8192, 8192)),
        "`frames` is out of range. It goes from 2 to",
    ),
    "more steps than the model takes": (
        lambda: Variant(name="quick", source="quick", frames=14, max_steps=4).check_steps(5),
        "`steps` is out of range. It goes from 1 to 4",
    ),
}


@pytest.mark.parametrize(("mistake", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_each_kind_of_mistake_in_settings_has_its_sentence(mistake: Callable[[], object], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        mistake()
    text = explain_settings(caught.value)
    assert said in text and "Nothing was queued." in text
    assert ("out of range" in text) == ("low" in caught.value.data), "only what has a range is out of it"


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_refused_option_is_called_as_the_person_sees_it(code: str) -> None:
    with speaking(code):
        named = pgettext("option name", "playback_fps")
        text = explain_settings(SettingsError("", setting="playback_fps", value=99, low=1, high=60))
        assert f"`{named}`" in text
        assert ("playback_fps" in text) == (code == "en")


@pytest.mark.parametrize(
    ("name", "kind", "size", "refused"),
    [
        ("a.png", "image/png", 10, False),
        ("a.HEIC", None, 10, False),
        ("a", "image/avif", 10, False),
        ("a.exe", "application/octet-stream", 10, True),
        ("a.mp4", "video/mp4", 10, True),
        ("a.png", "image/png", 0, True),
        ("a.png", "image/png", 10**9, True),
    ],
)
def test_a_file_is_refused_from_its_name_and_size_alone(name: str, kind: str | None, size: int, refused: bool) -> None:
    assert (explain_source(name, kind, size, 25 * 1024**2) is not None) is refused


def test_durations_are_said_as_people_say_them() -> None:
    assert [format_minutes(value) for value in (0, 42_000, 61_000, 7_200_000)] == ["1 s", "42 s", "1 min", "2.0 h"]
