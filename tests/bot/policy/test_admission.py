"""The rules by themselves: what each one lets through, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from bot.policy.admission import RULES, ReasonKind, decide
from bot.policy.facts import Entrance, Facts, Person, Where
from bot.policy.motion import MOTION_BUCKETS, Motion
from bot.policy.quota import Exceeded, Measure, Scope
from bot.policy.server import AgeRule, ServerSettings
from generator.clip import ClipSettings, Format, Loop, Quality

HERE = Where(guild_id=1, channel_id=2, parents=frozenset({3, 4}))
TOO_MUCH = Exceeded(scope=Scope.PERSON, measure=Measure.CLIPS_PER_DAY, limit=1)


def asked(server: dict[str, Any] | None = None, **facts: Any) -> Facts:
    plain: dict[str, Any] = {"entrance": Entrance.COMMAND, "where": HERE, "settings": ClipSettings()}
    return Facts(**{**plain, "server": ServerSettings.model_validate(server or {}), **facts})


def test_who_chose_nothing_is_served() -> None:
    assert decide(asked()) is None
    assert decide(asked(settings=None)) is None


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (asked(paused=""), ReasonKind.PAUSED),
        (asked(where=Where(missing=("Attach Files",))), ReasonKind.PERMISSIONS),
        (asked(has_room=False), ReasonKind.NO_ROOM),
        (asked({"channels": [9]}), ReasonKind.CHANNEL),
        (asked({"channels": [9]}, settings=None), ReasonKind.CHANNEL),
        (asked({"channels": [9, 2]}), None),
        (asked({"channels": [3]}), None),
        (asked({"channels": [4]}), None),
        (asked({"roles": [7]}), ReasonKind.ROLE),
        (asked({"roles": [7]}, person=Person(roles=frozenset({8}))), ReasonKind.ROLE),
        (asked({"roles": [7]}, person=Person(roles=frozenset({7, 8}))), None),
        (asked({"age_rule": AgeRule.RESTRICTED_ONLY}), ReasonKind.AGE),
        (asked({"age_rule": AgeRule.RESTRICTED_ONLY}, where=Where(is_age_restricted=True)), None),
        (asked({"most_motion": "gentle"}), ReasonKind.MOTION),
        (asked({"most_motion": "gentle"}, settings=None), None),
        (asked({"most_motion": "medium"}), None),
        (asked({"most_motion": "strong"}, settings=ClipSettings(motion_bucket=186)), ReasonKind.MOTION),
        (asked({"formats": ["gif", "webp"]}), ReasonKind.FORMAT),
        (asked({"formats": ["gif"]}, settings=ClipSettings(format=Format.GIF)), None),
        (asked({"qualities": ["fast"]}), ReasonKind.QUALITY),
        (asked({"qualities": ["fast"]}, settings=ClipSettings(quality=Quality.FAST)), None),
        (asked({"variants": ["svd"]}), ReasonKind.VARIANT),
        (asked({"variants": ["svd-xt"]}), None),
        (asked({"longest_clip": 3.5}), ReasonKind.TOO_LONG),
        (asked({"longest_clip": 3.6}), None),
        (asked({"longest_clip": 3.6}, settings=ClipSettings(loop=Loop.BOOMERANG)), ReasonKind.TOO_LONG),
        (asked(exceeded=TOO_MUCH), ReasonKind.QUOTA),
    ],
)
def test_a_rule_refuses_what_it_is_about_and_nothing_else(facts: Facts, kind: ReasonKind | None) -> None:
    reason = decide(facts)
    assert (reason and reason.kind) == kind


def test_what_concerns_everybody_is_told_before_what_a_person_can_change() -> None:
    facts = asked({"channels": [9], "most_motion": "gentle"}, paused="soon.", exceeded=TOO_MUCH)
    kinds = [reason.kind for rule in RULES if (reason := rule(facts))]
    assert kinds == [ReasonKind.PAUSED, ReasonKind.CHANNEL, ReasonKind.MOTION, ReasonKind.QUOTA]


def test_every_name_of_a_motion_has_its_bucket() -> None:
    assert list(MOTION_BUCKETS) == list(Motion)
