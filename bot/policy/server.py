"""What those who manage a server have chosen for it: one validated record, kept as one JSON object.

One object, not a column for each setting: nothing ever looks for servers by a setting, a new setting needs no change
to the database, and what a later version wrote survives an older one, which changes only the keys that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.policy.motion import Motion
from bot.policy.quota import Limits, Quota
from generator.clip import MOST_SECONDS, Format, Quality

SHORTEST_LIMIT = 1.0
"""seconds: a limit below it would leave no clip at all"""


class AgeRule(StrEnum):
    """Where clips may be asked for, by age."""

    ANYWHERE = "anywhere"
    RESTRICTED_ONLY = "restricted-only"
    """only in channels that Discord shows to adults alone"""


class OthersPictures(StrEnum):
    """Whether somebody may animate a picture that somebody else posted."""

    ALLOWED = "allowed"
    ASK = "ask"
    """the author is asked first"""
    NEVER = "never"


class FilterAction(StrEnum):
    """What is done about a picture or a clip that the filter takes for indecent."""

    OFF = "off"
    REFUSE = "refuse"
    SPOILER = "spoiler"
    RESTRICTED_ONLY = "restricted-only"
    MODERATORS = "moderators"
    """moderators decide"""


_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _is_language(value: str | None) -> str | None:
    if value is not None and not _LANGUAGE.fullmatch(value):
        raise ValueError("a language is named like en, de or pt-BR")
    return value


class ServerSettings(BaseModel):
    """The settings of one server; the defaults leave everything to the operator. Ids are Discord's."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    channels: frozenset[int] = frozenset()
    """where clips may be asked for: channels, categories, threads by their channel; empty: everywhere"""
    roles: frozenset[int] = frozenset()
    """who may ask; empty: everybody"""
    default_motion: Motion | None = None
    most_motion: Motion | None = None
    """the strongest motion; None: any"""
    formats: frozenset[Format] = frozenset()
    """empty: all; so are the next two"""
    qualities: frozenset[Quality] = frozenset()
    variants: frozenset[str] = frozenset()
    default_format: Format | None = None
    default_quality: Quality | None = None
    longest_clip: Annotated[float, Field(ge=SHORTEST_LIMIT, le=MOST_SECONDS)] | None = None
    """seconds; None: as the operator allows"""
    private_replies: bool = True
    """whether the answers to /queue, /recipe, /help and /quota are shown to who asked alone"""
    language: Annotated[str | None, AfterValidator(_is_language)] = None
    """None: each reader's own"""
    age_rule: AgeRule = AgeRule.ANYWHERE
    log_channel: int | None = None
    report_channel: int | None = None
    """None: the log channel"""
    others_pictures: OthersPictures = OthersPictures.ALLOWED
    filter_action: FilterAction = FilterAction.OFF
    member_quota: Quota = Quota()
    """of each person in this server"""
    role_quotas: dict[int, Quota] = Field(default_factory=dict)
    """role id -> what its holders have instead of `member_quota`; of several roles, the most generous"""
    server_quota: Quota = Quota()
    """of all people in this server together"""

    @property
    def reports_to(self) -> int | None:
        """Return the channel for reports."""
        return self.report_channel or self.log_channel

    @property
    def limits(self) -> Limits:
        """Return what the server grants its people."""
        return Limits(person=self.member_quota, roles=self.role_quotas, server=self.server_quota)


DEFAULTS = ServerSettings()

_STRICTEST: Mapping[str, Any] = {
    "age_rule": AgeRule.RESTRICTED_ONLY,
    "others_pictures": OthersPictures.NEVER,
    "filter_action": FilterAction.REFUSE,
}
"""what a value that this version does not know is taken for, where a default would protect nobody"""


def read_settings(kept: Mapping[str, Any]) -> ServerSettings:
    """Return the settings in a kept object; what this version does not understand counts as unset, or as strict."""
    values = {name: value for name, value in kept.items() if name in ServerSettings.model_fields}
    try:
        return ServerSettings.model_validate(values)
    except ValidationError:
        return ServerSettings.model_validate({name: _readable(name, value) for name, value in values.items()})


def _readable(name: str, value: Any) -> Any:
    """Return a value that its field takes: itself, else the known ones of a list, else the strictest or the default."""
    attempts = [value]
    if isinstance(value, list):
        attempts.append([item for item in value if _fits(name, [item])])
    return next((attempt for attempt in attempts if _fits(name, attempt)), _STRICTEST.get(name, _default(name)))


def _fits(name: str, value: Any) -> bool:
    try:
        ServerSettings.model_validate({name: value})
    except ValidationError:
        return False
    return True


def _default(name: str) -> Any:
    return getattr(DEFAULTS, name)


def change_settings(kept: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kept object with some settings changed; every other key stays as it is. Raises ValidationError."""
    checked = ServerSettings.model_validate(dict(changes)).model_dump(mode="json")
    return {**kept, **{name: _sorted(checked[name]) for name in changes}}


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
