"""What a job looks like in a list, whatever its picture is called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.queue.job import JobState
from bot.texts.jobs.faces import asked_ms, choice_label, describe_age, escaped_name, job_face, picture_name
from bot.texts.limits import CHOICE_LETTERS, count_letters
from generator.clip import ClipSettings, Shape
from tests.support.texts import make_job

ASKED_MS = 1_700_000_000_000
KEY = str((ASKED_MS - 1_420_070_400_000) << 22)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo.png", "photo.png"),
        ("SPOILER_photo.png", "photo.png"),
        ("IMG_2033.HEIC", "IMG_2033.HEIC"),
        ("two\nlines\t.png", "two lines .png"),
        ("a\u202egnp.exe", "a gnp.exe"),
        ("写真.jpg", "写真.jpg"),
        ("cafe\u0301.png", "café.png"),
        ("a" * 200 + ".jpeg", "a" * 22 + "….jpeg"),
        ("a" * 200, "a" * 27 + "…"),
        ("a." + "b" * 200, "a." + "b" * 25 + "…"),
        (" \u200b\u0000 ", "a picture"),
        ("", "a picture"),
        (None, "a picture"),
    ],
)
def test_a_name_is_sane_and_short_and_keeps_its_kind(name: str | None, shown: str) -> None:
    assert picture_name(make_job(), name) == shown


@pytest.mark.parametrize("name", ["🎞" * 90 + ".webp", "Ẅ" * 90, "x" * 10_000])
def test_no_name_is_longer_than_discord_counts(name: str) -> None:
    assert count_letters(picture_name(make_job(), name)) <= 28


def test_without_a_name_the_shape_says_what_it_was() -> None:
    portrait = make_job(settings=ClipSettings(shape=Shape.PORTRAIT))
    assert picture_name(portrait, None) == escaped_name(portrait, None) == "a portrait picture"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("IMG_1_2.png", r"**IMG\_1\_2.png**"),
        ("@everyone.png", r"**\@everyone.png**"),
        ("<@42>||x||`y`", r"**\<\@42\>\|\|x\|\|\`y\`**"),
        ("[free](https://evil.example)", r"**\[free\]\(https:\//evil.example\)**"),
        ("back\\slash", r"**back\\slash**"),
    ],
)
def test_nothing_in_a_name_is_markup(name: str, shown: str) -> None:
    assert escaped_name(make_job(), name) == shown


def test_a_covered_picture_s_name_is_covered() -> None:
    plain = make_job()
    covered = replace(plain, route=replace(plain.route, spoiler=True))
    assert (escaped_name(covered, "gift.png"), escaped_name(plain, "gift.png")) == ("||gift.png||", "**gift.png**")


def test_a_face_has_an_age_where_one_is_known() -> None:
    job = make_job(key=KEY)
    assert asked_ms(job) == ASKED_MS
    assert job_face(job, "cat.png") == "**cat.png**, asked <t:1700000000:R>"
    assert job_face(make_job(key="of-old"), "cat.png") == "**cat.png**"


def test_a_suggestion_says_number_picture_age_and_state() -> None:
    job = make_job(JobState.RENDERED, key=KEY)
    label = choice_label(job, "a_cat.png", ASKED_MS + 3 * 60_000)
    assert label.startswith("17: a_cat.png, 3 minutes ago, done · motion 127 · MP4"), "plain text, no markup"
    assert count_letters(choice_label(job, "x" * 300, ASKED_MS)) <= CHOICE_LETTERS
    stopping = replace(job, state=JobState.RUNNING, cancel_requested=True)
    assert "stopping" in choice_label(stopping, None, ASKED_MS)
    assert "being made" in choice_label(replace(stopping, cancel_requested=False), None, ASKED_MS)


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (-5, "just now"),
        (59_999, "just now"),
        (60_000, "1 minute ago"),
        (7_199_999, "1 hour ago"),
        (7_200_000, "2 hours ago"),
        (86_400_000, "1 day ago"),
        (30 * 86_400_000, "30 days ago"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(ms: int, said: str) -> None:
    assert describe_age(ms) == said
