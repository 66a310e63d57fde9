"""What a clip and its recipe look like in words. No Discord."""

from __future__ import annotations

from bot.policy.motion import MOTION_BUCKETS, is_nearly_still
from bot.queue.job import Job
from bot.texts.asking.choosing import choice_label
from bot.texts.failures import explain_failure
from bot.texts.languages.numbers import shortest, whole
from bot.texts.languages.sentences import N_, _, ngettext, pgettext
from bot.texts.limits import (
    DESCRIPTION_LETTERS,
    MESSAGE_LETTERS,
    NAME_LETTERS,
    shorten,
)
from bot.texts.notes import explain_notes, still_text
from bot.texts.safety.labels import AI_LABEL
from generator.clip import ClipSettings, Framing, Loop
from generator.variants import BUILT_IN, is_demo

ALT_TEXT = N_("A short AI-generated clip made from a picture")
_WORDS = ("format", "shape", "framing", "loop")
"""settings that are words, called as the menu calls them"""
_LONGEST_CELL = 60
_RARE = ("drafts", "seams")
"""settings of which a recipe tells only where there is something to tell"""
DEMO_LABEL = N_("Demo model: small frames, and only the camera moves. It shows how it works, not how good it gets.")


def small_print(sentences: list[str], settings: ClipSettings) -> list[str]:
    """Return lines in small letters; the demo model's clips get its label as the last one."""
    labels = [_(DEMO_LABEL)] if is_demo(settings.variant) else []
    return [f"-# {sentence}" for sentence in [*sentences, *labels]]


def card_small_print(job: Job) -> list[str]:
    """Return the lines in small letters on a job's card: its settings, and what is to be told beside them."""
    return small_print([describe_settings(job.settings), *explain_notes(job.notes)], job.settings)


_LOOPS = {
    Loop.BOOMERANG: N_("boomerang loop"),
    Loop.CROSSFADE: N_("crossfade loop"),
    Loop.SEAM: N_("seam loop"),
}
_FRAMINGS = {Framing.SMART: N_("smart framing"), Framing.PAD: N_("pad framing")}


def describe_settings(settings: ClipSettings) -> str:
    """Return a clip's settings in one short line."""
    motion = _("motion {number}", number=whole(settings.motion_bucket))
    facts = [motion, str(settings.format).upper(), choice_label(settings.quality)]
    if settings.loop is not Loop.NONE:
        facts.append(_(_LOOPS[settings.loop]))
    if settings.framing is not Framing.CROP:
        facts.append(_(_FRAMINGS[settings.framing]))
    if settings.smooth:
        facts.append(pgettext("of a clip", "smooth"))
    if settings.drafts:
        facts.append(_("four drafts"))
    if settings.seams:
        facts.append(_("goes on after frame {number}", number=whole(settings.seams[-1])))
    facts += _unusual(settings)
    return " · ".join([*facts, _("seed {number}", number=settings.seed), shorten(settings.variant, NAME_LETTERS)])


def alt_text(job: Job) -> str:
    """Return what a clip shows, for people who cannot see it, as far as somebody has said what its picture shows."""
    told = shorten(job.told.description, DESCRIPTION_LETTERS)
    if job.settings.seams:
        seam = whole(job.settings.seams[-1])
        if not told:
            return _("An AI-generated clip made from a picture, which goes on after frame {number}", number=seam)
        # Translators: at most 50 letters beside {description}.
        return _("{description} (AI-generated, goes on after frame {number})", description=told, number=seam)
    # Translators: at most 50 letters beside {description}.
    return _("{description} (a short AI-generated clip)", description=told) if told else _(ALT_TEXT)


