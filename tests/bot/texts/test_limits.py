"""No text can exceed Discord's limits, whatever the configuration, the row or the model says.

Every public function of `bot.texts` is called with the longest values of its parameters' types. A new function is
tested by itself; a new type asks here how long it can be.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import itertools
import pkgutil
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bot.texts
from bot.policy.admission import Reason, ReasonKind
from bot.policy.blocking import Block, Subject
from bot.policy.language import LANGUAGES
from bot.policy.motion import Motion
from bot.policy.quota import MOST_CLIPS, Exceeded, Measure, Quota, Scope, Used
from bot.policy.told import Told
from bot.queue.job import DeliveryState, Job, JobState, QueuePosition
from bot.queue.life.advance import Standing
from bot.queue.life.past import PastJob
from bot.texts.explanations import Sentences
from bot.texts.jobs.history import HistoryPage
from bot.texts.jobs.queue_list import QueueView
from bot.texts.jobs.status import CardView, Origin
from bot.texts.languages.spoken import speaking
from bot.texts.limits import (
    MESSAGE_LETTERS,
    PRESENCE_LETTERS,
    count_letters,
    fit_parts,
    shorten,
)
from bot.texts.replies import no_variant_text
from bot.work.gate import Hold, HoldCause
from generator.clip import BOUNDS, ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.errors import ExecutorLost, PictureError, PictureReason, RenderError, SettingsError
from generator.protocol import Note, Phase, Progress
from generator.variants import Variant
from generator.video.credentials.manifest import Credentials, CredentialState
from scripts.languages.labels import label_functions
from tests.bot.texts.test_notes import NOTES
from tests.support.texts import make_job, render_errors

LONG = "Ẅ🎞" * 1500
"""letters outside of the basic plane count twice"""
HUGE = 2**62
VARIANTS = {f"{number}-{LONG}": Variant(name=f"{number}-{LONG}", source=LONG, frames=25) for number in range(40)}
VARIANT = Variant(name=LONG, source=LONG, frames=25, description=LONG, licence=LONG, licence_url=LONG)
SETTINGS = ClipSettings(
    variant=LONG,
    quality=Quality.BALANCED,
    loop=Loop.CROSSFADE,
    framing=Framing.SMART,
    format=Format.WEBP,
    smooth=True,
    steps=100,
    frames=50,
    playback_fps=60,
    noise_augmentation=0.123456,
    max_guidance=9.87654,
    seed=int(BOUNDS["seed"][1]),
)
NOTES_OF_ALL_KINDS = tuple(Note(kind, data) for kind, data in NOTES.items())
POSITION = QueuePosition(
    position=HUGE, waiting=HUGE, eta_low_ms=HUGE, eta_high_ms=HUGE, running=HUGE, people=HUGE, own=HUGE, eta_ms=HUGE
)
ORIGIN = Origin(f"https://discord.com/channels/{HUGE}/{HUGE}/{HUGE}")
STANDING = Standing(0.99, HUGE)
FAILURES = [error.to_wire() for error in render_errors()]


def job(state: JobState, failure: dict[str, Any] | None = None) -> Job:
    more: dict[str, Any] = {"id": HUGE, "user_id": HUGE, "settings": SETTINGS, "notes": NOTES_OF_ALL_KINDS}
    more["told"] = Told(chosen=(*BOUNDS, "motion", "quality", "loop", "framing", "guidance"), description=LONG)
    return make_job(state, **more, attempt=1, failure=failure, facts={"seconds": 1e9, "motion": 0.0})


JOBS = [*(job(state) for state in JobState), *(job(JobState.FAILED, failure) for failure in FAILURES)]
HOLDS = [Hold(cause, LONG) for cause in HoldCause]
VIEWS = [
    CardView(
        job=replace(item, key=str(HUGE)),
        position=position,
        progress=progress,
        now_ms=HUGE,
        hold=hold,
        needs_larger_card=True,
        origin=ORIGIN,
        standing=STANDING if progress else None,
        due_ms=2 * HUGE if hold is None else None,
    )
    for item in JOBS
    for position in (None, POSITION)
    for progress in (None, *(Progress(phase, HUGE, HUGE) for phase in Phase))
    for hold in (None, *HOLDS)
]
QUEUE = QueueView(
    user_id=HUGE,
    active=[job(JobState.QUEUED)] * 300,
    positions={HUGE: POSITION},
    names={HUGE: LONG},
    now_ms=HUGE,
    hold=HOLDS[0],
)
PAST = [
    PastJob(job=item, finished_ms=HUGE, delivery=delivery, message_id=HUGE)
    for item in JOBS
    for delivery in DeliveryState
]
QUOTA = Quota(**dict.fromkeys(Quota.model_fields, MOST_CLIPS))
USED = Used(clips=HUGE, cost_ms=HUGE, active_clips=HUGE, active_cost_ms=HUGE)
EXCEEDED = Exceeded(scope=Scope.MEMBER, measure=Measure.GPU_SECONDS_PER_DAY, limit=HUGE, free_again_ms=HUGE)
BLOCKS = [
    Block(subject=subject, number=HUGE, reason=LONG, until_ms=until) for subject in Subject for until in (None, HUGE)
]
REASON_DATA: dict[str, Any] = {
    **dict.fromkeys(("why", "variant"), LONG),
    **{key: list(VARIANTS) for key in ("missing", "allowed")},
    **{key: list(range(HUGE, HUGE + 1000)) for key in ("channels", "roles")},
    **{"most": 60.0, "bucket": HUGE, "seconds": 1e300, "exceeded": EXCEEDED, "block": BLOCKS[-1]},
}
LONGEST: dict[Any, list[Any]] = {
    str: [LONG],
    int: [HUGE, -HUGE],
    float: [1e300],
    bool: [True, False],
    type(None): [None],
    enum.StrEnum: [word for kind in (Motion, Format, Quality, Shape, Framing, Loop) for word in kind],
    Variant: [VARIANT],
    Block: BLOCKS,
    list[Block]: [BLOCKS * 100],
    dict[str, str]: [dict.fromkeys(VARIANTS, LONG)],
    ClipSettings: [SETTINGS],
    Job: JOBS,
    CardView: VIEWS,
    Hold: HOLDS,
    QueuePosition: [POSITION],
    Progress: [Progress(phase, HUGE, HUGE) for phase in Phase],
    PictureError: [
        PictureError(reason, LONG, max_bytes=HUGE, max_pixels=HUGE, pixels=HUGE) for reason in PictureReason
    ],
    SettingsError: [SettingsError(LONG, setting=LONG, low=-1e300, high=1e300)],
    ExecutorLost: [error for error in render_errors() if isinstance(error, ExecutorLost)],
    RenderError: render_errors(),
    Iterable[str]: [list(VARIANTS)],
    Sequence[str]: [list(VARIANTS)],
    Sequence[int]: [[HUGE], [HUGE] * 10_000],
    list[str]: [list(VARIANTS)],
    dict[str, Variant]: [VARIANTS],
    Mapping[str, Any]: FAILURES,
    dict[str, Any]: FAILURES,
    tuple[Note, ...]: [NOTES_OF_ALL_KINDS],
    dict[JobState, int]: [dict.fromkeys(JobState, HUGE)],
    list[dict[str, object]]: [[{f"{LONG}{key}": LONG for key in range(5)}] * 40],
    list[Job]: [[job(JobState.QUEUED)] * 300],
    QueueView: [QUEUE],
    PastJob: PAST,
    HistoryPage: [HistoryPage(entries=PAST[:4], older=HUGE, names={HUGE: LONG}, clip_hours=HUGE, row_days=HUGE)],
    Credentials: [
        Credentials(state=state, signer=LONG, is_generated=generated)
        for state in CredentialState
        for generated in (True, False)
    ],
    Exceeded: [EXCEEDED],
    Quota: [QUOTA],
    Iterable[tuple[Scope, Quota]]: [[(scope, QUOTA) for scope in Scope]],
    Mapping[Scope, Used]: [dict.fromkeys(Scope, USED)],
    Reason: [Reason(kind, REASON_DATA) for kind in ReasonKind],
}


def longest(annotation: Any) -> list[Any]:
    """Return the longest values of a type."""
    if annotation in LONGEST:
        return LONGEST[annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return [value for part in typing.get_args(annotation) for value in longest(part)]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return list(annotation)
    raise AssertionError(f"add to LONGEST how long a text gets with {annotation}")


def texts_of(value: Any) -> Iterator[str]:
    """Yield what a person reads in one place, of whatever a function returned."""
    if isinstance(value, str | Sentences):
        yield str(value)
    elif isinstance(value, list):
        yield "\n".join(value)
    elif isinstance(value, tuple):
        title, lines = value
        yield "\n".join([title, *lines])
    else:
        assert value is None


TOOLS = {"bot.texts.limits", *(f"bot.texts.languages.{name}" for name in ("numbers", "sentences", "spoken"))}
"""modules that say nothing of their own"""


def functions() -> dict[str, Callable[..., Any]]:
    """Return every public function of the room that makes a text."""
    found: dict[str, Callable[..., Any]] = {}
    for module in pkgutil.walk_packages([str(Path(str(bot.texts.__file__)).parent)], "bot.texts."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            own = function.__module__ == module.name and not name.startswith("_") and module.name not in TOOLS
            if own and "float" not in str(inspect.signature(function).return_annotation):
                found[f"{module.name.removeprefix('bot.texts.')}.{name}"] = function
    return found


CASES: dict[str, Callable[..., Any]] = functions()
SMALLER = {
    "jobs.running.describe_presence": PRESENCE_LETTERS,
    "descriptions.alt_text": 256,  # a layout takes less than a file
    **label_functions(),
}
PARTS = {
    "asking.animate_form.form_choices",  # tests/bot/edge/commands/form/test_fields.py
    "refusals.say_block",  # by `refusals.blocked_text` and `safety.operators`
    *("descriptions.small_print", "explanations.may_be_picture", "jobs.status.draw_bar"),
    *("settings.settings_panel.choice_label", "settings.settings_panel.page_title", "settings.quotas.form_label"),
    # test_server_settings.py knows the names
    *(f"settings.server_settings.{name}" for name in ("changed_text", "describe_setting", "setting_title")),
}
"""what is no text, puts together what other functions here return, or takes what its callers choose"""


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", sorted(CASES.keys() - PARTS))
def test_no_text_exceeds_what_discord_takes(name: str, code: str) -> None:
    function = CASES[name]
    hints = typing.get_type_hints(function)
    kinds = {parameter: longest(hints[parameter]) for parameter in inspect.signature(function).parameters}
    most = SMALLER.get(name, MESSAGE_LETTERS)
    with speaking(code):
        for values in itertools.product(*kinds.values()):
            for text in texts_of(function(**dict(zip(kinds, values, strict=True)))):
                assert count_letters(text) <= most, text


def test_every_function_has_values_to_be_called_with() -> None:
    for name in CASES.keys() - PARTS:
        hints = typing.get_type_hints(CASES[name])
        assert all(longest(hints[parameter]) for parameter in inspect.signature(CASES[name]).parameters), name


def test_a_label_is_held_to_what_its_component_takes() -> None:
    assert SMALLER["jobs.history.button_label"] == SMALLER["asking.mending.mend_label"] == 80
    assert SMALLER["asking.mending.mend_title"] == SMALLER["asking.mending.field_label"] == 45
    assert SMALLER["asking.mending.refused_field_text"] == SMALLER["asking.choosing.choice_text"] == 100
    assert SMALLER["jobs.after_clip.menu_text"] == 150


def test_the_rooms_functions_are_found_and_a_text_without_a_limit_would_be_seen() -> None:
    assert len(CASES) > 40

    def unlimited(variants: dict[str, Variant]) -> str:
        return ", ".join(variants)

    [value] = longest(typing.get_type_hints(unlimited)["variants"])
    assert count_letters(unlimited(value)) > MESSAGE_LETTERS


def test_a_text_is_cut_as_discord_counts_and_never_in_the_middle_of_a_letter() -> None:
    assert shorten("short", 10) == "short"
    assert shorten("a" * 11, 10) == "a" * 9 + "…"
    for most in range(3, 12):
        cut = shorten("🎞" * 50, most)
        assert count_letters(cut) <= most
        assert set(cut) <= {"🎞", "…"}


def test_a_list_that_is_too_long_says_how_much_is_missing() -> None:
    assert fit_parts(["one", "two"], 100, ", ") == "one, two"
    assert fit_parts([f"variant-{number}" for number in range(29)], 60, ", ").endswith("… and 25 more")
    names = [f"a-rather-long-name-of-a-variant-{number:03d}" for number in range(100)]
    text = no_variant_text("nothing", names)
    shown = [name for name in names if name in text]
    assert f"and {100 - len(shown)} more" in text
