"""What the options of a request resolve to."""

from __future__ import annotations

from bot.config import GeneratorConfig
from bot.edge.commands.submission.options import Options, resolve
from generator.clip import Quality
from generator.variants import BUILT_IN


def test_the_demo_model_chooses_the_short_schedule_without_guidance() -> None:
    settings = resolve(Options(), BUILT_IN["demo"], GeneratorConfig())
    assert (settings.quality, settings.steps, settings.max_guidance) == (Quality.FAST, 10, 1.0)


def test_what_the_person_names_goes_before_the_variants_own_defaults() -> None:
    options = Options(quality=Quality.BALANCED, guidance=2.5)
    settings = resolve(options, BUILT_IN["demo"], GeneratorConfig())
    assert (settings.quality, settings.steps, settings.max_guidance) == (Quality.BALANCED, 15, 2.5)


def test_a_variant_without_defaults_leaves_the_choice_to_the_operator() -> None:
    config = GeneratorConfig(quality=Quality.BALANCED)
    settings = resolve(Options(), BUILT_IN["svd-xt"], config)
    assert (settings.quality, settings.max_guidance) == (Quality.BALANCED, 3.0)
