"""What a status card says: position, times, progress. No Discord."""

from __future__ import annotations

from dataclasses import dataclass

from bot.queue.job import SETTLED, DeadReason, Job, JobState, QueuePosition
from bot.queue.life.advance import Standing
from bot.texts.explanations import explain_dead, explain_hold, format_minutes
from bot.texts.failures import explain_failure
from bot.texts.jobs.waiting import describe_range, describe_turn, describe_wait
from bot.texts.languages.numbers import percent, whole
from bot.texts.languages.sentences import N_, _, pgettext
from bot.texts.limits import SENTENCE_LETTERS, shorten
from bot.work.gate import Hold
from generator.protocol import Phase, Progress

_DISCORD_EPOCH = 1_420_070_400
"""of the times in Discord's ids, in seconds"""


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
    Phase.LOAD: N_("Loading the model."),
    Phase.PREPARE: N_("Looking at the picture."),
    Phase.DENOISE: N_("Dreaming up the motion."),
    Phase.DECODE: N_("Painting the frames."),
    Phase.ENCODE: N_("Writing the clip."),
}
_STEPS = {
    Phase.LOAD: N_("Loading the model, step {step} of {of}."),
    Phase.PREPARE: N_("Looking at the picture, step {step} of {of}."),
    Phase.DENOISE: N_("Dreaming up the motion, step {step} of {of}."),
    Phase.DECODE: N_("Painting the frames, step {step} of {of}."),
    Phase.ENCODE: N_("Writing the clip, step {step} of {of}."),
}


def draw_bar(fraction: float, cells: int = 16) -> str:
    """Draw a progress bar for a fraction from 0 to 1."""
    full = round(max(0.0, min(1.0, fraction)) * cells)
    return "▰" * full + "▱" * (cells - full)


def describe_state(view: CardView) -> tuple[str, list[str]]:
    """Return a card's title and the sentences below it."""
    job = view.job
    if job.state is JobState.QUEUED:
        return _("Waiting for its turn"), describe_position(view)
    if job.state is JobState.RUNNING and view.progress is None and not job.cancel_requested:
        return _("Nearly its turn"), [_("The graphics card is getting ready for it."), *_promise(view)]
    if job.state is JobState.RUNNING:
        return _("Bringing it to life"), describe_progress(view)
    if job.state is JobState.RENDERED:
        return _("Your clip is ready"), [_("Sending it now.")]
    if job.state is JobState.CANCELLED:
        who = [_("A moderator cancelled it.")] if job.by_moderator else []
        return pgettext("title of a card", "Cancelled"), [*who, _("There will be no clip.")]
    sentences = explain_failure(job.failure or {})
    return _("No clip this time"), [sentences.what, sentences.means, sentences.todo]


def describe_origin(view: CardView) -> list[str]:
    """Say who asked for a clip and when, in small letters. A card that a button made also says under which clip.

    Discord itself shows who used a command, and nothing of the sort for a button.
    """
    job = view.job
    asked = f"<t:{(int(job.key) >> 22) // 1000 + _DISCORD_EPOCH}:R>" if job.key.isdigit() else ""
    if view.origin is None:
        # Translators: {when} is a time such as "3 minutes ago", here and in the two next ones.
        return [_("-# Asked for {when}", when=asked)] if asked and job.state not in SETTLED else []
    if view.origin.url is None:
        return [_("-# <@{user}> asked {when} for another clip of an earlier picture.", user=job.user_id, when=asked)]
    if job.settings.drafts:
        return [
            _(
                "-# <@{user}> asked {when} for four drafts of the picture of [this one]({url}).",
                user=job.user_id,
                when=asked,
                url=view.origin.url,
            )
        ]
    return [
        _(
            "-# <@{user}> asked {when} for another clip like [this one]({url}).",
            user=job.user_id,
            when=asked,
            url=view.origin.url,
        )
    ]


def describe_preview(view: CardView) -> str:
    """Return what the picture on a card shows, for whoever does not see it."""
    if view.preview:
        return _("A rough AI-generated preview of the clip")
    return _("The part of the picture that will move")


def describe_position(view: CardView) -> list[str]:
    """Say where a waiting job stands and when it may be done, or why nothing is started."""
    if view.hold is not None:
        return [explain_hold(view.hold), _("Your place is kept.")]
    if view.position is None:
        return [_("It is in the queue.")]
    lines = [describe_turn(view.position), *(_promise(view) or [describe_range(view.position)])]
    if view.needs_larger_card:
        lines.append(_("It is too large for one of the graphics cards here, so it waits for a larger one."))
    elif view.job.attempt:
        lines.append(_("It was interrupted and starts over on its own."))
    return lines


def _promise(view: CardView) -> list[str]:
    return [] if view.due_ms is None else [describe_wait(view.due_ms - view.now_ms)]


def describe_progress(view: CardView) -> list[str]:
    """Say what a running render is doing, with a progress bar."""
    if view.job.cancel_requested or view.progress is None:
        return [_("Stopping.")]
    now = view.progress
    step = _(_STEPS[now.phase], step=whole(now.step), of=whole(now.of)) if now.of > 1 else _(_PHASES[now.phase])
    if view.standing is None:
        return [step, *_promise(view)]
    bar = f"{draw_bar(view.standing.part)} {percent(int(100 * view.standing.part) / 100)}"
    return [step, bar, *_promise(view)]


def sent_text(job: Job, url: str) -> str:
    """Say where a job's clip, or why there is none, has been posted."""
    url = shorten(url, SENTENCE_LETTERS)
    if job.state is JobState.FAILED:
        return _("No clip this time: [why, and what to do]({url}).", url=url)
    took_ms = int(1000 * (job.facts or {}).get("seconds", 0))
    if took_ms < 1000:
        return _("Done: [here is the clip]({url}).", url=url)
    # Translators: {time} is a duration such as "42 s".
    return _("Done in {time}: [here is the clip]({url}).", time=format_minutes(took_ms), url=url)


def dead_lines(job: Job, reason: str | None) -> list[str]:
    """Say why a clip could not be posted in its channel, and how its person gets it."""
    lines = [_("### Your clip is ready, but not here"), explain_dead(reason)]
    if reason != DeadReason.CLIP_GONE:
        lines.append(_("Use `/result job:{job}` wherever you can see me, and I will hand it to you.", job=job.id))
    return lines
