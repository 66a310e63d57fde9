"""What a clip, a recipe, the variants and the bot itself look like in words. No Discord."""

from __future__ import annotations

from bot.policy.motion import MOTION_BUCKETS, is_nearly_still
from bot.queue.job import Job, JobState
from bot.texts.asking.choosing import choice_label
from bot.texts.explanations import explain_hold
from bot.texts.failures import explain_failure
from bot.texts.languages.sentences import _
from bot.texts.limits import (
    DESCRIPTION_LETTERS,
    MESSAGE_LETTERS,
    NAME_LETTERS,
    PRESENCE_LETTERS,
    SENTENCE_LETTERS,
    fit_parts,
    shorten,
)
from bot.texts.notes import explain_notes, still_text
from bot.texts.safety.labels import AI_LABEL
from bot.work.gate import Hold
from generator.clip import ClipSettings, Framing, Loop
from generator.memory import GIB
from generator.variants import BUILT_IN, Variant, is_demo

ALT_TEXT = "A short AI-generated clip made from a picture"
_WORDS = ("format", "shape", "framing", "loop")
"""settings that are words, called as the menu calls them"""
_LONGEST_CELL = 60
DEMO_LABEL = "Demo model: tiny, soft frames that show how it works, not how good it gets."


def small_print(sentences: list[str], settings: ClipSettings) -> list[str]:
    """Return lines in small letters; the demo model's clips get its label as the last one."""
    labels = [DEMO_LABEL] if is_demo(settings.variant) else []
    return [f"-# {sentence}" for sentence in [*sentences, *labels]]


def card_small_print(job: Job) -> list[str]:
    """Return the lines in small letters on a job's card: its settings, and what is to be told beside them."""
    return small_print([describe_settings(job.settings), *explain_notes(job.notes)], job.settings)


def describe_settings(settings: ClipSettings) -> str:
    """Return a clip's settings in one short line."""
    facts = [f"motion {settings.motion_bucket}", str(settings.format).upper(), str(settings.quality)]
    if settings.loop is not Loop.NONE:
        facts.append(f"{settings.loop} loop")
    if settings.framing is not Framing.CROP:
        facts.append(f"{settings.framing} framing")
    if settings.smooth:
        facts.append("smooth")
    if settings.drafts:
        facts.append("four drafts")
    facts += _unusual(settings)
    return " · ".join([*facts, f"seed {settings.seed}", shorten(settings.variant, NAME_LETTERS)])


def alt_text(job: Job) -> str:
    """Return what a clip shows, for people who cannot see it, as far as somebody has said what its picture shows."""
    if not job.told.description:
        return ALT_TEXT
    return f"{shorten(job.told.description, DESCRIPTION_LETTERS)} (a short AI-generated clip)"


def describe_chosen(job: Job) -> str:
    """Return the settings that the person chose themselves, in the words of the menu; the recipe has the others."""
    settings = job.settings
    told = {
        "motion": _motion(settings.motion_bucket),
        "motion_bucket": _motion(settings.motion_bucket),
        **{name: choice_label(getattr(settings, name)) for name in _WORDS},
        "quality": f"Quality: {choice_label(settings.quality)}",
        "smooth": "smooth",
        "drafts": "Drafts",
        "seed": f"seed {settings.seed}",
        "noise_augmentation": f"noise augmentation {settings.noise_augmentation:g}",
        "conditioning_fps": f"told {settings.conditioning_fps:g} frames a second",
        "playback_fps": f"{settings.playback_fps:g} frames a second",
        "steps": f"{settings.steps} steps",
        "frames": f"{settings.frames} frames",
        "decode_chunk": f"{settings.decode_chunk or settings.frames} frames decoded together",
        "guidance": f"guidance {settings.max_guidance:g}",
    }
    return " · ".join(dict.fromkeys(sentence for name, sentence in told.items() if name in job.told.chosen))


def _motion(bucket: int) -> str:
    named = {bucket: motion for motion, bucket in MOTION_BUCKETS.items()}
    return f"Motion: {choice_label(named[bucket]) if bucket in named else bucket}"


def _unusual(settings: ClipSettings) -> list[str]:
    """Return the rarely used settings whose value the bot would not have chosen itself."""
    plain, own = ClipSettings(), BUILT_IN.get(settings.variant)
    variants = [own] if own else list(BUILT_IN.values())
    usual = {
        "steps": (settings.steps, tuple(variant.usual_steps(settings.quality) for variant in variants)),
        "frames": (settings.frames, tuple(variant.frames for variant in variants)),
        "fps": (settings.playback_fps, (plain.playback_fps,)),
        "noise": (settings.noise_augmentation, (plain.noise_augmentation,)),
        "guidance": (settings.max_guidance, (plain.max_guidance, 1.0)),
    }
    return [f"{name} {value:g}" for name, (value, expected) in usual.items() if value not in expected]


def clip_text(job: Job) -> str:
    """Return the text above a posted clip. It mentions the person who asked, so that Discord notifies them."""
    if job.settings.drafts:
        return shorten(
            "\n".join([drafts_text(job.user_id), *_clip_small_print(job, describe_chosen(job))]), MESSAGE_LETTERS
        )
    told = [still_text()] if is_nearly_still(job.facts) else []
    small = _clip_small_print(job, describe_chosen(job))
    return shorten("\n".join([f"<@{job.user_id}> here is your clip.", *told, *small]), MESSAGE_LETTERS)


