"""What is said of a clip's Content Credentials is no more than was checked."""

from __future__ import annotations

import pytest

from bot.texts.safety.labels import AI_LABEL, describe_credentials
from generator.video.credentials.manifest import INSTALL, Credentials, CredentialState


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (CredentialState.OURS, "signed by this bot"),
        (CredentialState.OTHERS, "I do not know that signer"),
        (CredentialState.CHANGED, "not valid"),
        (CredentialState.NONE, "none"),
        (CredentialState.UNCHECKED, INSTALL),
    ],
)
def test_each_state_has_its_sentence(state: CredentialState, says: str) -> None:
    assert says in describe_credentials(Credentials(state=state, signer="Somebody"))


def test_only_a_valid_statement_that_a_model_made_the_clip_is_repeated() -> None:
    for state in CredentialState:
        text = describe_credentials(Credentials(state=state, signer="x", is_generated=True))
        assert ("a model made the clip" in text) is (state in (CredentialState.OURS, CredentialState.OTHERS))


def test_a_signer_s_name_formats_nothing_and_mentions_nobody() -> None:
    text = describe_credentials(Credentials(state=CredentialState.OTHERS, signer="`@everyone` **x**"))
    assert "`'@everyone' **x**`" in text


def test_the_label_says_ai_generated_first() -> None:
    assert AI_LABEL.startswith("AI-generated")
