"""Quotas as people read them: what may be had, what of it is used, and the form that sets one. No Discord.

Tested in tests/bot/texts/settings/test_server_settings.py and tests/bot/edge/commands/settings/test_command.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.policy.quota import Quota, Scope, Used
from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import N_, _, ngettext, nN_
from bot.texts.limits import MESSAGE_LETTERS, SENTENCE_LETTERS, listed, shorten

FORM_LABELS: Mapping[str, str] = {
    "clips_per_day": N_("Clips in 24 hours"),
    "gpu_seconds_per_day": N_("Seconds of the GPU in 24 hours"),
    "clips_at_once": N_("Clips waiting or being made at once"),
    "gpu_seconds_at_once": N_("Seconds of the GPU asked for at once"),
}
"""the fields of the form for a quota, in its order"""


def form_label(name: str) -> str:
    """Return the label of a field of the form for a quota."""
    return _(FORM_LABELS[name])


_ALLOWED: Mapping[str, tuple[str, str]] = {
    "clips_per_day": nN_("{count} clip in 24 hours", "{count} clips in 24 hours"),
    "gpu_seconds_per_day": nN_("{count} second of the GPU in 24 hours", "{count} seconds of the GPU in 24 hours"),
    "clips_at_once": nN_("{count} clip at once", "{count} clips at once"),
    "gpu_seconds_at_once": nN_("{count} second of the GPU at once", "{count} seconds of the GPU at once"),
}


def describe_quota(quota: Quota) -> str:
    """Say what a quota allows."""
    limits = [(text, getattr(quota, name)) for name, text in _ALLOWED.items()]
    parts = [ngettext(*text, most) for text, most in limits if most]
    # Translators: {limits} is a list such as "5 clips in 24 hours, 2 clips at once".
    return _("At most {limits}.", limits=listed(parts)) if parts else _("No limit of this server's own.")


def not_a_number_text(label: str) -> str:
    """Say that a field of a form wants a number."""
    return _(
        "{field} must be a whole number, or empty for no limit. Nothing was changed.",
        field=shorten(label, SENTENCE_LETTERS),
    )


def too_large_number_text(label: str, most: int) -> str:
    """Say how large a number may be."""
    return _(
        "{field} can be {most} at most. Nothing was changed.", field=shorten(label, SENTENCE_LETTERS), most=whole(most)
    )


_SCOPES = {
    Scope.PERSON: N_("**You, everywhere**"),
    Scope.MEMBER: N_("**You, in this server**"),
    Scope.SERVER: N_("**This server, all people together**"),
}


def describe_quotas(quotas: Iterable[tuple[Scope, Quota]], used: Mapping[Scope, Used], cost_ms: int) -> str:
    """Say what may be had, what of it is used, and what a usual clip would cost."""
    blocks = ["\n".join([_(_SCOPES[scope]), *_uses(quota, used[scope])]) for scope, quota in quotas if scope in used]
    if not blocks:
        return _("There is no limit on clips here, but the queue's own: people take turns at the GPU.")
    usual = ngettext(
        "A usual clip counts {count} second of the GPU.",
        "A usual clip counts {count} seconds of the GPU.",
        max(1, round(cost_ms / 1000)),
    )
    notes = _(
        "What failed or was cancelled counts nothing. A day is the last 24 hours: each clip is free again a day later."
    )
    return shorten("\n".join([*blocks, f"-# {usual} {notes}"]), MESSAGE_LETTERS)


def _uses(quota: Quota, used: Used) -> list[str]:
    seconds, seconds_at_once = -(-used.cost_ms // 1000), -(-used.active_cost_ms // 1000)
    rows = (
        (
            quota.clips_per_day,
            used.clips,
            nN_("{used} of {count} clip in 24 hours", "{used} of {count} clips in 24 hours"),
        ),
        (
            quota.gpu_seconds_per_day,
            seconds,
            nN_("{used} of {count} second of the GPU in 24 hours", "{used} of {count} seconds of the GPU in 24 hours"),
        ),
        (
            quota.clips_at_once,
            used.active_clips,
            nN_("{used} of {count} clip waiting or being made", "{used} of {count} clips waiting or being made"),
        ),
        (
            quota.gpu_seconds_at_once,
            seconds_at_once,
            nN_(
                "{used} of {count} second of the GPU waiting or being made",
                "{used} of {count} seconds of the GPU waiting or being made",
            ),
        ),
    )
    return [ngettext(*text, most, used=whole(count)) for most, count, text in rows if most]
