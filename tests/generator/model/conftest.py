"""A small random checkpoint for all tests of the model's room."""

from __future__ import annotations

import pytest

from generator.variants import Variant
from tests.support.tiny_checkpoint import make_checkpoint


@pytest.fixture(scope="session")
def tiny_variant(tmp_path_factory: pytest.TempPathFactory) -> Variant:
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))
