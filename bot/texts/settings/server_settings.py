"""A server's settings as what they mean, and what is said when one is changed. No Discord.

Tested in tests/bot/texts/settings/test_server_settings.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.policy.language import LANGUAGES as KNOWN
from bot.policy.server import AgeRule, FilterAction, OthersPictures, ServerSettings
from bot.texts.limits import SENTENCE_LETTERS, fit_parts, shorten
from bot.texts.settings.quotas import describe_quota

TITLES: Mapping[str, str] = {
    "channels": "Channels",
    "roles": "Roles",
    "age_rule": "Age",
    "default_motion": "Usual motion",
    "most_motion": "Strongest motion",
    "default_format": "Usual format",
    "formats": "Formats",
    "default_quality": "Usual quality",
    "qualities": "Qualities",
    "variants": "Model variants",
    "longest_clip": "Longest clip",
    "private_replies": "Answers",
    "language": "Language",
    "log_channel": "Log channel",
    "report_channel": "Reports",
    "others_pictures": "Other people's pictures",
    "filter_action": "Indecent pictures and clips",
    "member_quota": "Each person",
    "role_quotas": "Roles with limits of their own",
    "server_quota": "The whole server",
}
"""by a setting's name in `ServerSettings`"""

_AGE = {
    AgeRule.ANYWHERE: "I make clips in every channel.",
    AgeRule.RESTRICTED_ONLY: "I make clips only in age-restricted channels.",
}
_OTHERS = {
    OthersPictures.ALLOWED: "Anybody may animate a picture that somebody else posted.",
    OthersPictures.ASK: "Who posted a picture is asked before somebody else may animate it.",
    OthersPictures.NEVER: "Nobody may animate a picture that somebody else posted.",
}
_FILTER = {
    FilterAction.OFF: "Nothing is looked at.",
    FilterAction.REFUSE: "What the filter takes for indecent is refused.",
    FilterAction.SPOILER: "What the filter takes for indecent is covered as a spoiler.",
    FilterAction.RESTRICTED_ONLY: "What the filter takes for indecent is made in age-restricted channels alone.",
    FilterAction.MODERATORS: "What the filter takes for indecent waits until a moderator decides.",
}
LANGUAGES: Mapping[str, str] = {code: language.name for code, language in KNOWN.items()}
"""what a server can choose as its language, each by its own name"""


def describe_setting(name: str, settings: ServerSettings) -> str:
    """Say what one setting means now."""
    return shorten(_MEANINGS[name](settings), SENTENCE_LETTERS * 2)


def _channels(settings: ServerSettings) -> str:
    if not settings.channels:
        return "I make clips in every channel where I may post."
    return f"I make clips only in {_list(_mentions('#', settings.channels))}, and in their threads."


def _roles(settings: ServerSettings) -> str:
    if not settings.roles:
        return "Everybody may ask for clips."
    return f"Only people with one of these roles may ask for clips: {_list(_mentions('@&', settings.roles))}."


def _default_motion(settings: ServerSettings) -> str:
    chosen = settings.default_motion
    return f"{chosen.capitalize()}, if nothing is asked for." if chosen else "What suits the model."


def _most_motion(settings: ServerSettings) -> str:
    most = settings.most_motion
    return f"Nobody gets a stronger motion than {most.capitalize()}." if most else "Any motion may be asked for."


def _default_format(settings: ServerSettings) -> str:
    chosen = settings.default_format
    return f"{chosen.upper()}, if nothing is asked for." if chosen else "MP4, or what is allowed here."


def _formats(settings: ServerSettings) -> str:
    if not settings.formats:
        return "Clips may have every format."
    return f"Clips may only be {_list(item.upper() for item in sorted(settings.formats))}."


def _default_quality(settings: ServerSettings) -> str:
    chosen = settings.default_quality
    return f"{chosen.capitalize()}, if nothing is asked for." if chosen else "What the operator set, if allowed here."


def _qualities(settings: ServerSettings) -> str:
    if not settings.qualities:
        return "Every quality may be asked for."
    return f"Only these may be asked for: {_list(sorted(settings.qualities))}."


def _variants(settings: ServerSettings) -> str:
    if not settings.variants:
        return "Clips are made with the model that the operator chose."
    return (
        f"Clips are made only while the operator's model is one of these: {_list(sorted(settings.variants))}. "
        "With another one, requests are refused here."
    )


