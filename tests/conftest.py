"""Fixtures that every test may use."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_operator_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own VIVANT_* settings out of the tests."""
    for name in [name for name in os.environ if name.startswith("VIVANT_")]:
        monkeypatch.delenv(name)
