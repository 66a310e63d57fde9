"""What makes a bot fit for strangers: the picture filter and the Content Credentials, each tried as it will be used.

Tested in tests/bot/doctor/test_trust.py.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bot.config import Config
from bot.doctor.check import Check, Status, ask_module
from bot.doctor.rendering import small_png
from generator.errors import GeneratorError
from generator.picture.filter.model import INSTALL as INSTALL_FILTER
from generator.picture.filter.model import missing
from generator.picture.intake import PictureChild
from generator.video.credentials.keys import KeyFiles
from generator.video.credentials.manifest import INSTALL as INSTALL_CREDENTIALS
from generator.video.credentials.manifest import is_installed

_ENDS_SOON_DAYS = 30
_FILTER, _CREDENTIALS = "Picture filter", "Content Credentials"


async def check_filter(config: Config) -> list[Check]:
    """Let the filter's model look at a picture, where it is installed."""
    model = config.filter.to_model()
    if lacks := missing(model):
        if lacks != INSTALL_FILTER:
            return [Check(_FILTER, Status.PROBLEM, lacks, "Correct filter.model, or empty it for OpenNSFW.")]
        remedy = f"Recommended where strangers may use the bot: {lacks}. Each server then chooses whether it counts."
        return [Check(_FILTER, Status.WARNING, "not installed: no server can have pictures looked at", remedy)]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "trial.png"
        picture.write_bytes(small_png())
        async with PictureChild(config.picture_limits(), filter_model=model, children=1) as pictures:
            try:
                score = await pictures.judge(picture)
            except GeneratorError as error:
                remedy = "Correct the settings below filter.model, or empty it for OpenNSFW."
                return [Check(_FILTER, Status.PROBLEM, f"{model.name} cannot be asked: {error.text}", remedy)]
    seen = f"{model.name} guesses {score:.2f} of a grey picture; from {config.filter.threshold:g} on it counts"
    return [Check(_FILTER, Status.OK, f"{seen}, in servers that choose it")]


async def check_credentials(config: Config) -> list[Check]:
    """See that clips can be signed, and for how long."""
    if not config.credentials.sign:
        remedy = "Set credentials.sign to true, unless something else marks the clips for programs."
        return [Check(_CREDENTIALS, Status.WARNING, "turned off: clips are not signed", remedy)]
    if not is_installed():
        remedy = f"{INSTALL_CREDENTIALS}. Until then clips carry an unsigned mark alone."
        return [Check(_CREDENTIALS, Status.WARNING, "not installed: clips are not signed", remedy)]
    files = config.credentials.files(config.data_dir)
    if not files.exist:
        return [_not_there(files, own=bool(config.credentials.key))]
    answer = await ask_module("generator.video.credentials.trial", str(files.key), str(files.certificates))
    if isinstance(answer, str) or "why" in answer:
        why = answer if isinstance(answer, str) else answer["why"]
        remedy = "Correct credentials.certificate and credentials.key: both in PEM, the signing certificate first."
        return [Check(_CREDENTIALS, Status.PROBLEM, f"{files.key} cannot sign a clip: {why}", remedy)]
    seen = f"signed by {answer['name']!r}, whose certificate ends in {answer['days']} days"
    if answer["days"] < _ENDS_SOON_DAYS:
        remedy = f"Renew it, or move {files.key} elsewhere for a new one. What it signed is not valid after its end."
        return [Check(_CREDENTIALS, Status.WARNING, seen, remedy)]
    return [Check(_CREDENTIALS, Status.OK, seen)]


def _not_there(files: KeyFiles, *, own: bool) -> Check:
    if own:
        seen, remedy = f"{files.key} or {files.certificates} is missing", "Correct [credentials] in the configuration."
        return Check(_CREDENTIALS, Status.PROBLEM, seen, remedy)
    return Check(_CREDENTIALS, Status.OK, "a key is made at the next start")
