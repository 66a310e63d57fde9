"""The settings of a cluster: where it is, and what the bot may ask of it.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from bot.config.file import from_home
from bot.config.sections import Section


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if value and not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError('name the head with its port, such as "10.0.0.5:6379", or leave it empty')
    return value


def _account(value: str) -> str:
    try:
        if value:
            pwd.getpwnam(value)
    except KeyError:
        raise ValueError(f"there is no account {value!r} on this machine") from None
    return value


class ClusterConfig(Section):
    """Many machines through Ray; off while `address` is empty."""

    address: Annotated[str, AfterValidator(_address)] = ""
    token_file: str = "~/.vivant-cluster-token"
    user: Annotated[str, AfterValidator(_account)] = ""
    """the account that the bridge runs as; empty: the bot's own"""
    max_cards: int = Field(64, ge=1, le=1000)
    max_rented: int = Field(0, ge=0, le=1000)
    """cards that an autoscaler may be asked for; 0: it is never asked"""

    @property
    def owner(self) -> tuple[int, int] | None:
        """Return the uid and gid of the bridge's account, None for the bot's own."""
        if not self.user:
            return None
        account = pwd.getpwnam(self.user)
        return account.pw_uid, account.pw_gid

    @property
    def token_path(self) -> Path:
        """Return the file that holds the cluster's token. Raises ValueError where ~ is no folder."""
        return Path(from_home(self.token_file))
