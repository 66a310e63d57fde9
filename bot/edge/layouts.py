"""Every layout a person sees: status cards, clip posts, lists. Pure: records in, discord.py views and text out.

The status card is a Components V2 layout. The clip itself is an ordinary message with a plain attachment, because
that plays everywhere, can be forwarded, and is found again by its file name in the channel's history.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from bot.queue.job import Job, JobState, Place, Route
from bot.texts.explanations import (
    DeadReason,
    explain_dead,
    explain_failure,
    explain_hold,
    explain_notes,
    format_minutes,
    name_phase,
)
from bot.work.gate import Hold
from generator.clip import DEFAULT_STEPS, ClipSettings, Format, Framing, Loop
from generator.protocol import Phase, Progress
from generator.variants import BUILT_IN, Variant

if TYPE_CHECKING:
    from bot.edge.client import VivantClient

PREVIEW_NAME = "framing.png"
ALT_TEXT = "A short clip made from a picture"
LINE_SHOWN = 10
MOST_LETTERS = 2000
"""what Discord takes in one message"""
DEMO_LABEL = "Demo model: tiny, soft frames that show how it works, not how good it gets."

_WAITING, _WORKING, _DONE, _FAILED, _QUIET = (
    discord.Colour(value) for value in (0x8B8FA3, 0x5865F2, 0x2D9D5C, 0xC8503C, 0x4E5058)
)


class Action(StrEnum):
    """What a button on a message does to its job."""

    CANCEL = "cancel"
    AGAIN = "again"
    MORE = "more"
    LESS = "less"
    RECIPE = "recipe"
    DELETE = "delete"
    FORGET = "forget"


CLIP_ACTIONS = (Action.AGAIN, Action.MORE, Action.LESS, Action.RECIPE, Action.DELETE)

_LABELS: dict[Action, tuple[str, discord.ButtonStyle]] = {
    Action.CANCEL: ("Cancel", discord.ButtonStyle.secondary),
    Action.AGAIN: ("Again", discord.ButtonStyle.primary),
    Action.MORE: ("More motion", discord.ButtonStyle.secondary),
    Action.LESS: ("Less motion", discord.ButtonStyle.secondary),
    Action.RECIPE: ("Recipe", discord.ButtonStyle.secondary),
    Action.DELETE: ("Delete", discord.ButtonStyle.secondary),
    Action.FORGET: ("Yes, delete all of it", discord.ButtonStyle.danger),
}


class JobButton(
    ui.DynamicItem[ui.Button[Any]], template=r"vivant:(?P<action>[a-z]+):(?P<number>\d+)(?::(?P<key>[\w-]*))?"
):
    """A button that still works after a restart: its custom id says everything.

    `number` is the job's id, or for `forget` the person's. `key` is the job's, because a new database begins to count
    its jobs from one again.
    """

    def __init__(self, action: Action, number: int, key: str = "") -> None:
        label, style = _LABELS[action]
        super().__init__(ui.Button(label=label, style=style, custom_id=f"vivant:{action}:{number}:{key}"))
        self.action = action
        self.number = number
        self.key = key

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the button from a press."""
        return cls(Action(match["action"]), int(match["number"]), match["key"] or "")

    async def callback(self, interaction: discord.Interaction[VivantClient]) -> None:  # type: ignore[override]
        """Hand the press to the client, which knows what to do."""
        await interaction.client.press(interaction, self.action, self.number, self.key)


@dataclass(frozen=True, slots=True)
class CardView:
    """All that a status card depends on."""

    job: Job
    place: Place | None = None
    progress: Progress | None = None
    now_ms: int = 0
    is_demo: bool = False
    hold: Hold | None = None
    has_preview: bool = True


def describe_settings(settings: ClipSettings) -> str:
    """Give a clip's settings in one short line."""
    parts = [f"motion {settings.motion_bucket}", str(settings.format).upper(), str(settings.quality)]
    if settings.loop is not Loop.NONE:
        parts.append(f"{settings.loop} loop")
    if settings.framing is not Framing.CROP:
        parts.append(f"{settings.framing} framing")
    if settings.smooth:
        parts.append("smooth")
    parts += _unusual(settings)
    return " · ".join([*parts, f"seed {settings.seed}", settings.variant])