def drafts_text(user_id: int) -> str:
    """Say what a sheet of drafts is for, and how a clip may differ from its draft."""
    return (
        f"<@{user_id}> here are four drafts. Tap the number of the one you like: I make it in full, and it moves the "
        "same way. Drafts are small and rough, so in full fine things, faces above all, look different, and the "
        "motion may be a little stronger or weaker."
    )


def alone_text(job: Job) -> str:
    """Return the text above a clip that only its reader sees, and who asked for it: they know it is theirs."""
    return shorten("\n".join(clip_small_print(job)), MESSAGE_LETTERS)


def clip_small_print(job: Job) -> list[str]:
    """Return the lines in small letters beside a clip that is handed over: all its settings, for it has no buttons."""
    return _clip_small_print(job, describe_settings(job.settings))


def _clip_small_print(job: Job, settings: str) -> list[str]:
    """Return that a model made a clip, what is to be told about it, and the settings."""
    return small_print([_(AI_LABEL), *explain_notes(job.notes), *([settings] if settings else [])], job.settings)


def failure_text(job: Job) -> str:
    """Return the message that tells a person that their job failed."""
    return f"<@{job.user_id}> {explain_failure(job.failure or {})}"


def describe_recipe(settings: ClipSettings, *, source: str, fast_math: bool = False) -> str:
    """Return every setting of a clip as a list that a person can copy. `fast_math`: it was computed approximately."""
    wire = settings.to_json()
    order = ("variant", "frames", "motion_bucket", "noise_augmentation", "conditioning_fps", "playback_fps")
    keys = [*order, *(key for key in wire if key not in order)]
    rows = [f"{key:20s} {'whole clip' if wire[key] is None else _cell(wire[key])}" for key in keys]
    rows += [f"{'fast_math':20s} true, approximate"] if fast_math else []
    return (
        f"Recipe of {shorten(source, NAME_LETTERS)}\n```\n"
        + "\n".join(rows)
        + "\n```\nThe same seed gives the same clip on the same setup."
    )


def _cell(value: object) -> str:
    """Return a value that anybody may have written as one short line that cannot end the code block around it."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in str(value)[:_LONGEST_CELL])
    return shown.replace("`", "'")


def describe_variants(variants: dict[str, Variant], current: str, costs: dict[str, str]) -> str:
    """List the variants, the one in use marked and first; `costs` has a sentence on how long a clip of each takes."""
    names = sorted(variants, key=lambda name: (name != current, name))
    about = {name: variant.description or variant.source for name, variant in variants.items()}
    rows = [
        f"{'▸' if name == current else '·'} **{shorten(name, NAME_LETTERS)}**: "
        f"{shorten(about[name], SENTENCE_LETTERS)}\n-# {shorten(costs.get(name, ''), SENTENCE_LETTERS)}"
        for name in names
    ]
    return fit_parts(rows, MESSAGE_LETTERS)


def describe_status(
    *,
    counts: dict[JobState, int],
    backends: list[dict[str, object]],
    free_bytes: int,
    variant: str,
    hold: Hold | None,
    time: str = "",
) -> str:
    """Return what an admin reads about how the bot is doing. `time` is a sentence on how long a clip takes."""
    rows = [f"Variant **{shorten(variant, NAME_LETTERS)}**, {free_bytes / GIB:.1f} GiB of disk left"]
    if hold is not None:
        rows.append(f"**Nothing is started.** {explain_hold(hold)}")
    rows.append(" · ".join(f"{count} {state}" for state, count in counts.items()))
    rows += [time] if time else []
    for number, facts in enumerate(backends):
        name = f"Machine {shorten(str(facts['node']), NAME_LETTERS)}" if "node" in facts else f"GPU process {number}"
        rows.append(f"{name}: {_describe_card(facts)}"[:400])
    return fit_parts(rows, MESSAGE_LETTERS)


def _describe_card(facts: dict[str, object]) -> str:
    """Return what one executor says of itself, the card and its speed first."""
    known = {key: value for key, value in facts.items() if key != "node" and isinstance(value, str | int | float)}
    patterns = {"name": "{}", "vram_gib": "{} GiB", "plan": "plan {}", "clip_seconds": "{:.1f} s a clip"}
    first = [pattern.format(known.pop(key)) for key, pattern in patterns.items() if known.get(key)]
    return ", ".join([*first, *(f"{key} {value}" for key, value in known.items())]) or "starting"


def measured_time_text(kind: str, low_ms: int, high_ms: int) -> str:
    """Say how long clips of a kind took here."""
    low, high = low_ms / 1000, high_ms / 1000
    return f"A clip of {shorten(kind, NAME_LETTERS)} takes {low:.1f} to {high:.1f} s of GPU time, measured here."


def estimated_time_text(variant: str, card: str, low_s: float, high_s: float) -> str:
    """Say how long a clip may take on a card that has made none yet."""
    name, on = shorten(variant, NAME_LETTERS), shorten(card, NAME_LETTERS)
    return f"A clip of {name} takes an estimated {low_s:.0f} to {high_s:.0f} s on {on}; none was made yet."


def unknown_time_text(variant: str) -> str:
    """Say that nobody knows how long a clip takes here."""
    name = shorten(variant, NAME_LETTERS)
    return f"How long a clip of {name} takes here is not known: none was made yet, and the card's rate is not known."


def describe_presence(variant: Variant, waiting: int, hold: Hold | None) -> str:
    """Return the text below the bot's name."""
    if hold is not None:
        return "paused"
    busy = f"{waiting} waiting" if waiting else "ready for a picture"
    return shorten(f"{shorten(variant.name, NAME_LETTERS)} · {busy}", PRESENCE_LETTERS)
