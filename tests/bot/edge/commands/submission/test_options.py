"""What the options of a request resolve to."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.options import (
    Options,
    check_request,
    new_seed,
    notes_on_steps,
    resolve,
    told_again,
    told_of,
    vary,
)
from bot.policy.motion import MOTION_BUCKETS, Motion, is_nearly_still, liven
from bot.policy.told import Told
from bot.texts.explanations import explain_settings
from generator.clip import BOUNDS, DEFAULT_STEPS, ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.errors import SettingsError
from generator.protocol import Note
from generator.variants import BUILT_IN


def test_the_demo_model_chooses_the_short_schedule_without_guidance() -> None:
    settings = resolve(Options(), BUILT_IN["demo"], GeneratorConfig())
    assert (settings.quality, settings.max_guidance) == (Quality.FAST, 1.0)
    assert settings.steps == BUILT_IN["demo"].steps
    one = replace(BUILT_IN["demo"], steps=1, max_steps=None)
    assert resolve(Options(), one, GeneratorConfig()).steps == 1
    assert resolve(Options(quality=Quality.BALANCED), one, GeneratorConfig()).steps == 15
    assert resolve(Options(steps=4), one, GeneratorConfig()).steps == 4


def test_a_variant_of_few_steps_makes_all_qualities_with_them_and_refuses_more() -> None:
    few = replace(BUILT_IN["svd"], max_steps=4)
    for quality in Quality:
        settings = resolve(Options(quality=quality), few, GeneratorConfig())
        assert settings.steps == 4
        assert notes_on_steps(settings, few) == (Note("one-quality", {"steps": 4}),)
        assert notes_on_steps(settings, replace(few, quality=quality)) == ()
        assert notes_on_steps(settings, replace(few, max_steps=None)) == ()
    assert resolve(Options(steps=3), few, GeneratorConfig()).steps == 3
    with pytest.raises(SettingsError) as caught:
        resolve(Options(steps=5), few, GeneratorConfig())
    assert caught.value.data == {"setting": "steps", "value": 5, "low": 1, "high": 4}


def test_the_demo_models_clips_go_there_and_back_and_move_gently() -> None:
    settings = resolve(Options(), BUILT_IN["demo"], GeneratorConfig())
    assert settings.loop is Loop.BOOMERANG
    assert MOTION_BUCKETS[Motion.GENTLE] < settings.motion_bucket < MOTION_BUCKETS[Motion.MEDIUM]
    chosen = resolve(Options(loop=Loop.NONE, motion=Motion.WILD), BUILT_IN["demo"], GeneratorConfig())
    assert (chosen.loop, chosen.motion_bucket) == (Loop.NONE, MOTION_BUCKETS[Motion.WILD])
    big = resolve(Options(), BUILT_IN["svd-xt"], GeneratorConfig())
    assert (big.loop, big.motion_bucket) == (Loop.NONE, MOTION_BUCKETS[Motion.MEDIUM])


def test_a_loop_that_only_the_variant_wants_makes_no_request_too_long() -> None:
    asked = Options(frames=50, playback_fps=1)
    assert resolve(asked, BUILT_IN["demo"], GeneratorConfig()).loop is Loop.NONE
    with pytest.raises(SettingsError):  # the negative control: here the person wants it
        resolve(replace(asked, loop=Loop.BOOMERANG), BUILT_IN["demo"], GeneratorConfig())
    with pytest.raises(SettingsError):
        resolve(Options(frames=50, smooth=True, playback_fps=2), BUILT_IN["demo"], GeneratorConfig())
    assert resolve(Options(frames=50), BUILT_IN["demo"], GeneratorConfig()).loop is Loop.BOOMERANG


def test_what_the_person_names_goes_before_the_variants_own_defaults() -> None:
    options = Options(quality=Quality.BALANCED, guidance=2.5)
    settings = resolve(options, replace(BUILT_IN["demo"], max_steps=None), GeneratorConfig())
    assert (settings.quality, settings.steps, settings.max_guidance) == (Quality.BALANCED, 15, 2.5)


def test_every_option_that_a_person_names_is_a_setting_of_the_clip() -> None:
    options = Options(
        format=Format.WEBP,
        quality=Quality.FAST,
        shape=Shape.SQUARE,
        framing=Framing.PAD,
        loop=Loop.CROSSFADE,
        smooth=True,
        drafts=True,
        seed=5,
        motion_bucket=99,
        noise_augmentation=0.3,
        conditioning_fps=9,
        playback_fps=11,
        steps=13,
        frames=17,
        decode_chunk=3,
    )
    named = {field.name: getattr(options, field.name) for field in fields(ClipSettings) if hasattr(options, field.name)}
    plain = {name: getattr(ClipSettings(), name) for name in named}
    assert all(named[name] != plain[name] for name in named), "nothing here is what the bot would choose by itself"
    settings = resolve(options, BUILT_IN["svd-xt"], GeneratorConfig())
    assert {name: getattr(settings, name) for name in named} == named


def test_what_a_person_leaves_open_the_variant_decides_then_the_operator_then_the_clip() -> None:
    config = GeneratorConfig(quality=Quality.BALANCED, framing=Framing.PAD, max_steps=12)
    variant, plain = replace(BUILT_IN["svd"], quality=None, max_guidance=None), ClipSettings()
    settings = resolve(Options(seed=0), variant, config)
    assert settings == replace(
        plain,
        variant="svd",
        frames=variant.frames,
        quality=Quality.BALANCED,
        steps=12,
        motion_bucket=127,
        seed=0,
        framing=Framing.PAD,
    )
    own = resolve(Options(seed=0), replace(variant, quality=Quality.FAST, max_guidance=2.0), config)
    assert (own.quality, own.steps, own.max_guidance) == (Quality.FAST, min(12, DEFAULT_STEPS[Quality.FAST]), 2.0)


@pytest.mark.parametrize("value", [0, 1])
def test_a_zero_is_a_choice_too(value: int) -> None:
    named = resolve(
        Options(motion_bucket=value, noise_augmentation=value, seed=value), BUILT_IN["svd"], GeneratorConfig()
    )
    assert (named.motion_bucket, named.noise_augmentation, named.seed) == (value, value, value)


@pytest.mark.parametrize(
    ("options", "bucket", "noise"),
    [
        (Options(motion=Motion.GENTLE), 60, ClipSettings().noise_augmentation),
        (Options(motion=Motion.STRONG), 185, ClipSettings().noise_augmentation),
        (Options(motion=Motion.WILD), 230, 0.1),
        (Options(motion=Motion.WILD, noise_augmentation=0.5, motion_bucket=7), 7, 0.5),
    ],
)
def test_a_named_motion_is_a_bucket_and_wild_adds_noise(options: Options, bucket: int, noise: float) -> None:
    settings = resolve(options, BUILT_IN["svd"], GeneratorConfig())
    assert (settings.motion_bucket, settings.noise_augmentation) == (bucket, noise)


def test_a_variation_has_another_seed_or_other_motion_within_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda bound: 99)
    settings = ClipSettings(seed=5, motion_bucket=100)
    assert vary(settings) == replace(settings, seed=99)
    assert vary(settings, motion=50) == replace(settings, motion_bucket=150)
    assert vary(settings, motion=-50) == replace(settings, motion_bucket=50)
    assert [vary(settings, motion=motion).motion_bucket for motion in (-500, 500)] == [0, 255]


@pytest.mark.parametrize("last", [False, True])
def test_a_seed_of_the_bots_own_is_any_that_a_person_may_name(monkeypatch: pytest.MonkeyPatch, last: bool) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda bound: bound - 1 if last else 0)
    seed = resolve(Options(), BUILT_IN["svd-xt"], GeneratorConfig()).seed
    assert seed == new_seed() == BOUNDS["seed"][last]


def test_a_variant_without_defaults_leaves_the_choice_to_the_operator() -> None:
    config = GeneratorConfig(quality=Quality.BALANCED)
    settings = resolve(Options(), BUILT_IN["svd-xt"], config)
    assert (settings.quality, settings.max_guidance) == (Quality.BALANCED, 3.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(frames=50, loop=Loop.BOOMERANG, playback_fps=1, smooth=True), "2,352 frames; the most is 360"),
        (Options(frames=50, playback_fps=3, smooth=True), "400 frames"),
        (Options(frames=31, loop=Loop.BOOMERANG, playback_fps=4, smooth=True), "360 frames"),
        (Options(frames=50, loop=Loop.BOOMERANG, playback_fps=1), "98 seconds; the most is 60"),
    ],
)
def test_what_the_options_make_together_is_bounded_and_the_refusal_says_by_what(options: Options, says: str) -> None:
    if says == "360 frames":  # the negative control: a request at the bound itself is taken
        assert resolve(options, BUILT_IN["svd-xt"], GeneratorConfig()).smooth
        return
    with pytest.raises(SettingsError) as caught:
        resolve(options, BUILT_IN["svd-xt"], GeneratorConfig())
    text = explain_settings(caught.value)
    assert says in text and "playback_fps" in text


@pytest.mark.parametrize(
    "options",
    [
        Options(smooth=True, loop=Loop.BOOMERANG),
        Options(frames=50, smooth=True, loop=Loop.BOOMERANG),
        Options(frames=50, playback_fps=1),
        Options(frames=50, playback_fps=60, smooth=True, loop=Loop.BOOMERANG),
    ],
)
def test_what_a_person_ordinarily_asks_for_is_within_the_bounds(options: Options) -> None:
    assert resolve(options, BUILT_IN["svd-xt"], GeneratorConfig()).frames in (25, 50)


def test_frames_that_would_not_fit_into_memory_are_refused_for_large_variants() -> None:
    huge = replace(BUILT_IN["svd-xt"], square=(4096, 4096))
    with pytest.raises(SettingsError) as caught:
        check_request(ClipSettings(frames=25), huge)
    assert "`frames`" in explain_settings(caught.value)
    check_request(ClipSettings(frames=25, shape=Shape.LANDSCAPE), huge)
    check_request(ClipSettings(frames=10), huge)


@pytest.mark.parametrize(
    ("facts", "still"),
    [
        (None, False),
        ({}, False),
        ({"motion": None}, False),
        ({"motion": 0.0}, True),
        ({"motion": 0.89}, True),
        ({"motion": 0.9}, False),
        ({"motion": "0"}, False),
    ],
)
def test_a_clip_is_nearly_still_only_when_that_was_measured(facts: dict[str, object] | None, still: bool) -> None:
    assert is_nearly_still(facts) is still


@pytest.mark.parametrize(
    ("bucket", "most", "wanted"),
    [(60, None, 190), (60, Motion.WILD, 190), (60, Motion.STRONG, 185), (127, Motion.GENTLE, 127), (230, None, 230)],
)
def test_the_cure_of_a_still_clip_keeps_to_what_the_server_allows(
    bucket: int, most: Motion | None, wanted: int
) -> None:
    before = ClipSettings(motion_bucket=bucket, seed=5)
    assert liven(before, most) == replace(before, motion_bucket=wanted, noise_augmentation=0.1)
    assert liven(replace(before, noise_augmentation=0.3), most).noise_augmentation == 0.3


def test_what_was_chosen_is_what_differs_from_an_option_left_out() -> None:
    assert told_of(Options(), None) == Told()
    asked = Options(motion=Motion.STRONG, smooth=True, seed=0, description="  A cat\n@everyone ")
    assert told_of(asked, "its alt text") == Told(chosen=("motion", "smooth", "seed"), description="A cat @everyone")
    assert told_of(Options(), "its alt text").description == "its alt text"
    again = told_again(
        Told(chosen=("motion", "seed"), description="A cat"), ClipSettings(), ClipSettings(motion_bucket=9)
    )
    assert again == Told(chosen=("motion_bucket", "seed"), description="A cat")
    assert told_again(again, ClipSettings(), ClipSettings()) == again
    assert told_again(again, ClipSettings(), ClipSettings(seed=9)).chosen == ("motion_bucket",)