def _unusual(settings: ClipSettings) -> list[str]:
    """Name what few people set, where it is not what the bot would have chosen."""
    plain = ClipSettings()
    usual = {
        "steps": (settings.steps, (DEFAULT_STEPS[settings.quality],)),
        "frames": (settings.frames, tuple(variant.frames for variant in BUILT_IN.values())),
        "fps": (settings.playback_fps, (plain.playback_fps,)),
        "noise": (settings.noise_augmentation, (plain.noise_augmentation,)),
        "guidance": (settings.max_guidance, (plain.max_guidance, 1.0)),
    }
    return [f"{name} {value:g}" for name, (value, expected) in usual.items() if value not in expected]


_PHASE_SPANS: dict[Phase, tuple[float, float]] = {
    # share of the bar a phase fills: denoising is where the time goes
    Phase.LOAD: (0.0, 0.05),
    Phase.PREPARE: (0.05, 0.10),
    Phase.DENOISE: (0.10, 0.85),
    Phase.DECODE: (0.85, 0.95),
    Phase.ENCODE: (0.95, 1.0),
}


def measure_progress(progress: Progress) -> float:
    """Give the whole render's progress, 0 to 1; it never goes back from one phase to the next."""
    low, high = _PHASE_SPANS[progress.phase]
    inside = min(progress.step / progress.of, 1.0) if progress.of else 0.0
    return low + (high - low) * inside


def draw_bar(fraction: float, cells: int = 16) -> str:
    """Draw a progress bar."""
    full = round(max(0.0, min(1.0, fraction)) * cells)
    return "▰" * full + "▱" * (cells - full)


def status_card(view: CardView) -> ui.LayoutView:
    """Lay out a job's status card."""
    title, body, colour = _describe_state(view)
    lines = [f"### {title}", *body]
    small = [f"-# {describe_settings(view.job.settings)}"]
    small += [f"-# {sentence}" for sentence in explain_notes(view.job.notes)]
    if view.is_demo:
        small.append(f"-# {DEMO_LABEL}")
    buttons = [] if view.job.state not in (JobState.QUEUED, JobState.RUNNING) else [Action.CANCEL]
    if view.job.state is JobState.FAILED:
        buttons = [Action.AGAIN]
    preview = view.job.route if view.has_preview and view.job.state in (JobState.QUEUED, JobState.RUNNING) else None
    return _layout(
        lines, small, colour, [JobButton(action, view.job.id, view.job.key) for action in buttons], preview=preview
    )


def _layout(
    lines: list[str],
    small: list[str],
    colour: discord.Colour,
    buttons: list[JobButton],
    *,
    preview: Route | None = None,
) -> ui.LayoutView:
    text: ui.TextDisplay[Any] = ui.TextDisplay("\n".join(lines))
    box: ui.Container[Any] = ui.Container(accent_colour=colour)
    if preview is not None:
        picture: ui.Thumbnail[Any] = ui.Thumbnail(
            f"attachment://{'SPOILER_' if preview.spoiler else ''}{PREVIEW_NAME}",  # as discord.File names it
            description="The part of the picture that will move",
            spoiler=preview.spoiler,
        )
        box.add_item(ui.Section(text, accessory=picture))
    else:
        box.add_item(text)
    if small:
        box.add_item(ui.TextDisplay("\n".join(small)))
    if buttons:
        box.add_item(ui.ActionRow(*buttons))
    layout = ui.LayoutView(timeout=None)
    layout.add_item(box)
    return layout


def _describe_state(view: CardView) -> tuple[str, list[str], discord.Colour]:
    job = view.job
    if job.state is JobState.QUEUED:
        return "Waiting for its turn", _describe_place(view), _WAITING
    if job.state is JobState.RUNNING and view.progress is None and not job.cancel_requested:
        return "Nearly its turn", ["The graphics card is getting ready for it."], _WORKING
    if job.state is JobState.RUNNING:
        return "Bringing it to life", _describe_progress(view), _WORKING
    if job.state is JobState.RENDERED:
        return "Your clip is ready", ["Sending it now."], _DONE
    if job.state is JobState.CANCELLED:
        return "Cancelled", ["There will be no clip."], _QUIET
    sentences = explain_failure(job.failure or {})
    return "No clip this time", [sentences.what, sentences.means, sentences.todo], _FAILED


def _describe_place(view: CardView) -> list[str]:
    if view.hold is not None:
        return [explain_hold(view.hold), "Your place is kept."]
    if view.place is None:
        return ["It is in the line."]
    place = view.place
    where = "Next in line." if place.position == 1 else f"Number {place.position} in line."
    lines = [where, _describe_times(place, view.now_ms)]
    if view.job.attempt:
        lines.append("It was interrupted and starts over on its own.")
    return lines


