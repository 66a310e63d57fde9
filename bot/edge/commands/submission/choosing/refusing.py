"""How a refused request is answered: privately, and kept where its person can mend it.

Tested in tests/bot/edge/commands/submission/choosing/test_mending.py.
"""

from __future__ import annotations

from bot.edge.commands.submission.admitting import Refused
from bot.edge.commands.submission.answers import answer, fill_in, is_acknowledged, take_back
from bot.edge.commands.submission.channel import elsewhere_of
from bot.edge.commands.submission.choosing.elsewhere import open_channels
from bot.edge.commands.submission.choosing.mend_button import mendable
from bot.edge.commands.submission.choosing.reading import Typed, option_of
from bot.edge.commands.submission.sources import Source
from bot.edge.connection.kept_requests import Kept
from bot.edge.context import Interaction
from bot.policy.admission import Reason, ReasonKind, what_to_mend
from bot.policy.facts import NOTHING_KNOWN, PictureFacts
from bot.policy.quota import Exceeded
from bot.texts.explanations import explain_settings
from bot.texts.refusals import explain_exceeded
from bot.work.ongoing import Owner
from generator.errors import SettingsError


async def refuse(
    interaction: Interaction, refused: Refused, source: Source, typed: Typed, picture: PictureFacts = NOTHING_KNOWN
) -> None:
    """Say why a request is not taken; keep what was chosen where the person can mend it."""
    text, more = refused.text, refused.more
    if refused.mend is not None and (refused.mend != "channel" or open_channels(interaction)):
        owner, key = Owner(interaction.user.id, interaction.guild_id), str(interaction.id)
        kept = Kept(owner=owner, source=source, picture=picture, typed=typed, why=text, mend=refused.mend)
        text, more = mendable(text, key, interaction.client.kept.keep(key, kept))
    if elsewhere_of(interaction) and is_acknowledged(interaction):
        await fill_in(interaction, text, **more)  # which was deferred privately
    elif is_acknowledged(interaction):
        await take_back(interaction, text, **more)
    else:
        await answer(interaction, text, **more)


def refused_settings(error: SettingsError) -> Refused:
    """Return the refusal of options, with the one to change."""
    return Refused(explain_settings(error), mend=option_of(str(error.data.get("setting", "frames"))))


def refused_quota(exceeded: Exceeded) -> Refused:
    """Return the refusal of what exceeds a quota."""
    return Refused(explain_exceeded(exceeded), mend=what_to_mend(Reason(ReasonKind.QUOTA, {"exceeded": exceeded})))
