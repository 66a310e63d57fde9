"""What a status card and /queue say: position, times, progress. No Discord."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bot.queue.estimates import is_wide, round_wait
from bot.queue.job import SETTLED, Job, JobState, QueuePosition
from bot.queue.life.advance import Standing
from bot.texts.explanations import explain_hold
from bot.texts.failures import explain_failure
from bot.texts.limits import MESSAGE_LETTERS, shorten
from bot.work.gate import Hold
from generator.protocol import Phase, Progress

_DISCORD_EPOCH = 1_420_070_400
"""of the times in Discord's ids, in seconds"""

SHOWN_AT_MOST = 10
"""jobs that /queue lists: a message takes 2,000 letters"""


@dataclass(frozen=True, slots=True)
class CardView:
    """All that a status card depends on."""

    job: Job
    position: QueuePosition | None = None
    progress: Progress | None = None
    now_ms: int = 0
    hold: Hold | None = None
    has_preview: bool = True
    needs_larger_card: bool = False
    """some of the cards here have no room for the clip"""
    standing: Standing | None = None
    """how far the render is"""
    due_ms: int | None = None
    """when the clip is promised; None: the range of `position` is told, or nothing is known"""
    preview: str = ""
    """a small PNG in base64 of what is being made; empty: the card shows the framed picture"""
    origin: Origin | None = None
    """of a card that a button made: of which clip"""


@dataclass(frozen=True, slots=True)
class Origin:
    """The clip under which a button was pressed."""

    url: str | None
    """where it is posted; None: it is not there any more"""


_PHASES = {
    Phase.LOAD: "Loading the model",
    Phase.PREPARE: "Looking at the picture",
    Phase.DENOISE: "Dreaming up the motion",
    Phase.DECODE: "Painting the frames",
    Phase.ENCODE: "Writing the clip",
}


def draw_bar(fraction: float, cells: int = 16) -> str:
    """Draw a progress bar for a fraction from 0 to 1."""
    full = round(max(0.0, min(1.0, fraction)) * cells)
    return "▰" * full + "▱" * (cells - full)


def describe_state(view: CardView) -> tuple[str, list[str]]:
    """Return a card's title and the sentences below it."""
    job = view.job
    if job.state is JobState.QUEUED:
        return "Waiting for its turn", describe_position(view)
    if job.state is JobState.RUNNING and view.progress is None and not job.cancel_requested:
        return "Nearly its turn", ["The graphics card is getting ready for it.", *_promise(view)]
    if job.state is JobState.RUNNING:
        return "Bringing it to life", describe_progress(view)
    if job.state is JobState.RENDERED:
        return "Your clip is ready", ["Sending it now."]
    if job.state is JobState.CANCELLED:
        who = ["A moderator cancelled it."] if job.by_moderator else []
        return "Cancelled", [*who, "There will be no clip."]
    sentences = explain_failure(job.failure or {})
    return "No clip this time", [sentences.what, sentences.means, sentences.todo]


def describe_origin(view: CardView) -> list[str]:
    """Say who asked for a clip and when, in small letters. A card that a button made also says under which clip.

    Discord itself shows who used a command, and nothing of the sort for a button.
    """
    job = view.job
    asked = f"<t:{(int(job.key) >> 22) // 1000 + _DISCORD_EPOCH}:R>" if job.key.isdigit() else ""
    if view.origin is None:
        return [f"-# Asked for {asked}"] if asked and job.state not in SETTLED else []
    if view.origin.url is None:
        return [f"-# <@{job.user_id}> asked {asked} for another clip of an earlier picture."]
    return [f"-# <@{job.user_id}> asked {asked} for another clip like [this one]({view.origin.url})."]


def describe_preview(view: CardView) -> str:
    """Return what the picture on a card shows, for whoever does not see it."""
    if view.preview:
        return "A rough AI-generated preview of the clip"
    return "The part of the picture that will move"


def describe_position(view: CardView) -> list[str]:
    """Say where a waiting job stands and when it may be done, or why nothing is started."""
    if view.hold is not None:
        return [explain_hold(view.hold), "Your place is kept."]
    if view.position is None:
        return ["It is in the queue."]
    lines = [describe_turn(view.position), *(_promise(view) or [describe_range(view.position)])]
    if view.needs_larger_card:
        lines.append("It is too large for one of the graphics cards here, so it waits for a larger one.")
    elif view.job.attempt:
        lines.append("It was interrupted and starts over on its own.")
    return lines


def describe_turn(position: QueuePosition) -> str:
    """Say whose clips come before a waiting one, and why."""
    before = position.position - 1 + position.running
    if before == 0:
        return "Next in the queue."
    if before == 1:
        return "Next, after your other clip." if position.own else "Next, after one other clip."
    if position.position == 1:
        mine = position.own >= before
        return f"Next, after {before} other clips of yours." if mine else f"Next, after {before} other clips."
    if position.own >= before:
        return f"{before} clips of yours come before this one."
    if position.own:
        return f"{before} clips come before this one, {position.own} of them yours; people take turns by GPU time."
    if position.people <= 1:
        return f"{before} clips of another person come before yours; people take turns by GPU time."
    return f"{before} clips of {position.people} people come before yours; people take turns by GPU time."


