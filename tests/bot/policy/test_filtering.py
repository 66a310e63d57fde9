"""What becomes of a picture by the server's action, the guess, the channel, and whether moderators can be asked."""

from __future__ import annotations

import itertools

import pytest

from bot.policy.filtering import Guess, Outcome, outcome_of
from bot.policy.server import FilterAction

LOW, AT, HIGH = (Guess(score=score, threshold=0.8, model="OpenNSFW") for score in (0.79, 0.8, 1.0))
BOTH = list(itertools.product((True, False), repeat=2))


@pytest.mark.parametrize("action", FilterAction)
@pytest.mark.parametrize(("restricted", "moderators"), BOTH)
def test_below_the_threshold_everything_passes(action: FilterAction, restricted: bool, moderators: bool) -> None:
    assert outcome_of(action, LOW, is_age_restricted=restricted, has_moderators=moderators) is Outcome.PASS


@pytest.mark.parametrize(
    ("action", "restricted", "moderators", "expected"),
    [
        *((FilterAction.OFF, *both, Outcome.PASS) for both in BOTH),
        *((FilterAction.REFUSE, *both, Outcome.REFUSE) for both in BOTH),
        *((FilterAction.SPOILER, *both, Outcome.SPOILER) for both in BOTH),
        (FilterAction.RESTRICTED_ONLY, True, False, Outcome.PASS),
        (FilterAction.RESTRICTED_ONLY, False, True, Outcome.NOT_RESTRICTED),
        (FilterAction.MODERATORS, False, True, Outcome.ASK),
        (FilterAction.MODERATORS, True, True, Outcome.ASK),
        (FilterAction.MODERATORS, False, False, Outcome.REFUSE),
    ],
)
def test_from_the_threshold_on_the_server_s_action_counts(
    action: FilterAction, restricted: bool, moderators: bool, expected: Outcome
) -> None:
    for guess in (AT, HIGH):
        assert outcome_of(action, guess, is_age_restricted=restricted, has_moderators=moderators) is expected