def _describe_times(place: Place, now_ms: int) -> str:
    soonest, latest = (_moment(now_ms + eta_ms) for eta_ms in (place.eta_low_ms, place.eta_high_ms))
    return f"Ready {soonest}, or {latest} if it takes long."


def _describe_progress(view: CardView) -> list[str]:
    if view.job.cancel_requested or view.progress is None:
        return ["Stopping."]
    fraction = measure_progress(view.progress)
    steps = f", step {view.progress.step} of {view.progress.of}" if view.progress.of > 1 else ""
    return [f"{name_phase(view.progress.phase)}{steps}.", f"{draw_bar(fraction)} {fraction:.0%}"]


def _moment(at_ms: int) -> str:
    # Discord shows this as "in 3 minutes" and counts down by itself, so that the card needs no edit for it
    return f"<t:{at_ms // 1000}:R>"


def sent_card(job: Job, url: str, *, is_demo: bool) -> ui.LayoutView:
    """Lay out the card of a job whose clip or failure has been posted at `url`."""
    if job.state is JobState.FAILED:
        return _layout([f"No clip this time: [why, and what to do]({url})."], [], _FAILED, [])
    took_ms = int(1000 * (job.facts or {}).get("seconds", 0))
    took = f" in {format_minutes(took_ms)}" if took_ms >= 1000 else ""
    small = [f"-# {DEMO_LABEL}"] if is_demo else []  # the settings are on the clip
    return _layout([f"Done{took}: [here is the clip]({url})."], small, _DONE, [])


def deleted_card() -> ui.LayoutView:
    """Lay out the card of a job whose clip its person has deleted."""
    return _layout(["The clip was deleted."], [], _QUIET, [])


def failed_card(job: Job) -> ui.LayoutView:
    """Lay out the card of a failed job that cannot be told in a message of its own."""
    return status_card(CardView(job=job))


def clip_layout(job: Job, file_name: str, *, is_demo: bool, spoiler: bool) -> ui.LayoutView:
    """Lay out clip and card in one: for places where only the interaction's answer can be edited."""
    layout = ui.LayoutView(timeout=None)
    layout.add_item(ui.TextDisplay(clip_text(job, is_demo=is_demo)))
    clip = discord.MediaGalleryItem(f"attachment://{file_name}", description=ALT_TEXT, spoiler=spoiler)
    layout.add_item(ui.MediaGallery(clip))
    layout.add_item(ui.ActionRow(*(JobButton(action, job.id, job.key) for action in CLIP_ACTIONS)))
    return layout


def dead_card(job: Job, reason: str | None) -> ui.LayoutView:
    """Lay out the card of a job whose clip or failure could not be posted in its place."""
    if job.state is not JobState.RENDERED:
        return status_card(CardView(job=job))
    lines = ["### Your clip is ready, but not here", explain_dead(reason)]
    if reason != DeadReason.CLIP_GONE:
        lines.append(f"Use `/result job:{job.id}` wherever you can see me, and I will hand it to you.")
    return _layout(lines, [], _FAILED, [])


def clip_text(job: Job, *, is_demo: bool) -> str:
    """Give the text above a posted clip; it mentions its person, who is thereby told."""
    lines = [f"<@{job.user_id}> here is your clip."]
    lines += [f"-# {sentence}" for sentence in explain_notes(job.notes)]
    lines.append(f"-# {describe_settings(job.settings)}")
    if is_demo:
        lines.append(f"-# {DEMO_LABEL}")
    return "\n".join(lines)


def clip_buttons(job: Job) -> ui.View:
    """Give the buttons below a posted clip."""
    view = ui.View(timeout=None)
    for action in CLIP_ACTIONS:
        view.add_item(JobButton(action, job.id, job.key))
    return view


def failure_text(job: Job) -> str:
    """Give the message that tells a person that their job failed."""
    return f"<@{job.user_id}> {explain_failure(job.failure or {})}"


def failure_buttons(job: Job) -> ui.View:
    """Give the buttons below a failure."""
    view = ui.View(timeout=None)
    view.add_item(JobButton(Action.AGAIN, job.id, job.key))
    return view


def clip_name(nonce: str, format: Format) -> str:
    """Name the posted file: unique per installation and job, so that it can be found again in a channel."""
    return f"vivant-{nonce}.{format}"


