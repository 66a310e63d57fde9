"""What a status card says: position, times, progress. No Discord."""

from __future__ import annotations

from dataclasses import dataclass

from bot.queue.job import Job, JobState, QueuePosition
from bot.texts.explanations import explain_hold
from bot.texts.failures import explain_failure
from bot.work.gate import Hold
from generator.protocol import Phase, Progress


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


_PHASES = {
    Phase.LOAD: "Loading the model",
    Phase.PREPARE: "Looking at the picture",
    Phase.DENOISE: "Dreaming up the motion",
    Phase.DECODE: "Painting the frames",
    Phase.ENCODE: "Writing the clip",
}

_PHASE_SPANS: dict[Phase, tuple[float, float]] = {
    # share of the bar a phase fills: denoising is where the time goes
    Phase.LOAD: (0.0, 0.05),
    Phase.PREPARE: (0.05, 0.10),
    Phase.DENOISE: (0.10, 0.85),
    Phase.DECODE: (0.85, 0.95),
    Phase.ENCODE: (0.95, 1.0),
}


def measure_progress(progress: Progress) -> float:
    """Return the whole render's progress, 0 to 1. It never goes back from one phase to the next."""
    low, high = _PHASE_SPANS[progress.phase]
    inside = min(progress.step / progress.of, 1.0) if progress.of else 0.0
    return low + (high - low) * inside


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
        return "Nearly its turn", ["The graphics card is getting ready for it."]
    if job.state is JobState.RUNNING:
        return "Bringing it to life", describe_progress(view)
    if job.state is JobState.RENDERED:
        return "Your clip is ready", ["Sending it now."]
    if job.state is JobState.CANCELLED:
        who = ["A moderator cancelled it."] if job.by_moderator else []
        return "Cancelled", [*who, "There will be no clip."]
    sentences = explain_failure(job.failure or {})
    return "No clip this time", [sentences.what, sentences.means, sentences.todo]


def describe_position(view: CardView) -> list[str]:
    """Say where a waiting job stands and when it may be done, or why nothing is started."""
    if view.hold is not None:
        return [explain_hold(view.hold), "Your place is kept."]
    if view.position is None:
        return ["It is in the queue."]
    position = view.position
    where = "Next in the queue." if position.position == 1 else f"Number {position.position} in the queue."
    lines = [where, _describe_times(position, view.now_ms)]
    if view.needs_larger_card:
        lines.append("It is too large for one of the graphics cards here, so it waits for a larger one.")
    elif view.job.attempt:
        lines.append("It was interrupted and starts over on its own.")
    return lines


def _describe_times(position: QueuePosition, now_ms: int) -> str:
    soonest, latest = (_moment(now_ms + eta_ms) for eta_ms in (position.eta_low_ms, position.eta_high_ms))
    return f"Ready {soonest}, or {latest} if it takes long."


def describe_progress(view: CardView) -> list[str]:
    """Say what a running render is doing, with a progress bar."""
    if view.job.cancel_requested or view.progress is None:
        return ["Stopping."]
    fraction = measure_progress(view.progress)
    steps = f", step {view.progress.step} of {view.progress.of}" if view.progress.of > 1 else ""
    return [f"{_PHASES[view.progress.phase]}{steps}.", f"{draw_bar(fraction)} {fraction:.0%}"]


def _moment(at_ms: int) -> str:
    # Discord shows this as "in 3 minutes" and counts down by itself, so that the card needs no edit for it
    return f"<t:{at_ms // 1000}:R>"
