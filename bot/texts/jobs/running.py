"""What is told of the running bot: its variants, how it is doing, how long a clip takes, the text below its name.

Tested in tests/bot/texts/test_descriptions.py.
"""

from __future__ import annotations

from bot.queue.job import JobState
from bot.texts.explanations import explain_hold
from bot.texts.languages.numbers import rounded
from bot.texts.languages.sentences import _, ngettext, nN_, pgettext
from bot.texts.limits import MESSAGE_LETTERS, NAME_LETTERS, PRESENCE_LETTERS, SENTENCE_LETTERS, fit_parts, shorten
from bot.work.gate import Hold
from generator.memory import GIB
from generator.variants import Variant


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


_COUNTS = {
    JobState.QUEUED: nN_("{count} queued", "{count} queued"),
    JobState.RUNNING: nN_("{count} running", "{count} running"),
    JobState.RENDERED: nN_("{count} rendered", "{count} rendered"),
    JobState.FAILED: nN_("{count} failed", "{count} failed"),
    JobState.CANCELLED: nN_("{count} cancelled", "{count} cancelled"),
}
"""of jobs"""


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
    name, gib = shorten(variant, NAME_LETTERS), rounded(free_bytes / GIB, 1)
    rows = [_("Variant **{variant}**, {gib} GiB of disk left", variant=name, gib=gib)]
    if hold is not None:
        rows.append(" ".join([_("**Nothing is started.**"), explain_hold(hold)]))
    rows.append(" · ".join(ngettext(*_COUNTS[state], count) for state, count in counts.items()))
    rows += [time] if time else []
    rows += [shorten(_describe_executor(number, facts), SENTENCE_LETTERS) for number, facts in enumerate(backends)]
    return fit_parts(rows, MESSAGE_LETTERS)


def _describe_executor(number: int, facts: dict[str, object]) -> str:
    about = _describe_card(facts)
    if "node" in facts:
        # Translators: {facts} is a list of technical facts, here and in the next one.
        return _("Machine {name}: {facts}", name=shorten(str(facts["node"]), NAME_LETTERS), facts=about)
    return _("GPU process {number}: {facts}", number=number, facts=about)


def _describe_card(facts: dict[str, object]) -> str:
    """Return what one executor says of itself, the card and its speed first."""
    known = {key: value for key, value in facts.items() if key != "node" and isinstance(value, str | int | float)}
    first = [str(known.pop("name"))] if known.get("name") else []
    if gib := known.pop("vram_gib", None):
        first.append(f"{gib} GiB")
    if plan := known.pop("plan", None):
        # Translators: {plan} is a word of the program's, such as "full".
        first.append(_("plan {plan}", plan=plan))
    if seconds := known.pop("clip_seconds", None):
        first.append(_("{seconds} s a clip", seconds=rounded(float(seconds), 1)))
    parts = [*first, *(f"{key} {value}" for key, value in known.items())]
    return pgettext("between the items of a list", ", ").join(parts) or pgettext("of a GPU process", "starting")


def measured_time_text(kind: str, low_ms: int, high_ms: int) -> str:
    """Say how long clips of a kind took here."""
    return _(
        "A clip of {kind} takes {low} to {high} s of GPU time, measured here.",
        kind=shorten(kind, NAME_LETTERS),
        low=rounded(low_ms / 1000, 1),
        high=rounded(high_ms / 1000, 1),
    )


def estimated_time_text(variant: str, card: str, low_s: float, high_s: float) -> str:
    """Say how long a clip may take on a card that has made none yet."""
    return _(
        "A clip of {variant} takes an estimated {low} to {high} s on {card}; none was made yet.",
        variant=shorten(variant, NAME_LETTERS),
        card=shorten(card, NAME_LETTERS),
        low=rounded(low_s),
        high=rounded(high_s),
    )


def unknown_time_text(variant: str) -> str:
    """Say that nobody knows how long a clip takes here."""
    return _(
        "How long a clip of {variant} takes here is not known: none was made yet, and the card's rate is not known.",
        variant=shorten(variant, NAME_LETTERS),
    )


def describe_presence(variant: Variant, waiting: int, hold: Hold | None) -> str:
    """Return the text below the bot's name."""
    if hold is not None:
        return pgettext("below the bot's name", "paused")
    busy = ngettext("{count} waiting", "{count} waiting", waiting) if waiting else _("ready for a picture")
    return shorten(f"{shorten(variant.name, NAME_LETTERS)} · {busy}", PRESENCE_LETTERS)
