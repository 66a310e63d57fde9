"""What says that a clip is AI-generated, to people and to programs: the label, and the Content Credentials."""

from __future__ import annotations

from bot.texts.languages.sentences import N_, _, pgettext
from bot.texts.limits import NAME_LETTERS, shorten
from generator.video.credentials.manifest import INSTALL, Credentials, CredentialState

AI_LABEL = N_("AI-generated: a model made this clip from a picture.")
"""beside every clip, wherever it is posted"""


def describe_credentials(found: Credentials) -> str:
    """Say what a check of a clip's Content Credentials found, and what that is worth."""
    signer = _plain(found.signer) or pgettext("of a signer", "no name")
    match found.state:
        case CredentialState.OURS if found.is_generated:
            return _(
                "Content Credentials: signed by this bot and unchanged since. They say that a model made the clip."
            )
        case CredentialState.OURS:
            return _("Content Credentials: signed by this bot and unchanged since.")
        case CredentialState.OTHERS if found.is_generated:
            return _(
                "Content Credentials: signed by {signer}, and unchanged since. They say that a model made the clip. "
                "I do not know that signer, and anybody may write any name.",
                signer=signer,
            )
        case CredentialState.OTHERS:
            return _(
                "Content Credentials: signed by {signer}, and unchanged since. "
                "I do not know that signer, and anybody may write any name.",
                signer=signer,
            )
        case CredentialState.CHANGED:
            return _("Content Credentials: not valid. The clip or they were changed after the signing.")
        case CredentialState.UNCHECKED:
            return _(
                "Content Credentials: not checked. The bot's operator can have that: `{command}`.", command=INSTALL
            )
    return _("Content Credentials: none. Programs that save a clip again often leave them out.")


def _plain(name: str) -> str:
    """Return a name that anybody may have written as inline code, which formats nothing and mentions nobody."""
    shown = shorten(name.replace("`", "'"), NAME_LETTERS)
    return f"`{shown}`" if shown.strip() else ""
