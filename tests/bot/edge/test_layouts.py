"""Every sentence and layout: nothing without words, nothing with an exception's text in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.edge.layouts import (
    CardView,
    clip_buttons,
    clip_layout,
    clip_name,
    clip_text,
    dead_card,
    describe_line,
    describe_recipe,
    describe_settings,
    describe_status,
    draw_bar,
    failure_text,
    measure_progress,
    sent_card,
    status_card,
)
from bot.queue.job import Job, JobState, Place, Route
from bot.queue.jobs import CancelOutcome
from bot.texts.explanations import (
    DeadReason,
    explain_dead,
    explain_failure,
    explain_full,
    explain_hold,
    explain_notes,
    explain_picture,
    explain_settings,
    explain_source,
    format_minutes,
    name_phase,
)
from bot.texts.replies import explain_cancel, help_text, privacy_text
from bot.work.gate import Hold, HoldCause
from generator.clip import BOUNDS, ClipSettings, Format
from generator.errors import (
    BadFrames,
    EncodingFailed,
    ExecutorLost,
    GeneratorError,
    PictureError,
    PictureReason,
    RenderError,
    SettingsError,
    WeightsUnavailable,
)
from generator.protocol import Note, Phase, Progress
from generator.variants import BUILT_IN
from tests.support.edge import buttons, words

SECRET = "Traceback: torch.cuda exploded at /srv/secret.py:17"


def make_job(state: JobState = JobState.QUEUED, **more: Any) -> Job:
    values: dict[str, Any] = {
        "id": 17,
        "key": "k",
        "user_id": 42,
        "route": Route(application_id=1, channel_id=2, guild_id=3),
        "settings": ClipSettings(seed=7),
        "picture": "picture-k.png",
        "state": state,
        "attempt": 0,
        "cost_ms": 1000,
    }
    return Job(**(values | more))


def render_errors() -> list[RenderError]:
    plain = [kind(SECRET) for kind in RenderError.__subclasses__()]
    return [
        *plain,
        *(BadFrames(SECRET, kind=kind) for kind in ("nan", "black", "frozen", "strobing", "new")),
        *(WeightsUnavailable(SECRET, why=why) for why in ("missing", "gated", "offline", "damaged", "new")),
        *(EncodingFailed(SECRET, why=why) for why in ("ffmpeg-missing", "ffmpeg-failed", "budget", "new")),
        *(ExecutorLost(SECRET, cause=cause) for cause in ("exit", "signal", "stall", "garbage", "new")),
    ]


@pytest.mark.parametrize("error", render_errors(), ids=lambda error: f"{error.code}-{error.data}")
def test_every_render_error_says_what_happened_what_it_means_and_what_to_do(error: RenderError) -> None:
    sentences = explain_failure(error.to_wire())
    assert all((sentences.what, sentences.means, sentences.todo))
    assert "exploded" not in str(sentences)
    assert "secret" not in str(sentences)


def test_each_class_of_render_error_has_its_own_words() -> None:
    kinds = [kind(SECRET) for kind in RenderError.__subclasses__()]
    assert len({explain_failure(kind.to_wire()).what for kind in kinds}) == len(kinds)


def test_an_error_of_a_newer_version_still_gets_a_sentence() -> None:
    assert explain_failure({"code": "from-the-future", "text": SECRET}).what
    assert explain_failure({}).what


@pytest.mark.parametrize("reason", PictureReason)
def test_every_picture_reason_says_what_to_do_and_that_nothing_was_queued(reason: PictureReason) -> None:
    sentences = explain_picture(PictureError(reason, SECRET, max_bytes=25 * 1024**2, max_pixels=100_000_000))
    assert all((sentences.what, sentences.todo))
    assert sentences.means == "Nothing was queued."
    assert "exploded" not in str(sentences)


def test_picture_limits_are_told_in_numbers() -> None:
    assert "25 MiB" in str(explain_picture(PictureError(PictureReason.TOO_MANY_BYTES, "", max_bytes=25 * 1024**2)))
    assert "100 million" in str(
        explain_picture(PictureError(PictureReason.TOO_MANY_PIXELS, "", max_pixels=100_000_000, pixels=144_000_000))
    )


NOTES = {
    "memory": {"rung": "lean"},
    "rerun": {"why": "nan", "how": "float32"},
    "shrunk": {"width": 512, "height": 288, "from_width": 1024, "from_height": 576},
    "frame-rate": {"fps": 12, "from_fps": 24},
    "loop-score": {"score": 0.87},
    "small-picture": {"width": 64, "height": 36},
    "first-picture": {"of": 3},
    "first-frame": {},
    "flattened": {},
}


@pytest.mark.parametrize("kind", NOTES)
def test_every_note_has_a_sentence_also_without_its_facts(kind: str) -> None:
    [told] = explain_notes((Note(kind, NOTES[kind]),))
    [bare] = explain_notes((Note(kind),))
    assert told.endswith(".")
    assert bare.endswith(".")


@pytest.mark.parametrize(("score", "says"), [(1.0, "without a jump"), (0.3, "may see it jump")])
def test_a_loops_score_is_told_in_words(score: float, says: str) -> None:
    [told] = explain_notes((Note("loop-score", {"score": score}),))
    assert says in told


def test_the_settings_line_names_what_few_people_set() -> None:
    assert describe_settings(ClipSettings(seed=7)) == "motion 127 · MP4 · quality · seed 7 · svd-xt"
    unusual = ClipSettings(steps=1, frames=50, playback_fps=60, noise_augmentation=0.5, max_guidance=5.0)
    told = describe_settings(unusual)
    assert all(part in told for part in ("steps 1 ", "frames 50", "fps 60", "noise 0.5", "guidance 5"))


def test_the_notes_that_the_protocol_names_are_those_with_sentences() -> None:
    assert Note.__doc__ is not None
    named = {kind for kind in NOTES if f"`{kind}`" in Note.__doc__}
    assert named == set(NOTES)


def test_a_note_of_a_newer_version_is_left_out() -> None:
    assert explain_notes((Note("from-the-future"), Note("flattened"), Note("flattened"))) == [
        "The transparent parts were filled in."
    ]


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_name(phase: Phase) -> None:
    assert name_phase(phase)


def test_every_closed_set_has_its_sentence() -> None:
    assert all(explain_dead(reason) for reason in DeadReason)
    assert len({explain_dead(reason) for reason in DeadReason}) == len(DeadReason)
    assert all(explain_hold(Hold(cause, "a reason")) for cause in HoldCause)
    assert all(explain_cancel(outcome, 1) for outcome in CancelOutcome)
    assert all(explain_full(scope, 20) for scope in ("user", "guild"))
    assert explain_dead(None)


@pytest.mark.parametrize("setting", BOUNDS)
def test_an_option_out_of_range_is_named_with_its_range(setting: str) -> None:
    low, high = BOUNDS[setting]
    with pytest.raises(SettingsError) as caught:
        ClipSettings(**{setting: high + 1})
    text = explain_settings(caught.value)
    assert f"{low:g} to {high:g}" in text


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


def test_progress_never_goes_back_and_ends_full() -> None:
    steps = [Progress(phase, step, 4) for phase in Phase for step in range(5)]
    shares = [measure_progress(progress) for progress in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert measure_progress(Progress(Phase.DENOISE)) == pytest.approx(0.1)
    assert draw_bar(0.5, 4) == "▰▰▱▱"
    assert len(draw_bar(7.0, 4)) == 4


async def test_a_waiting_card_shows_place_times_settings_and_a_cancel_button() -> None:
    view = CardView(job=make_job(), place=Place(position=3, waiting=7, eta_low_ms=60_000, eta_high_ms=120_000))
    layout = status_card(view).to_components()
    assert "Number 3 in line." in words(layout)
    assert "<t:60:R>, or <t:120:R>" in words(layout)
    assert "seed 7" in words(layout)
    assert buttons(layout) == {"Cancel": f"vivant:cancel:17:{make_job().key}"}


async def test_a_running_card_shows_its_phase_and_progress() -> None:
    view = CardView(job=make_job(JobState.RUNNING), progress=Progress(Phase.DENOISE, 12, 25))
    text = words(status_card(view).to_components())
    assert "step 12 of 25" in text
    assert "▰" in text
    assert "46%" in text


@pytest.mark.parametrize("state", JobState)
async def test_every_state_has_a_card_that_says_when_it_is_the_demo_model(state: JobState) -> None:
    job = make_job(state, failure=RenderError(SECRET).to_wire() if state is JobState.FAILED else None)
    text = words(status_card(CardView(job=job, is_demo=True)).to_components())
    assert "Demo model" in text
    assert "exploded" not in text
    assert "Demo model" not in words(status_card(CardView(job=job)).to_components())


async def test_a_waiting_card_says_why_nothing_starts() -> None:
    view = CardView(job=make_job(), hold=Hold(HoldCause.PAUSED, "new model coming"))
    text = words(status_card(view).to_components())
    assert "new model coming" in text
    assert "Your place is kept." in text


async def test_a_clip_mentions_its_person_and_has_its_buttons() -> None:
    job = make_job(JobState.RENDERED, notes=(Note("flattened"),))
    assert clip_text(job, is_demo=True).startswith("<@42>")
    assert "Demo model" in clip_text(job, is_demo=True)
    assert "filled in" in clip_text(job, is_demo=False)
    assert set(buttons(clip_buttons(job).to_components())) == {
        "Again",
        "More motion",
        "Less motion",
        "Recipe",
        "Delete",
    }
    layout = clip_layout(job, "a.mp4", is_demo=True, spoiler=True).to_components()
    assert "Demo model" in words(layout)
    assert layout[1]["items"][0]["spoiler"] is True  # type: ignore[typeddict-item]


async def test_the_last_card_leads_to_the_clip_or_to_the_command_that_hands_it_over() -> None:
    job = make_job(JobState.RENDERED, started_ms=1_000, finished_ms=99_000, facts={"seconds": 42.4})
    assert "https://discord.com/x" in words(sent_card(job, "https://discord.com/x", is_demo=False).to_components())
    assert "in 42 s" in words(sent_card(job, "https://discord.com/x", is_demo=False).to_components())
    assert "/result job:17" in words(dead_card(job, DeadReason.CHANNEL_GONE).to_components())
    assert "/result" not in words(dead_card(job, DeadReason.CLIP_GONE).to_components())
    failed = replace(job, state=JobState.FAILED, failure=BadFrames(SECRET, kind="black").to_wire())
    assert "black" in words(dead_card(failed, DeadReason.CHANNEL_GONE).to_components())
    assert "black" in failure_text(failed)


def test_names_and_nonces_are_what_discord_takes() -> None:
    assert clip_name("0539f79b-17", Format.GIF) == "vivant-0539f79b-17.gif"


def test_the_line_names_nobody_of_another_server_and_fits_a_message() -> None:
    place = Place(position=1, waiting=9, eta_low_ms=10**9, eta_high_ms=10**10)
    mine = [(make_job(id=10**9 + number, user_id=10**18), place) for number in range(60)]
    others = [make_job(id=number, user_id=10**18 + number) for number in range(60)]
    elsewhere = replace(others[0], route=replace(others[0].route, guild_id=99))
    text = describe_line(mine, [elsewhere, *others[1:]], begun=set(), guild_id=3, now_ms=10**13, hold=None)
    assert len(text) <= 2000
    assert f"<@{others[1].user_id}>" in text
    assert f"<@{elsewhere.user_id}>" not in text
    assert "more" in text
    assert "empty" in describe_line([], [], begun=set(), guild_id=None, now_ms=0, hold=None)


def test_a_recipe_lists_every_setting() -> None:
    text = describe_recipe(ClipSettings(seed=4242), source="job 1")
    assert all(key in text for key in ClipSettings().to_json())
    assert "4242" in text


def test_long_answers_fit_a_message() -> None:
    assert len(help_text(BUILT_IN["svd-xt"])) <= 2000
    assert len(privacy_text(24, 30, "https://example.org/privacy")) <= 2000
    status = describe_status(
        counts=dict.fromkeys(JobState, 3),
        backends=[{"device": "cuda", "versions": {"torch": "2"}}, {}],
        free_bytes=10**10,
        variant="svd-xt",
        hold=Hold(HoldCause.CRASH_STORM),
    )
    assert "Nothing is started" in status
    many = [{"name": "a card", "problem": "x" * 500}] * 8
    assert len(describe_status(counts={}, backends=many, free_bytes=0, variant="svd-xt", hold=None)) <= 2000


def test_durations_are_said_as_people_say_them() -> None:
    assert [format_minutes(value) for value in (0, 42_000, 61_000, 7_200_000)] == ["1 s", "42 s", "1 min", "2.0 h"]


def test_no_generator_error_reaches_people_as_text() -> None:
    assert all("exploded" not in str(explain_failure(error.to_wire())) for error in render_errors())
    assert isinstance(RenderError(SECRET), GeneratorError)
