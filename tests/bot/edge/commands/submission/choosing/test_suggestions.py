"""What is suggested while somebody types the options of /animate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.choosing.reading import read_options
from bot.edge.commands.submission.choosing.suggestions import NUMBERS, SUGGESTED, range_of, suggest
from bot.edge.commands.submission.options import Setting, resolve, with_server
from bot.policy.language import LANGUAGES
from bot.policy.motion import MOTION_BUCKETS, Motion
from bot.policy.server import DEFAULTS, ServerSettings
from bot.sandbox.world.standard import ADA, BEN, PICTURES, TABLEAUX
from bot.texts.languages.spoken import speaking
from bot.texts.limits import CHOICE_LETTERS, count_letters
from generator.clip import Format, Loop, Quality
from generator.variants import BUILT_IN
from tests.support.edge import Start

USUAL = str(BUILT_IN["demo"].motion_bucket)


def where(variant: str = "demo", *, config: GeneratorConfig | None = None, **server: Any) -> Setting:
    return Setting(
        variant=BUILT_IN[variant], config=config or GeneratorConfig(), server=ServerSettings.model_validate(server)
    )


def texts(option: str, current: str, setting: Setting, **typed: Any) -> list[str]:
    return [text for text, _ in suggest(option, current, typed, setting)]


def values(option: str, current: str, setting: Setting, **typed: Any) -> list[Any]:
    return [value for _, value in suggest(option, current, typed, setting)]


def test_the_names_of_a_motion_say_what_they_do() -> None:
    shown = texts("motion", "", where())
    assert shown[0] == f"{USUAL}: gentle, as usual with demo"
    assert shown[1] == "gentle: still camera, only small things move"
    assert values("motion", "", where()) == [USUAL, "gentle", "medium", "strong", "wild"]
    assert [texts("motion", "", where(name))[0].split(",")[0] for name in ("svd", "svd-xt")] == ["127: medium"] * 2


@pytest.mark.parametrize(
    ("typed", "first", "value"),
    [
        ("42", "42: gentle", "42"),
        ("185", "185: strong", "185"),
        ("300", "255: wild, the most that is taken here", "255"),
        ("WI", "wild: everything moves, and the clip departs further from the picture", "wild"),
        ("  g", "gentle: still camera, only small things move", "gentle"),
        ("banana", "gentle: still camera, only small things move", "gentle"),
    ],
)
def test_what_is_typed_for_a_motion_is_told_what_it_does(typed: str, first: str, value: str) -> None:
    assert suggest("motion", typed, {}, where())[0] == (first, value)


def test_a_motion_is_suggested_by_its_name_in_the_persons_language() -> None:
    with speaking("de"):
        assert suggest("motion", "sa", {}, where())[0] == ("sanft: ruhige Kamera, nur Kleines bewegt sich", "gentle")
        assert suggest("motion", "42", {}, where())[0] == ("42: sanft", "42")
        assert suggest("motion", "gen", {}, where())[0][1] == "gentle", "by its English name too"
    assert texts("motion", "sa", where()) == texts("motion", "banana", where()), "which is nothing in English"


def test_a_motion_that_the_server_refuses_is_not_suggested() -> None:
    setting = where(most_motion=Motion.MEDIUM)
    assert values("motion", "", setting) == [USUAL, "gentle", "medium"]
    assert suggest("motion", "200", {}, setting)[0] == ("127: medium, the most that is taken here", "127")
    assert values("motion", "wi", setting) == ["gentle", "medium"]


def test_formats_and_qualities_are_those_that_the_server_takes() -> None:
    assert values("format", "", where()) == ["mp4", "gif", "webp"]
    assert values("format", "", where(formats=[Format.WEBP])) == ["webp"]
    assert values("quality", "", where(qualities=[Quality.FAST, Quality.BALANCED])) == ["fast", "balanced"]
    assert values("format", "gi", where()) == ["gif"]
    assert values("format", "LOOPS", where()) == ["gif", "webp"]
    assert values("format", "avi", where()) == ["mp4", "gif", "webp"], "what there is"


@pytest.mark.parametrize("variant", ["svd", "svd-xt", "demo"])
@pytest.mark.parametrize("option", NUMBERS)
def test_the_usual_number_is_this_variants_own(option: str, variant: str) -> None:
    shown = suggest(option, "", {}, where(variant))
    [usual] = [value for text, value in shown if f"as usual with {variant}" in text]
    made = resolve(read_options({}), BUILT_IN[variant], GeneratorConfig())
    assert usual == getattr(made, {"guidance": "max_guidance"}.get(option, option))
    assert all(text.startswith(f"{value:g}") for text, value in shown)


def test_the_usual_steps_follow_the_quality_and_the_operator() -> None:
    assert texts("steps", "", where("svd"))[0] == "25: as usual with svd"
    assert texts("steps", "", where("svd"), quality="fast")[0] == "10: as usual with svd"
    assert texts("steps", "", where("svd", default_quality="balanced"))[0] == "15: as usual with svd"
    few = where("svd", config=GeneratorConfig(max_steps=12))
    assert texts("steps", "", few) == [
        "12: as usual with svd",
        "1: the least that is taken here",
    ], "a value is offered once"
    assert values("steps", "40", few) == [12]
    assert range_of("steps", few.config) == (1, 12)


def test_numbers_follow_the_servers_longest_clip_and_what_else_was_typed() -> None:
    setting = where("svd", longest_clip=3.0)
    assert suggest("frames", "40", {}, setting)[-1] == ("21: the most that is taken here", 21)
    assert suggest("frames", "40", {"playback_fps": 10}, setting)[-1][1] == 30
    assert suggest("frames", "40", {"loop": Loop.BOOMERANG}, setting)[-1][1] == 11
    assert 20 in values("frames", "20", setting)
    assert values("playback_fps", "1", setting, frames=30)[-1] == 10
    assert values("playback_fps", "20", setting, frames=30)[0] == 20


@pytest.mark.parametrize("option", SUGGESTED)
@pytest.mark.parametrize("current", ["", "1", "7", "99", "x", "-3", "0,5", "9" * 30])
def test_whatever_is_suggested_is_taken(option: str, current: str) -> None:
    """The negative control is in the tests above: what is refused is left out."""
    for server in (DEFAULTS, ServerSettings(most_motion=Motion.GENTLE, longest_clip=2.0, formats=frozenset({"gif"}))):
        setting = replace(where("svd"), server=server)
        found = suggest(option, current, {"seed": 5, "loop": "round"}, setting)
        assert found
        for text, value in found:
            assert count_letters(text) <= CHOICE_LETTERS
            wanted = with_server(read_options({option: value}), server, setting.variant, setting.config)
            made = resolve(wanted, setting.variant, setting.config)
            assert made.motion_bucket <= MOTION_BUCKETS[Motion.GENTLE] or server is DEFAULTS
            assert made.frames / made.playback_fps <= (server.longest_clip or 60)


@pytest.mark.parametrize("code", LANGUAGES)
def test_suggestions_fit_and_are_found_by_their_english_word_in_each_language(code: str) -> None:
    named = replace(where(), variant=replace(where().variant, name="x" * 200))
    with speaking(code):
        for option in SUGGESTED:
            assert all(0 < count_letters(text) <= CHOICE_LETTERS for text, _ in suggest(option, "", {}, named))
            assert all(0 < count_letters(text) <= CHOICE_LETTERS for text, _ in suggest(option, "999", {}, named))
        assert values("quality", "fast", where()) == [Quality.FAST]


async def test_discord_is_given_suggestions_for_the_server_where_somebody_types(start: Start) -> None:
    async with start() as edge:
        shown = await edge.world.autocomplete(ADA, PICTURES, "animate", {"motion": "42"}, "motion")
        assert {"name": "42: gentle", "value": "42"} in shown
        for option in SUGGESTED:
            assert await edge.world.autocomplete(ADA, PICTURES, "animate", {option: ""}, option)
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"formats": ["gif"], "most_motion": "gentle"})
        [only] = await edge.world.autocomplete(ADA, PICTURES, "animate", {"format": ""}, "format")
        assert only["value"] == "gif"
        shown = await edge.world.autocomplete(ADA, PICTURES, "animate", {"motion": ""}, "motion")
        assert [item["value"] for item in shown] == ["60", "gentle"]
        typed = {"guidance": 2.5, "motion": "gentle"}
        assert await edge.world.autocomplete(ADA, PICTURES, "animate", typed, "guidance")