def _promise(view: CardView) -> list[str]:
    return [] if view.due_ms is None else [describe_wait(view.due_ms - view.now_ms)]


def describe_wait(left_ms: int) -> str:
    """Say in about what time a clip comes, in one rounded number that is never nothing."""
    seconds = round_wait(left_ms)
    if seconds < 10:
        return "Your clip comes in a few seconds."
    if seconds < 60:
        return f"Your clip comes in about {seconds} seconds."
    if seconds < 3600:
        minutes = seconds // 60
        return "Your clip comes in about 1 minute." if minutes == 1 else f"Your clip comes in about {minutes} minutes."
    hours = seconds / 3600
    return "Your clip comes in about 1 hour." if hours == 1 else f"Your clip comes in about {hours:g} hours."


def describe_range(position: QueuePosition) -> str:
    """Say between which times a clip comes, where nobody knows yet how long it takes."""
    low, high = (round_wait(ms + position.after_ms) for ms in (position.eta_low_ms, position.eta_high_ms))
    if high <= 60:
        return "Your clip comes within a minute."
    if low < 60 or high < 120:
        return f"Your clip comes within {_count(high)}; how long it takes is not sure yet."
    unit = 3600 if low >= 3600 else 60
    if high >= 3600 and unit == 60:
        return f"Your clip comes in {_count(low)} to {_count(high)}; how long it takes is not sure yet."
    name = "hours" if unit == 3600 else "minutes"
    return f"Your clip comes in {low / unit:g} to {high / unit:g} {name}; how long it takes is not sure yet."


def _count(seconds: int) -> str:
    if seconds >= 3600:
        return "1 hour" if seconds == 3600 else f"{seconds / 3600:g} hours"
    minutes = max(1, seconds // 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def describe_progress(view: CardView) -> list[str]:
    """Say what a running render is doing, with a progress bar."""
    if view.job.cancel_requested or view.progress is None:
        return ["Stopping."]
    steps = f", step {view.progress.step} of {view.progress.of}" if view.progress.of > 1 else ""
    lines = [f"{_PHASES[view.progress.phase]}{steps}."]
    if view.standing is not None:
        lines.append(f"{draw_bar(view.standing.part)} {int(100 * view.standing.part)}%")
    return [*lines, *_promise(view)]


def describe_queue(
    own: list[tuple[Job, QueuePosition | None]],
    active: list[Job],
    *,
    begun: Collection[tuple[int, int]],
    guild_id: int | None,
    now_ms: int,
    hold: Hold | None,
) -> str:
    """List a person's own jobs and the whole queue; people of other servers stay unnamed.

    `begun` holds the attempts, as job and attempt number, that a GPU works on; the other running ones come next.
    """
    rows = [] if hold is None else [explain_hold(hold), ""]
    rows += ["**Your pictures**"] if own else ["You have nothing in the queue. `/animate` puts a picture there."]
    for job, position in own[:SHOWN_AT_MOST]:
        told = _describe_own(job, position, begun=(job.id, job.attempt) in begun, hold=hold)
        rows.append(f"`{job.id}` {told}")
    rows += _and_more(len(own))
    waiting = [job for job in active if job.state is JobState.QUEUED]
    if not active:
        return shorten("\n".join([*rows, "", "The queue is empty."]), MESSAGE_LETTERS)
    made = len([job for job in active if job.state is JobState.RUNNING and (job.id, job.attempt) in begun])
    next_up = len(active) - len(waiting) - made
    counted = [f"{made} being made", *([f"{next_up} up next"] if next_up else []), f"{len(waiting)} waiting"]
    rows += ["", f"**The queue**: {', '.join(counted)}"]
    mine = {job.id for job, _ in own}
    for number, job in enumerate(waiting[:SHOWN_AT_MOST], 1):
        is_known = job.id in mine or (guild_id is not None and job.route.guild_id == guild_id)
        rows.append(f"{number}. {f'<@{job.user_id}>' if is_known else 'somebody elsewhere'}")
    rows += _and_more(len(waiting))
    rows.append("-# The order is fair: whoever has used less of the graphics card's time comes first.")
    return shorten("\n".join(rows), MESSAGE_LETTERS)


def _and_more(count: int) -> list[str]:
    return [f"… and {count - SHOWN_AT_MOST} more"] if count > SHOWN_AT_MOST else []


def _describe_own(job: Job, position: QueuePosition | None, *, begun: bool, hold: Hold | None) -> str:
    if job.state is not JobState.QUEUED:
        return "being made now" if begun else "up next"
    if position is None:
        return "waiting"
    if hold is not None:
        return f"number {position.position} in the queue"
    wait = describe_range(position) if is_wide(position) else describe_wait(position.eta_ms or 0)
    return f"number {position.position} in the queue. {wait}"
