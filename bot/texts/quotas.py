"""Quotas as people read them: what may be had, what of it is used, and the form that sets one. No Discord.

Tested in tests/bot/texts/settings/test_server_settings.py and tests/bot/edge/commands/settings/test_command.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.policy.quota import Quota, Scope, Used
from bot.texts.limits import MESSAGE_LETTERS, SENTENCE_LETTERS, fit_parts, shorten

FORM_LABELS: Mapping[str, str] = {
    "clips_per_day": "Clips in 24 hours",
    "gpu_seconds_per_day": "Seconds of the GPU in 24 hours",
    "clips_at_once": "Clips waiting or being made at once",
    "gpu_seconds_at_once": "Seconds of the GPU asked for at once",
}
"""the fields of the form for a quota"""


def describe_quota(quota: Quota) -> str:
    """Say what a quota allows."""
    parts = [
        text.format(number=f"{number:,}")
        for number, text in (
            (quota.clips_per_day, "{number} clips in 24 hours"),
            (quota.gpu_seconds_per_day, "{number} seconds of the GPU in 24 hours"),
            (quota.clips_at_once, "{number} clips at once"),
            (quota.gpu_seconds_at_once, "{number} seconds of the GPU at once"),
        )
        if number
    ]
    return f"At most {fit_parts(parts, SENTENCE_LETTERS, ', ')}." if parts else "No limit of this server's own."


def not_a_number_text(label: str) -> str:
    """Say that a field of a form wants a number."""
    return f"{shorten(label, SENTENCE_LETTERS)} must be a whole number, or empty for no limit. Nothing was changed."


def too_large_number_text(label: str, most: int) -> str:
    """Say how large a number may be."""
    return f"{shorten(label, SENTENCE_LETTERS)} can be {most:,} at most. Nothing was changed."


_SCOPES = {
    Scope.PERSON: "**You, everywhere**",
    Scope.MEMBER: "**You, in this server**",
    Scope.SERVER: "**This server, all people together**",
}


def describe_quotas(quotas: Iterable[tuple[Scope, Quota]], used: Mapping[Scope, Used], cost_ms: int) -> str:
    """Say what may be had, what of it is used, and what a usual clip would cost."""
    blocks = ["\n".join([_SCOPES[scope], *_uses(quota, used[scope])]) for scope, quota in quotas if scope in used]
    if not blocks:
        return "There is no limit on clips here, but the queue's own: people take turns at the GPU."
    usual = f"A usual clip counts {max(1, round(cost_ms / 1000)):,} seconds of the GPU."
    notes = (
        "What failed or was cancelled counts nothing. A day is the last 24 hours: each clip is free again a day later."
    )
    return shorten("\n".join([*blocks, f"-# {usual} {notes}"]), MESSAGE_LETTERS)


def _uses(quota: Quota, used: Used) -> list[str]:
    rows = (
        (quota.clips_per_day, used.clips, "{used} of {most} clips in 24 hours"),
        (quota.gpu_seconds_per_day, -(-used.cost_ms // 1000), "{used} of {most} seconds of the GPU in 24 hours"),
        (quota.clips_at_once, used.active_clips, "{used} of {most} clips waiting or being made"),
        (
            quota.gpu_seconds_at_once,
            -(-used.active_cost_ms // 1000),
            "{used} of {most} seconds of the GPU waiting or being made",
        ),
    )
    return [text.format(used=f"{count:,}", most=f"{most:,}") for most, count, text in rows if most]
