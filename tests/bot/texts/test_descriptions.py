"""Settings, recipes and the bot itself in words."""

from __future__ import annotations

import pytest

from bot.queue.job import JobState
from bot.texts.descriptions import describe_recipe, describe_settings
from bot.texts.jobs.running import describe_status
from bot.work.gate import Hold, HoldCause
from generator.clip import ClipSettings


def test_the_settings_line_names_what_few_people_set() -> None:
    assert describe_settings(ClipSettings(seed=7)) == "motion 127 · MP4 · quality · seed 7 · svd-xt"
    unusual = ClipSettings(steps=1, frames=50, playback_fps=60, noise_augmentation=0.5, max_guidance=5.0)
    told = describe_settings(unusual)
    assert all(part in told for part in ("steps 1 ", "frames 50", "fps 60", "noise 0.5", "guidance 5"))


def test_a_recipe_lists_every_setting() -> None:
    settings = ClipSettings(seed=4242, frames=20, smooth=True, drafts=True, seams=(14, 20))
    rows = dict(line.split(maxsplit=1) for line in describe_recipe(settings, job_id=1).splitlines()[2:-2])
    assert set(rows) == set(settings.to_json())
    assert (rows["seed"], rows["smooth"], rows["drafts"], rows["seams"]) == ("4242", "true", "true", "14, 20")


def test_a_recipe_tells_of_drafts_and_seams_only_where_there_are_some() -> None:
    text = describe_recipe(ClipSettings(), job_id=1)
    assert not [word for word in ("drafts", "seams", "()", "False") if word in text]
    assert "smooth               false" in text


@pytest.mark.parametrize("value", ["```", "a\nb", "x" * 5000, "\u2028", "a\u202eb", "```\n" * 50], ids=repr)
def test_no_value_of_a_recipe_ends_its_code_block_or_its_line(value: str) -> None:
    text = describe_recipe(ClipSettings(variant=value))
    assert text.count("```") == 2
    assert len(text.splitlines()) == len(describe_recipe(ClipSettings()).splitlines())
    assert len(text) <= 2000


def test_an_ordinary_value_of_a_recipe_is_shown_as_it_is() -> None:
    name = "für Ölbilder 日本 v1.5"
    assert name in describe_recipe(ClipSettings(variant=name))


def test_each_machine_of_a_cluster_has_its_own_row() -> None:
    machines: list[dict[str, object]] = [{"device": "cluster"}, {"node": "upstairs", "state": "2 ready", "running": 3}]
    status = describe_status(counts={}, backends=machines, free_bytes=0, variant="svd-xt", hold=None)
    assert "Machine upstairs: state 2 ready, running 3" in status.splitlines()


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


def test_the_status_shows_each_card_with_its_plan_and_its_speed() -> None:
    cards: list[dict[str, object]] = [
        {"pid": 7, "name": "NVIDIA H200", "vram_gib": 139.8, "plan": "full", "clip_seconds": 10.08, "gpu": "0"},
        {"name": "NVIDIA T4", "vram_gib": 14.6, "plan": "none", "gpu": "GPU-1", "environment": ["A"]},
    ]
    status = describe_status(counts={}, backends=cards, free_bytes=0, variant="svd-xt", hold=None)
    assert "GPU process 0: NVIDIA H200, 139.8 GiB, plan full, 10.1 s a clip, pid 7, gpu 0" in status
    assert "GPU process 1: NVIDIA T4, 14.6 GiB, plan none, gpu GPU-1" in status


def test_a_recipe_names_each_setting_once_and_the_rare_ones_where_they_are_used() -> None:
    def keys(settings: ClipSettings) -> list[str]:
        return [line.split()[0] for line in describe_recipe(settings).splitlines()[2:-2]]

    usual = keys(ClipSettings())
    assert len(usual) == len(set(usual)) and usual[0] == "variant"
    assert set(ClipSettings().to_json()) - set(usual) == {"drafts", "seams"}
    assert set(keys(ClipSettings(drafts=True))) - set(usual) == {"drafts"}
