"""The labels of the settings panel: its pages, menus and choices. No Discord.

Tested in tests/bot/texts/settings/test_server_settings.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.policy.server import AgeRule, FilterAction, OthersPictures
from bot.texts.limits import NAME_LETTERS, shorten

PAGE_TITLES: Mapping[str, str] = {
    "where": "Where and who",
    "clips": "Clips",
    "replies": "Answers and log",
    "safety": "Safety",
    "limits": "Limits",
}
_PLACEHOLDERS: Mapping[str, str] = {
    "channels": "Every channel",
    "roles": "Everybody",
    "formats": "All formats",
    "qualities": "All qualities",
    "variants": "The operator's model",
    "log_channel": "No channel",
    "report_channel": "The log channel",
    "role_quotas": "Change the limits of a role",
}


def panel_title(server: str, page: str) -> str:
    """Return the heading of the settings panel."""
    return f"### My settings for {shorten(server, NAME_LETTERS) or 'this server'}: {shorten(page, NAME_LETTERS)}"


def panel_note_text() -> str:
    """Say how the panel works."""
    return "-# A choice holds at once, for new requests. Only people with Manage Server can change anything here."


def placeholder_text(name: str) -> str:
    """Return what a menu shows while nothing is chosen."""
    return _PLACEHOLDERS.get(name, "Choose")


def edit_quota_text(name: str) -> str:
    """Return the label of the button that opens the form for a quota."""
    return "Change what each person may have" if name == "member_quota" else "Change what the server may have"


def quota_form_title(name: str) -> str:
    """Return the title of the form for a quota."""
    titles = {"member_quota": "What each person may have here", "server_quota": "What this server may have"}
    return titles.get(name, "What this role may have here")


_CHOICES: Mapping[tuple[str, str], str] = {
    ("age_rule", AgeRule.ANYWHERE): "Every channel",
    ("age_rule", AgeRule.RESTRICTED_ONLY): "Age-restricted channels only",
    ("others_pictures", OthersPictures.ALLOWED): "Anybody may animate them",
    ("others_pictures", OthersPictures.ASK): "Ask who posted them",
    ("others_pictures", OthersPictures.NEVER): "Nobody else may animate them",
    ("filter_action", FilterAction.OFF): "Do not look",
    ("filter_action", FilterAction.REFUSE): "Refuse them",
    ("filter_action", FilterAction.SPOILER): "Cover them as spoilers",
    ("filter_action", FilterAction.RESTRICTED_ONLY): "Age-restricted channels only",
    ("filter_action", FilterAction.MODERATORS): "Let moderators decide",
    ("private_replies", "true"): "Seen by who asked alone",
    ("private_replies", "false"): "Seen by everybody in the channel",
}
_UNSET: Mapping[str, str] = {
    "default_motion": "What suits the model",
    "most_motion": "Any motion",
    "default_format": "MP4, or what is allowed here",
    "default_quality": "What the operator set",
    "longest_clip": "A minute, as everywhere",
    "language": "Each reader's own",
}


def choice_label(name: str, value: str) -> str:
    """Return how one choice for a setting is called."""
    known = _CHOICES.get((name, value))
    return known or (value.upper() if name in ("formats", "default_format") else value.capitalize())


def unset_choice_text(name: str) -> str:
    """Return how the choice to choose nothing is called."""
    return _UNSET.get(name, "Nothing")


def longest_choice_text(seconds: float) -> str:
    """Return how one choice for the longest clip is called."""
    return f"{seconds:g} seconds"
