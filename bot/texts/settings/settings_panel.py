"""The labels of the settings panel: its pages, menus and choices. No Discord.

Tested in tests/bot/texts/settings/test_server_settings.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.policy.server import AgeRule, FilterAction, OthersPictures
from bot.texts.languages.numbers import shortest
from bot.texts.languages.sentences import N_, _, pgettext, pN_
from bot.texts.limits import NAME_LETTERS, shorten

PAGE_TITLES: Mapping[str, str] = {
    "where": N_("Where and who"),
    "clips": N_("Clips"),
    "replies": N_("Answers and log"),
    "safety": N_("Safety"),
    "limits": N_("Limits"),
}


def page_title(page: str) -> str:
    """Return how a page of the panel is called."""
    return _(PAGE_TITLES[page])


_PLACEHOLDERS: Mapping[str, str] = {
    "channels": N_("Every channel"),
    "roles": N_("Everybody"),
    "formats": N_("All formats"),
    "qualities": N_("All qualities"),
    "variants": N_("The operator's model"),
    "log_channel": N_("No channel"),
    "report_channel": N_("The log channel"),
    "role_quotas": N_("Change the limits of a role"),
}


def panel_title(server: str, page: str) -> str:
    """Return the heading of the settings panel."""
    name, shown = shorten(server, NAME_LETTERS), shorten(page, NAME_LETTERS)
    if not name:
        return _("### My settings for this server: {page}", page=shown)
    return _("### My settings for {server}: {page}", server=name, page=shown)


def panel_note_text() -> str:
    """Say how the panel works."""
    return _("-# A choice holds at once, for new requests. Only people with Manage Server can change anything here.")


def placeholder_text(name: str) -> str:
    """Return what a menu shows while nothing is chosen."""
    return _(_PLACEHOLDERS[name]) if name in _PLACEHOLDERS else _("Choose")


def edit_quota_text(name: str) -> str:
    """Return the label of the button that opens the form for a quota."""
    return _("Change what each person may have") if name == "member_quota" else _("Change what the server may have")


def quota_form_title(name: str) -> str:
    """Return the title of the form for a quota."""
    if name == "member_quota":
        return _("What each person may have here")
    return _("What this server may have") if name == "server_quota" else _("What this role may have here")


_CHOICES: Mapping[tuple[str, str], str] = {
    ("age_rule", AgeRule.ANYWHERE): N_("Every channel"),
    ("age_rule", AgeRule.RESTRICTED_ONLY): N_("Age-restricted channels only"),
    ("others_pictures", OthersPictures.ALLOWED): N_("Anybody may animate them"),
    ("others_pictures", OthersPictures.ASK): N_("Ask who posted them"),
    ("others_pictures", OthersPictures.NEVER): N_("Nobody else may animate them"),
    ("filter_action", FilterAction.OFF): N_("Do not look"),
    ("filter_action", FilterAction.REFUSE): N_("Refuse them"),
    ("filter_action", FilterAction.SPOILER): N_("Cover them as spoilers"),
    ("filter_action", FilterAction.RESTRICTED_ONLY): N_("Age-restricted channels only"),
    ("filter_action", FilterAction.MODERATORS): N_("Let moderators decide"),
    ("private_replies", "true"): N_("Seen by who asked alone"),
    ("private_replies", "false"): N_("Seen by everybody in the channel"),
}
_UNSET: Mapping[str, str] = {
    "default_motion": N_("What suits the model"),
    "most_motion": N_("Any motion"),
    "default_format": N_("MP4, or what is allowed here"),
    "default_quality": N_("What the operator set"),
    "longest_clip": N_("A minute, as everywhere"),
    "language": N_("Each reader's own"),
}


_NAMES: Mapping[str, tuple[str, str]] = {
    "gentle": pN_("choice", "Gentle"),
    "medium": pN_("choice", "Medium"),
    "strong": pN_("choice", "Strong"),
    "wild": pN_("choice", "Wild"),
    "fast": pN_("choice", "Fast"),
    "balanced": pN_("choice", "Balanced"),
    "quality": pN_("choice", "Quality"),
}
"""motions and qualities, which are called as the choices of /animate are"""


def choice_label(name: str, value: str) -> str:
    """Return how one choice for a setting is called."""
    if (name, value) in _CHOICES:
        return _(_CHOICES[name, value])
    if name in ("formats", "default_format"):
        return value.upper()
    return pgettext(*_NAMES[value]) if value in _NAMES else value.capitalize()


def unset_choice_text(name: str) -> str:
    """Return how the choice to choose nothing is called."""
    return _(_UNSET[name]) if name in _UNSET else _("Nothing")


def longest_choice_text(seconds: float) -> str:
    """Return how one choice for the longest clip is called."""
    if seconds == 1:
        return _("1 second")
    return _("{seconds} seconds", seconds=shortest(seconds))