def describe_recipe(settings: ClipSettings, *, source: str) -> str:
    """Give every setting of a clip as a list a person can copy."""
    wire = settings.to_json()
    order = ("variant", "frames", "motion_bucket", "noise_augmentation", "conditioning_fps", "playback_fps")
    keys = [*order, *(key for key in wire if key not in order)]
    rows = [f"{key:20s} {'whole clip' if wire[key] is None else wire[key]}" for key in keys if key in wire]
    return (
        f"Recipe of {source}\n```\n" + "\n".join(rows) + "\n```\nThe same seed gives the same clip on the same setup."
    )


def describe_line(
    own: list[tuple[Job, Place | None]],
    active: list[Job],
    *,
    begun: set[tuple[int, int]],
    guild_id: int | None,
    now_ms: int,
    hold: Hold | None,
) -> str:
    """Give a person's own jobs and the whole line; people of other servers stay unnamed.

    `begun` names the tries, as job and attempt, that a GPU works on; the others that are running come next.
    """
    rows = [] if hold is None else [explain_hold(hold), ""]
    rows += ["**Your pictures**"] if own else ["You have nothing in the line. `/animate` puts a picture there."]
    for job, place in own[:LINE_SHOWN]:
        rows.append(
            f"`{job.id}` {_describe_place_of(job, place, now_ms, begun=(job.id, job.attempt) in begun, hold=hold)}"
        )
    rows += _and_more(len(own))
    waiting = [job for job in active if job.state is JobState.QUEUED]
    if not active:
        return "\n".join([*rows, "", "The line is empty."])
    made = len([job for job in active if job.state is JobState.RUNNING and (job.id, job.attempt) in begun])
    next_up = len(active) - len(waiting) - made
    counted = [f"{made} being made", *([f"{next_up} up next"] if next_up else []), f"{len(waiting)} waiting"]
    rows += ["", f"**The line**: {', '.join(counted)}"]
    mine = {job.id for job, _ in own}
    for number, job in enumerate(waiting[:LINE_SHOWN], 1):
        is_known = job.id in mine or (guild_id is not None and job.route.guild_id == guild_id)
        rows.append(f"{number}. {f'<@{job.user_id}>' if is_known else 'somebody elsewhere'}")
    rows += _and_more(len(waiting))
    rows.append("-# The order is fair: whoever has used less of the graphics card's time comes first.")
    return "\n".join(rows)


def _and_more(count: int) -> list[str]:
    return [f"… and {count - LINE_SHOWN} more"] if count > LINE_SHOWN else []


def _describe_place_of(job: Job, place: Place | None, now_ms: int, *, begun: bool, hold: Hold | None) -> str:
    if job.state is not JobState.QUEUED:
        return "being made now" if begun else "up next"
    if place is None:
        return "waiting"
    if hold is not None:
        return f"number {place.position} in line"
    return f"number {place.position} in line. {_describe_times(place, now_ms)}"


def describe_variants(variants: dict[str, Variant], current: str) -> str:
    """List the variants, the one in use marked."""
    rows = [
        f"{'▸' if name == current else '·'} **{name}**: {variant.description or variant.source}"
        for name, variant in sorted(variants.items())
    ]
    return "\n".join(rows)


def describe_status(
    *,
    counts: dict[JobState, int],
    backends: list[dict[str, object]],
    free_bytes: int,
    variant: str,
    hold: Hold | None,
) -> str:
    """Tell an admin how the bot is doing."""
    rows = [f"Variant **{variant}**, {free_bytes / 1024**3:.1f} GiB of disk left"]
    if hold is not None:
        rows.append(f"**Nothing is started.** {explain_hold(hold)}")
    rows.append(" · ".join(f"{counts.get(state, 0)} {state}" for state in JobState))
    for number, facts in enumerate(backends):
        known = ", ".join(f"{key} {value}" for key, value in facts.items() if isinstance(value, str | int | float))
        rows.append(f"GPU process {number}: {known or 'starting'}"[:400])
    return "\n".join(rows)[:MOST_LETTERS]


def describe_presence(variant: Variant, waiting: int, hold: Hold | None) -> str:
    """Give the line below the bot's name."""
    if hold is not None:
        return "paused"
    busy = f"{waiting} waiting" if waiting else "ready for a picture"
    return f"{variant.name} · {busy}"