def _longest_clip(settings: ServerSettings) -> str:
    most = settings.longest_clip
    return f"A clip plays {most:g} seconds at most." if most else "A clip plays a minute at most, as everywhere."


def _private_replies(settings: ServerSettings) -> str:
    if settings.private_replies:
        return "My answers to /queue, /recipe, /help and /quota are seen by who asked alone."
    return "My answers to /queue, /recipe, /help and /quota are seen by everybody in the channel."


def _language(settings: ServerSettings) -> str:
    if settings.language is None:
        return "I speak each reader's own language, as far as I know it."
    return f"I speak {LANGUAGES.get(settings.language, settings.language)} here, as far as I know it."


def _log_channel(settings: ServerSettings) -> str:
    if settings.log_channel is None:
        return "Changes to these settings are noted in no channel; the newest are listed below."
    return f"Each change to these settings is noted in <#{settings.log_channel}>."


def _report_channel(settings: ServerSettings) -> str:
    if settings.report_channel is not None:
        return f"Reports of clips come to <#{settings.report_channel}>."
    if settings.log_channel is not None:
        return f"Reports of clips come to the log channel, <#{settings.log_channel}>."
    return "Reports of clips come to the operator alone, as long as there is no channel for them."


def _role_quotas(settings: ServerSettings) -> str:
    if not settings.role_quotas:
        return "None: each person's limits are those above."
    lines = [f"<@&{role}>: {describe_quota(quota)}" for role, quota in sorted(settings.role_quotas.items())]
    return fit_parts(lines, SENTENCE_LETTERS * 2, "\n")


_MEANINGS: Mapping[str, Callable[[ServerSettings], str]] = {
    "channels": _channels,
    "roles": _roles,
    "age_rule": lambda settings: _AGE[settings.age_rule],
    "default_motion": _default_motion,
    "most_motion": _most_motion,
    "default_format": _default_format,
    "formats": _formats,
    "default_quality": _default_quality,
    "qualities": _qualities,
    "variants": _variants,
    "longest_clip": _longest_clip,
    "private_replies": _private_replies,
    "language": _language,
    "log_channel": _log_channel,
    "report_channel": _report_channel,
    "others_pictures": lambda settings: _OTHERS[settings.others_pictures],
    "filter_action": lambda settings: _FILTER[settings.filter_action],
    "member_quota": lambda settings: describe_quota(settings.member_quota),
    "role_quotas": _role_quotas,
    "server_quota": lambda settings: describe_quota(settings.server_quota),
}


def changed_text(user_id: int, name: str, before: ServerSettings, after: ServerSettings) -> str:
    """Return what the log channel reads about a change."""
    return (
        f"<@{user_id}> changed my settings for this server. **{TITLES[name]}**\n"
        f"Before: {describe_setting(name, before)}\nNow: {describe_setting(name, after)}"
    )


def audit_text(changed: Sequence[str], made_ms: int, user_id: int | None) -> str:
    """Return one line of the list of changes."""
    names = fit_parts([TITLES.get(name, name) for name in changed], SENTENCE_LETTERS, ", ")
    who = f"<@{user_id}>" if user_id is not None else "somebody who was forgotten"
    return f"<t:{made_ms // 1000}:f> {names}, by {who}"


def no_changes_text() -> str:
    """Say that nobody has changed anything yet."""
    return "Nobody has changed anything here yet."


def not_manager_text() -> str:
    """Say who may change a server's settings."""
    return "Only people with the permission Manage Server can change my settings for it."


def only_in_servers_text() -> str:
    """Say that there are no settings outside of servers."""
    return "There are no settings here: they belong to a server that I am in."


def _list(names: Iterable[str]) -> str:
    return fit_parts([str(name) for name in names], SENTENCE_LETTERS, ", ")


def _mentions(kind: str, ids: Iterable[int]) -> list[str]:
    return [f"<{kind}{number}>" for number in sorted(ids)]


def log_not_written_text(channel_id: int) -> str:
    """Warn that the log channel cannot be written to."""
    return f"I may not write into <#{channel_id}>: nothing appears there until I am given Send Messages in it."
