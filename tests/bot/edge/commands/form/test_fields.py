"""What the form offers: never what would be refused, with what was chosen last time chosen before."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from bot.config.generator import GeneratorConfig
from bot.edge.commands.form.fields import EXTRAS, USUAL, Field, fields_of, typed_of
from bot.edge.commands.submission.choosing.reading import read_options
from bot.edge.commands.submission.choosing.suggestions import taken_settings
from bot.edge.commands.submission.options import Options, Setting
from bot.policy.language import LANGUAGES
from bot.policy.motion import Motion
from bot.policy.server import DEFAULTS, ServerSettings
from bot.texts.asking.animate_form import (
    ABOUT,
    FORM_TITLE,
    LABELS,
    PICTURE_ABOUT,
    PICTURE_LABEL,
    WHICH_ABOUT,
    form_choices,
)
from bot.texts.asking.choosing import choice_hint, choice_label, choice_text
from bot.texts.explanations import explain_settings
from bot.texts.languages.sentences import _
from bot.texts.languages.spoken import speaking
from bot.texts.limits import count_letters
from generator.clip import Format, Framing, Loop, Quality, Shape
from generator.errors import SettingsError
from generator.variants import BUILT_IN

NAMES = ["motion", "shape", "loop", "format", EXTRAS]
CHOICES = form_choices()


def setting(variant: str = "svd-xt", **server: Any) -> Setting:
    return Setting(server=ServerSettings(**server), variant=BUILT_IN[variant], config=GeneratorConfig())


def offered(where: Setting, remembered: dict[str, Any] | None = None, *, with_extras: bool = True) -> dict[str, Field]:
    return {field.name: field for field in fields_of(where, remembered or {}, with_extras=with_extras)}


def test_everything_is_offered_where_everything_may_be_chosen() -> None:
    fields = offered(setting())
    assert list(fields) == NAMES
    assert {name: field.values for name, field in fields.items()} == {name: tuple(CHOICES[name]) for name in NAMES}
    before = {name: field.chosen for name, field in fields.items()}
    assert before == {"motion": (USUAL,), "shape": ("auto",), "loop": ("none",), "format": ("mp4",), EXTRAS: ()}


def test_every_level_shape_loop_and_format_is_among_the_choices() -> None:
    assert set(CHOICES["motion"]) == {USUAL, *Motion}
    for name, kind in (("shape", Shape), ("loop", Loop), ("format", Format)):
        assert set(CHOICES[name]) == set(kind)


@pytest.mark.parametrize(
    ("server", "field", "values"),
    [
        ({"most_motion": Motion.MEDIUM}, "motion", (USUAL, "gentle", "medium")),
        ({"most_motion": Motion.GENTLE}, "motion", (USUAL, "gentle")),
        ({"formats": [Format.GIF, Format.WEBP]}, "format", ("gif", "webp")),
        ({"formats": [Format.GIF]}, "format", None),
        ({"qualities": [Quality.QUALITY]}, EXTRAS, ("smooth", "pad")),
    ],
)
def test_what_would_be_refused_is_not_offered(
    server: dict[str, Any], field: str, values: tuple[str, ...] | None
) -> None:
    found = offered(setting(**server)).get(field)
    assert (found.values if found else None) == values


def test_a_longest_clip_leaves_the_loops_that_fit_into_it() -> None:
    fields = offered(setting(longest_clip=1.0))
    assert "boomerang" in fields["loop"].values, "it is made of fewer frames"
    where = setting(longest_clip=1.0)
    assert all(taken_settings({"loop": value}, where) for value in fields["loop"].values)


@pytest.mark.parametrize("variant", list(BUILT_IN))
def test_what_is_chosen_before_is_what_the_model_and_the_server_prefer(variant: str) -> None:
    where = setting(variant, default_format=Format.WEBP)
    fields = offered(where)
    assert fields["format"].chosen == ("webp",)
    assert fields["loop"].chosen == (where.resolve(Options()).loop,)


def test_what_was_chosen_last_time_is_chosen_before() -> None:
    last = {"motion": "wild", "shape": "square", "loop": "seam", "format": "gif", EXTRAS: ["pad", "smooth"]}
    fields = offered(setting(), last)
    chosen = {name: list(field.chosen) if name == EXTRAS else field.chosen[0] for name, field in fields.items()}
    assert chosen == last | {EXTRAS: ["smooth", "pad"]}


@pytest.mark.parametrize("last", ["warp", None, 5, ["wild"], {}])
def test_what_this_version_does_not_know_or_this_server_does_not_allow_is_left_to_the_bot(last: Any) -> None:
    for where in (setting(), setting(most_motion=Motion.GENTLE)):
        assert offered(where, {"motion": last, EXTRAS: last})["motion"].chosen == (USUAL,)
    assert offered(setting(most_motion=Motion.GENTLE), {"motion": "wild"})["motion"].chosen == (USUAL,)


def test_without_room_there_are_no_boxes_and_what_was_ticked_last_time_does_not_count() -> None:
    assert list(offered(setting(), {EXTRAS: ["smooth"]}, with_extras=False)) == NAMES[:-1]


def test_choices_become_options() -> None:
    everything = {
        "motion": "strong",
        "shape": "portrait",
        "loop": "seam",
        "format": "gif",
        EXTRAS: list(CHOICES[EXTRAS]),
    }
    options = read_options(typed_of(everything))
    assert (options.motion, options.shape, options.loop) == (Motion.STRONG, Shape.PORTRAIT, Loop.SEAM)
    assert (options.format, options.smooth) == (Format.GIF, True)
    assert (options.quality, options.framing) == (Quality.FAST, Framing.PAD)
    assert read_options(typed_of({"motion": USUAL})) == Options(), "the rest is left to the bot"


@pytest.mark.parametrize("wrong", [{"motion": "banana"}, {"loop": "round"}])
def test_what_no_form_offers_is_refused_with_the_sentence_that_the_command_has(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as sent:
        read_options(typed_of(wrong))
    with pytest.raises(SettingsError) as typed:
        read_options(wrong)
    assert explain_settings(sent.value) == explain_settings(typed.value)
    assert "I know no" in explain_settings(sent.value)


def test_a_box_that_no_form_has_is_refused_in_words() -> None:
    with pytest.raises(SettingsError) as sent:
        read_options(typed_of({EXTRAS: ["glitter"]}))
    assert "There is no option `glitter`" in explain_settings(sent.value)


@pytest.mark.parametrize("kind", [Motion, Shape, Loop, Format])
def test_the_form_and_the_command_call_a_choice_the_same(kind: type[StrEnum]) -> None:
    for name, hint in ((choice_label(word), choice_hint(word)) for word in kind):
        assert (name, hint) in [pair for choices in CHOICES.values() for pair in choices.values()]
    for word in kind:
        said = ": ".join(filter(None, (choice_label(word), choice_hint(word))))
        assert choice_text(word).casefold() == said.casefold()
        assert count_letters(choice_text(word)) <= 100


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_is_as_short_as_discord_wants_it(code: str) -> None:
    assert list(CHOICES) == list(LABELS) == list(ABOUT) == NAMES
    with speaking(code):
        assert count_letters(_(FORM_TITLE)) <= 45
        assert all(count_letters(_(text)) <= 45 for text in (*LABELS.values(), PICTURE_LABEL))
        assert all(1 <= count_letters(_(text)) <= 100 for text in (*ABOUT.values(), PICTURE_ABOUT, WHICH_ABOUT))
        for choices in form_choices().values():
            assert len(choices) <= 10
            assert all(count_letters(text) <= 100 for pair in choices.values() for text in pair)


def test_everything_is_allowed_where_nothing_was_chosen() -> None:
    assert DEFAULTS.formats == frozenset()
