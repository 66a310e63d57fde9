"""What signs the clips of this bot, as the operator's settings say.

Tested in tests/bot/edge/test_credentials.py.
"""

from __future__ import annotations

from bot.config import Config
from bot.work.supervise import StartError
from generator.errors import RenderCrashed
from generator.video.credentials.manifest import is_installed
from generator.video.credentials.signer import UNSIGNED, ClipSigner, open_signer


async def open_signing(config: Config) -> ClipSigner:
    """Return what signs the clips; without the extra they are posted without Content Credentials.

    Raises StartError when the operator's own certificate cannot be used.
    """
    settings = config.credentials
    if not settings.sign or not is_installed():
        return UNSIGNED
    files, own = settings.files(config.data_dir), bool(settings.key)
    if own and not files.exist:
        raise StartError(f"{files.key} or {files.certificates} is missing: see [credentials] in the configuration.")
    try:
        return await open_signer(files, make=not own)
    except (OSError, RenderCrashed) as error:
        raise StartError(f"Clips cannot be signed: {error}. Set credentials.sign to false to go on without.") from error
