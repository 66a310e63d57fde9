"""A server's settings as what they mean, and what is said when one is changed. No Discord.

Tested in tests/bot/texts/settings/test_server_settings.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.policy.language import LANGUAGES as KNOWN
from bot.policy.server import AgeRule, FilterAction, OthersPictures, ServerSettings
from bot.texts.languages.numbers import shortest
from bot.texts.languages.sentences import N_, _
from bot.texts.limits import SENTENCE_LETTERS, fit_parts, listed, shorten
from bot.texts.settings.quotas import describe_quota
from bot.texts.settings.settings_panel import choice_label

TITLES: Mapping[str, str] = {
    "channels": N_("Channels"),
    "roles": N_("Roles"),
    "age_rule": N_("Age"),
    "default_motion": N_("Usual motion"),
    "most_motion": N_("Strongest motion"),
    "default_format": N_("Usual format"),
    "formats": N_("Formats"),
    "default_quality": N_("Usual quality"),
    "qualities": N_("Qualities"),
    "variants": N_("Model variants"),
    "longest_clip": N_("Longest clip"),
    "private_replies": N_("Answers"),
    "language": N_("Language"),
    "log_channel": N_("Log channel"),
    "report_channel": N_("Reports"),
    "others_pictures": N_("Other people's pictures"),
    "filter_action": N_("Indecent pictures and clips"),
    "member_quota": N_("Each person"),
    "role_quotas": N_("Roles with limits of their own"),
    "server_quota": N_("The whole server"),
}
"""by a setting's name in `ServerSettings`"""

_AGE = {
    AgeRule.ANYWHERE: N_("I make clips in every channel."),
    AgeRule.RESTRICTED_ONLY: N_("I make clips only in age-restricted channels."),
}
_OTHERS = {
    OthersPictures.ALLOWED: N_("Anybody may animate a picture that somebody else posted."),
    OthersPictures.ASK: N_("Who posted a picture is asked before somebody else may animate it."),
    OthersPictures.NEVER: N_("Nobody may animate a picture that somebody else posted."),
}
_FILTER = {
    FilterAction.OFF: N_("Nothing is looked at."),
    FilterAction.REFUSE: N_("What the filter takes for indecent is refused."),
    FilterAction.SPOILER: N_("What the filter takes for indecent is covered as a spoiler."),
    FilterAction.RESTRICTED_ONLY: N_("What the filter takes for indecent is made in age-restricted channels alone."),
    FilterAction.MODERATORS: N_("What the filter takes for indecent waits until a moderator decides."),
}
LANGUAGES: Mapping[str, str] = {code: language.name for code, language in KNOWN.items()}
"""what a server can choose as its language, each by its own name"""


def setting_title(name: str) -> str:
    """Return how a setting is called."""
    return _(TITLES[name])


def describe_setting(name: str, settings: ServerSettings) -> str:
    """Say what one setting means now."""
    return shorten(_MEANINGS[name](settings), SENTENCE_LETTERS * 2)


def _channels(settings: ServerSettings) -> str:
    if not settings.channels:
        return _("I make clips in every channel where I may post.")
    channels = listed(_mentions("#", settings.channels))
    return _("I make clips only in {channels}, and in their threads.", channels=channels)


def _roles(settings: ServerSettings) -> str:
    if not settings.roles:
        return _("Everybody may ask for clips.")
    roles = listed(_mentions("@&", settings.roles))
    return _("Only people with one of these roles may ask for clips: {roles}.", roles=roles)


def _default_motion(settings: ServerSettings) -> str:
    if not settings.default_motion:
        return _("What suits the model.")
    # Translators: {motion} is the name of a choice, such as "Gentle", here and in the next one.
    return _("{motion}, if nothing is asked for.", motion=choice_label("default_motion", settings.default_motion))


def _most_motion(settings: ServerSettings) -> str:
    if not settings.most_motion:
        return _("Any motion may be asked for.")
    return _("Nobody gets a stronger motion than {motion}.", motion=choice_label("most_motion", settings.most_motion))


def _default_format(settings: ServerSettings) -> str:
    if not settings.default_format:
        return _("MP4, or what is allowed here.")
    # Translators: {format} is a name such as GIF.
    return _("{format}, if nothing is asked for.", format=choice_label("default_format", settings.default_format))


def _formats(settings: ServerSettings) -> str:
    if not settings.formats:
        return _("Clips may have every format.")
    # Translators: {formats} is a list such as "GIF, MP4".
    formats = listed(choice_label("formats", item) for item in sorted(settings.formats))
    return _("Clips may only be {formats}.", formats=formats)


def _default_quality(settings: ServerSettings) -> str:
    if not settings.default_quality:
        return _("What the operator set, if allowed here.")
    # Translators: {quality} is the name of a choice, such as "Fast".
    return _("{quality}, if nothing is asked for.", quality=choice_label("default_quality", settings.default_quality))