def describe_chosen(job: Job) -> str:
    """Return the settings that the person chose themselves, in the words of the menu; the recipe has the others."""
    settings = job.settings
    together = settings.decode_chunk or settings.frames
    told = {
        "motion": _motion(settings.motion_bucket),
        "motion_bucket": _motion(settings.motion_bucket),
        **{name: choice_label(getattr(settings, name)) for name in _WORDS},
        "quality": _("Quality: {quality}", quality=choice_label(settings.quality)),
        "smooth": pgettext("of a clip", "smooth") if settings.smooth else "",
        "drafts": pgettext("of a clip", "Drafts") if settings.drafts else "",  # a draft was chosen, and is made in full
        "seed": _("seed {number}", number=settings.seed),
        "noise_augmentation": _("noise augmentation {number}", number=shortest(settings.noise_augmentation)),
        "conditioning_fps": _("told {fps} frames a second", fps=shortest(settings.conditioning_fps)),
        "playback_fps": _("{fps} frames a second", fps=shortest(settings.playback_fps)),
        "steps": ngettext("{count} step", "{count} steps", settings.steps),
        "frames": ngettext("{count} frame", "{count} frames", settings.frames),
        "decode_chunk": ngettext("{count} frame decoded together", "{count} frames decoded together", together),
        "guidance": _("guidance {number}", number=shortest(settings.max_guidance)),
    }
    return " · ".join(
        dict.fromkeys(sentence for name, sentence in told.items() if sentence and name in job.told.chosen)
    )


def _motion(bucket: int) -> str:
    named = {bucket: motion for motion, bucket in MOTION_BUCKETS.items()}
    # Translators: {motion} is a word of the menu, or a number.
    return _("Motion: {motion}", motion=choice_label(named[bucket]) if bucket in named else whole(bucket))


_UNUSUAL = {
    "steps": N_("steps {number}"),
    "frames": N_("frames {number}"),
    "fps": N_("fps {number}"),
    "noise": N_("noise {number}"),
    "guidance": N_("guidance {number}"),
}


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
    return [
        _(_UNUSUAL[name], number=shortest(value)) for name, (value, expected) in usual.items() if value not in expected
    ]


def clip_text(job: Job) -> str:
    """Return the text above a posted clip. It mentions the person who asked, so that Discord notifies them."""
    if job.settings.drafts:
        return shorten(
            "\n".join([drafts_text(job.user_id), *_clip_small_print(job, describe_chosen(job))]), MESSAGE_LETTERS
        )
    told = [still_text()] if is_nearly_still(job.facts) else []
    small = _clip_small_print(job, describe_chosen(job))
    here = _("<@{user}> here is your clip.", user=job.user_id)
    return shorten("\n".join([here, *told, *small]), MESSAGE_LETTERS)


def drafts_text(user_id: int) -> str:
    """Say what a sheet of drafts is for, and how a clip may differ from its draft."""
    return _(
        "<@{user}> here are four drafts. Tap the number of the one you like: I make it in full, and it moves the "
        "same way. Drafts are small and rough, so in full fine things, faces above all, look different, and the "
        "motion may be a little stronger or weaker.",
        user=user_id,
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


def describe_recipe(settings: ClipSettings, *, job_id: int | None = None, fast_math: bool = False) -> str:
    """Return the settings of a clip as a list that a person can copy, of drafts and seams only where it has them.

    `job_id`: None for a clip that somebody attached. `fast_math`: it was computed approximately.
    """
    wire = settings.to_json()
    order = ("variant", "frames", "motion_bucket", "noise_augmentation", "conditioning_fps", "playback_fps")
    keys = [*order, *(key for key in wire if key not in order and (key not in _RARE or wire[key]))]
    whole_clip = pgettext("frames that are decoded together", "whole clip")
    rows = [f"{key:20s} {whole_clip if wire[key] is None else _cell(wire[key])}" for key in keys]
    if fast_math:
        # Translators: "true" is as a program writes it.
        approximate = _("true, approximate")
        rows.append(f"{'fast_math':20s} {approximate}")
    title = _("Recipe of this clip") if job_id is None else _("Recipe of job {number}", number=job_id)
    same = _("The same seed gives the same clip on the same setup.")
    return "\n".join([title, "```", *rows, "```", same])


def _cell(value: object) -> str:
    """Return a value that anybody may have written as one short line that cannot end the code block around it."""
    if isinstance(value, bool):
        value = "true" if value else "false"  # as people type it
    elif isinstance(value, tuple):
        value = ", ".join(map(str, value))
    shown = "".join(letter if letter.isprintable() else "?" for letter in str(value)[:_LONGEST_CELL])
    return shown.replace("`", "'")
