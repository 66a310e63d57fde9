"""Settings, recipes and the bot itself in words."""

from __future__ import annotations

from bot.queue.job import JobState
from bot.texts.descriptions import describe_recipe, describe_settings, describe_status
from bot.work.gate import Hold, HoldCause
from generator.clip import ClipSettings


def test_the_settings_line_names_what_few_people_set() -> None:
    assert describe_settings(ClipSettings(seed=7)) == "motion 127 · MP4 · quality · seed 7 · svd-xt"
    unusual = ClipSettings(steps=1, frames=50, playback_fps=60, noise_augmentation=0.5, max_guidance=5.0)
    told = describe_settings(unusual)
    assert all(part in told for part in ("steps 1 ", "frames 50", "fps 60", "noise 0.5", "guidance 5"))


def test_a_recipe_lists_every_setting() -> None:
    text = describe_recipe(ClipSettings(seed=4242), source="job 1")
    assert all(key in text for key in ClipSettings().to_json())
    assert "4242" in text


def test_a_status_fits_a_message() -> None:
    status = describe_status(
        counts=dict.fromkeys(JobState, 3),
        backends=[{"device": "cuda", "versions": {"torch": "2"}}, {}],
        free_bytes=10**10,
        variant="svd-xt",
        hold=Hold(HoldCause.CRASH_STORM),
    )
    assert "Nothing is started" in status
    many: list[dict[str, object]] = [{"name": "a card", "problem": "x" * 500}] * 8
    assert len(describe_status(counts={}, backends=many, free_bytes=0, variant="svd-xt", hold=None)) <= 2000