def _qualities(settings: ServerSettings) -> str:
    if not settings.qualities:
        return _("Every quality may be asked for.")
    qualities = listed(choice_label("qualities", item) for item in sorted(settings.qualities))
    return _("Only these may be asked for: {qualities}.", qualities=qualities)


def _variants(settings: ServerSettings) -> str:
    if not settings.variants:
        return _("Clips are made with the model that the operator chose.")
    return _(
        "Clips are made only while the operator's model is one of these: {variants}. "
        "With another one, requests are refused here.",
        variants=listed(sorted(settings.variants)),
    )


def _longest_clip(settings: ServerSettings) -> str:
    most = settings.longest_clip
    if not most:
        return _("A clip plays a minute at most, as everywhere.")
    if most == 1:
        return _("A clip plays 1 second at most.")
    return _("A clip plays {seconds} seconds at most.", seconds=shortest(most))


def _private_replies(settings: ServerSettings) -> str:
    if settings.private_replies:
        return _("My answers to /queue, /recipe, /help and /quota are seen by who asked alone.")
    return _("My answers to /queue, /recipe, /help and /quota are seen by everybody in the channel.")


def _language(settings: ServerSettings) -> str:
    if settings.language is None:
        return _("I speak each reader's own language, as far as I know it.")
    language = LANGUAGES.get(settings.language, settings.language)
    # Translators: {language} is a language as its own speakers call it, such as "Deutsch".
    return _("I speak {language} here, as far as I know it.", language=language)


def _log_channel(settings: ServerSettings) -> str:
    if settings.log_channel is None:
        return _("Changes to these settings are noted in no channel; the newest are listed below.")
    return _("Each change to these settings is noted in <#{channel}>.", channel=settings.log_channel)


def _report_channel(settings: ServerSettings) -> str:
    if settings.report_channel is not None:
        return _("Reports of clips come to <#{channel}>.", channel=settings.report_channel)
    if settings.log_channel is not None:
        return _("Reports of clips come to the log channel, <#{channel}>.", channel=settings.log_channel)
    return _("Reports of clips come to the operator alone, as long as there is no channel for them.")


def _role_quotas(settings: ServerSettings) -> str:
    if not settings.role_quotas:
        return _("None: each person's limits are those above.")
    # Translators: {limits} is a sentence such as "At most 5 clips in 24 hours."
    lines = [
        _("<@&{role}>: {limits}", role=role, limits=describe_quota(quota))
        for role, quota in sorted(settings.role_quotas.items())
    ]
    return fit_parts(lines, SENTENCE_LETTERS * 2, "\n")


_MEANINGS: Mapping[str, Callable[[ServerSettings], str]] = {
    "channels": _channels,
    "roles": _roles,
    "age_rule": lambda settings: _(_AGE[settings.age_rule]),
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
    "others_pictures": lambda settings: _(_OTHERS[settings.others_pictures]),
    "filter_action": lambda settings: _(_FILTER[settings.filter_action]),
    "member_quota": lambda settings: describe_quota(settings.member_quota),
    "role_quotas": _role_quotas,
    "server_quota": lambda settings: describe_quota(settings.server_quota),
}


def changed_text(user_id: int, name: str, before: ServerSettings, after: ServerSettings) -> str:
    """Return what the log channel reads about a change."""
    # Translators: {setting} is a title such as "Log channel", {before} and {now} are whole sentences.
    return _(
        "<@{user}> changed my settings for this server. **{setting}**\nBefore: {before}\nNow: {now}",
        user=user_id,
        setting=setting_title(name),
        before=describe_setting(name, before),
        now=describe_setting(name, after),
    )


def audit_text(changed: Sequence[str], made_ms: int, user_id: int | None) -> str:
    """Return one line of the list of changes."""
    when, names = f"<t:{made_ms // 1000}:f>", listed(_(TITLES[name]) if name in TITLES else name for name in changed)
    if user_id is None:
        return _("{when} {settings}, by somebody who was forgotten", when=when, settings=names)
    # Translators: {settings} is a list of titles such as "Log channel, Language", here and in the one before.
    return _("{when} {settings}, by <@{user}>", when=when, settings=names, user=user_id)


def no_changes_text() -> str:
    """Say that nobody has changed anything yet."""
    return _("Nobody has changed anything here yet.")


def not_manager_text() -> str:
    """Say who may change a server's settings."""
    return _("Only people with the permission Manage Server can change my settings for it.")


def only_in_servers_text() -> str:
    """Say that there are no settings outside of servers."""
    return _("There are no settings here: they belong to a server that I am in.")


def _mentions(kind: str, ids: Iterable[int]) -> list[str]:
    return [f"<{kind}{number}>" for number in sorted(ids)]


def log_not_written_text(channel_id: int) -> str:
    """Warn that the log channel cannot be written to."""
    return _(
        "I may not write into <#{channel}>: nothing appears there until I am given Send Messages in it.",
        channel=channel_id,
    )
