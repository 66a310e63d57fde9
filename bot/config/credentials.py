"""The operator's settings of Content Credentials: whether clips are signed, and with whose certificate.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from bot.config.file import from_home
from bot.config.sections import Section
from generator.video.credentials.keys import KeyFiles

_PathText = Annotated[str, AfterValidator(from_home)]


class CredentialsConfig(Section):
    """How clips are signed, where the extra is installed."""

    sign: bool = True
    certificate: _PathText = ""
    """the operator's own certificates in PEM, the signing one first; empty: one that the bot makes by itself"""
    key: _PathText = ""
    """the private key of that certificate, in PEM"""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("set both certificate and key, or neither")
        return self

    def files(self, data_dir: Path) -> KeyFiles:
        """Return where the key and its certificates lie."""
        if self.key:
            return KeyFiles(Path(self.key), Path(self.certificate))
        return KeyFiles.in_folder(data_dir / "credentials")
