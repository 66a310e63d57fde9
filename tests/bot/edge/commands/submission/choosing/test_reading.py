"""What people type for options, read and written back."""

from __future__ import annotations

import unicodedata
from dataclasses import fields
from enum import StrEnum
from typing import Any

import pytest

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.choosing.reading import (
    OPTIONS,
    WORDS,
    bounds_of,
    read_lines,
    read_options,
    write_lines,
    write_options,
)
from bot.edge.commands.submission.options import Options, resolve
from bot.policy.language import LANGUAGES
from bot.policy.motion import MOTION_BUCKETS, Motion, level_of
from bot.texts.asking.choosing import choice_label, choice_text, typed_word
from bot.texts.descriptions import describe_recipe
from bot.texts.explanations import explain_settings
from bot.texts.languages.spoken import speaking
from generator.clip import ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.errors import SettingsError
from generator.variants import BUILT_IN


@pytest.mark.parametrize(
    ("typed", "motion", "bucket"),
    [
        ("wild", Motion.WILD, None),
        ("  Gentle ", Motion.GENTLE, None),
        ("STRONG", Motion.STRONG, None),
        ("42", None, 42),
        ("\uff14\uff12", None, 42),
        ("42: gentle", None, 42),
        ("medium: things move", Motion.MEDIUM, None),
        (0, None, 0),
        ("255", None, 255),
    ],
)
def test_a_motion_is_a_name_or_a_number_as_people_type_it(
    typed: Any, motion: Motion | None, bucket: int | None
) -> None:
    options = read_options({"motion": typed})
    assert (options.motion, options.motion_bucket) == (motion, bucket)


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_is_shown_in_a_language_can_be_typed_in_it(code: str) -> None:
    with speaking(code):
        kinds: dict[str, type[StrEnum]] = {"motion": Motion, **WORDS}
        for option, kind in kinds.items():
            for word in kind:
                for typed in (str(word), choice_label(word), typed_word(word), choice_text(word)):
                    assert getattr(read_options({option: typed}), option) is word, typed
        chosen = {"motion": Motion.WILD, "noise_augmentation": 0.1, "playback_fps": 9}
        assert read_options(read_lines(write_lines(chosen))) == read_options(chosen)
        assert read_lines("loop: boomerang") == {"loop": "boomerang"}, "English is always read"
        for line in write_lines(dict.fromkeys(OPTIONS, "42")).splitlines():
            for typed in (line, line.upper(), unicodedata.normalize("NFD", line), wide(line)):
                assert list(read_lines(typed)) == list(read_lines(line)), "as each keyboard and clipboard writes it"


def wide(text: str) -> str:
    """Return a text with the letters and signs of a Japanese keyboard, which are as wide as they are high."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" and letter != "-" else letter for letter in text)


def test_a_word_of_another_language_is_not_taken_for_one() -> None:
    assert read_options({"motion": "wild"}).motion is Motion.WILD
    with pytest.raises(SettingsError):
        read_options({"motion": "sanft"})
    with speaking("de"), pytest.raises(SettingsError) as caught:
        read_options(read_lines("schritte: viele\nbewegung: sanft"))
    with speaking("de"):
        assert "`schritte` ist eine ganze Zahl" in explain_settings(caught.value)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"motion": "banana"}, "I know no motion `banana`. Choose `gentle`, `medium`, `strong`, `wild`, or a whole"),
        ({"motion": "12.5"}, "a whole number from 0 to 255"),
        ({"motion": ""}, "a whole number from 0 to 255"),
        ({"motion": "256"}, "`motion` is out of range. It goes from 0 to 255"),
        ({"motion": "-1"}, "`motion` is out of range"),
        ({"motion": "9" * 5000}, "a whole number from 0 to 255"),
        ({"seed": "9" * 5000}, "`seed` is a whole number from 0 to 4294967295"),
        ({"motion": "`x`"}, "I know no motion `'x'`"),
        ({"format": "avi"}, "I know no format `avi`. Choose one of `mp4`, `gif`, `webp`"),
        ({"quality": "best"}, "`fast`, `balanced`, `quality`"),
        ({"steps": "many"}, "`steps` is a whole number from 1 to 100, not `many`"),
        ({"guidance": "tight"}, "`guidance` is a number from 1 to 10, not `tight`"),
        ({"frames": "1"}, "`frames` is out of range. It goes from 2 to 50"),
        ({"smooth": "perhaps"}, "I know no smooth `perhaps`. Choose one of `true`, `false`"),
        ({"speed": "1"}, "There is no option `speed`"),
        ({"smooth": True, "playback_fps": 30}, "leave one of the two out"),
    ],
)
def test_nonsense_is_answered_by_what_can_be_typed(typed: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_options(typed)
    text = explain_settings(caught.value)
    assert says in text
    assert "Nothing was queued" in text


def test_smooth_is_no_contradiction_where_it_does_something() -> None:
    assert read_options({"smooth": True, "playback_fps": 12}).smooth
    assert read_options({"smooth": False, "playback_fps": 30}).playback_fps == 30


EVERYTHING = Options(
    motion_bucket=42,
    format=Format.GIF,
    quality=Quality.FAST,
    shape=Shape.SQUARE,
    framing=Framing.PAD,
    loop=Loop.SEAM,
    smooth=True,
    drafts=True,
    description="A cat: asleep",
    seed=2**32 - 1,
    noise_augmentation=0.25,
    conditioning_fps=9,
    playback_fps=11,
    steps=13,
    frames=17,
    decode_chunk=3,
    guidance=2.5,
)


def test_what_was_chosen_can_be_written_and_read_back() -> None:
    """Also as text, as a form holds it; with a name of a motion too, and with nothing at all."""
    named = Options(motion=Motion.WILD)
    for options in (EVERYTHING, named, Options()):
        assert read_options(write_options(options)) == options
        assert read_options(read_lines(write_lines(write_options(options)))) == options
    unset = [field.name for field in fields(Options) if getattr(EVERYTHING, field.name) is None]
    assert unset == ["motion", "recipe"], "a new option is read and written too"
    assert set(write_options(EVERYTHING)) == set(OPTIONS)


def test_the_lines_of_a_recipe_are_understood() -> None:
    settings = resolve(EVERYTHING, BUILT_IN["svd"], GeneratorConfig())
    told = describe_recipe(settings, job_id=1).split("```")[1]
    typed = {name: value for name, value in read_lines(told).items() if name in OPTIONS}
    again = resolve(read_options(typed), BUILT_IN["svd"], GeneratorConfig())
    assert again == settings


def test_bounds_are_those_of_the_settings_and_levels_those_of_their_buckets() -> None:
    assert bounds_of("motion") == (0, 255)
    assert bounds_of("guidance") == (1, 10)
    assert {level_of(bucket): bucket for bucket in MOTION_BUCKETS.values()} == MOTION_BUCKETS
    assert [level_of(bucket) for bucket in (0, 99, 100, 179, 180, 229, 255)] == [
        *[Motion.GENTLE] * 2,
        *[Motion.MEDIUM] * 2,
        *[Motion.STRONG] * 2,
        Motion.WILD,
    ]
    assert ClipSettings().motion_bucket == MOTION_BUCKETS[Motion.MEDIUM]
