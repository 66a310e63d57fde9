"""Why a request is not taken, as people read it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from bot.policy.admission import Reason, ReasonKind
from bot.policy.blocking import Block, Subject
from bot.policy.motion import Motion
from bot.policy.quota import Exceeded, Measure, Scope
from bot.texts.refusals import explain_exceeded, explain_refusal

DATA: dict[ReasonKind, dict[str, Any]] = {
    ReasonKind.PAUSED: {"why": "new model coming."},
    ReasonKind.PERMISSIONS: {"missing": ("Attach Files",)},
    ReasonKind.NO_ROOM: {},
    ReasonKind.CHANNEL: {"channels": (1, 2)},
    ReasonKind.ROLE: {"roles": (1, 2)},
    ReasonKind.AGE: {},
    ReasonKind.MOTION: {"most": Motion.GENTLE, "bucket": 60},
    ReasonKind.FORMAT: {"allowed": ("gif",)},
    ReasonKind.QUALITY: {"allowed": ("fast",)},
    ReasonKind.VARIANT: {"allowed": ("svd",), "variant": "svd-xt"},
    ReasonKind.TOO_LONG: {"seconds": 7.04, "most": 3.5},
    ReasonKind.DRAINING: {"why": "moving house."},
    ReasonKind.PERSON_BLOCKED: {"block": Block(subject=Subject.PERSON, number=1, reason="spam.", until_ms=2**40)},
    ReasonKind.SERVER_BLOCKED: {"block": Block(subject=Subject.SERVER, number=1, reason="raids.")},
    ReasonKind.OPTED_OUT: {},
    ReasonKind.OTHERS_PICTURE: {},
    ReasonKind.PICTURE_BLOCKED: {},
    ReasonKind.ASK_AUTHOR: {},
    ReasonKind.QUOTA: {"exceeded": Exceeded(scope=Scope.PERSON, measure=Measure.CLIPS_PER_DAY, limit=3)},
}


@pytest.mark.parametrize("kind", list(ReasonKind))
def test_every_reason_says_what_and_that_nothing_was_queued(kind: ReasonKind) -> None:
    text = explain_refusal(Reason(kind, DATA[kind]))
    assert "Nothing was queued." in text
    assert len(text.split(". ")) >= 2


def test_ids_are_shown_as_mentions() -> None:
    assert "<#1>, <#2>" in explain_refusal(Reason(ReasonKind.CHANNEL, DATA[ReasonKind.CHANNEL]))
    assert "<@&1>, <@&2>" in explain_refusal(Reason(ReasonKind.ROLE, DATA[ReasonKind.ROLE]))


@pytest.mark.parametrize(("scope", "measure"), list(product(Scope, Measure)))
def test_a_reached_quota_names_its_limit_and_when_there_is_room_again(scope: Scope, measure: Measure) -> None:
    later = explain_exceeded(Exceeded(scope=scope, measure=measure, limit=7, free_again_ms=1_800_000_000_500))
    assert "7" in later
    assert "<t:1800000001:R>" in later, "never a second too early"
    assert "as soon as" in explain_exceeded(Exceeded(scope=scope, measure=measure, limit=7))
    assert "alone needs more" in explain_exceeded(Exceeded(scope=scope, measure=measure, limit=7, never=True))
