"""Be another user for a while, in this very process: for what may not be read or written."""

from __future__ import annotations

import contextlib
import encodings.utf_8_sig  # noqa: F401 - another user may not read Python's own folder, where it is found when needed
import os
from collections.abc import Iterator

import pytest

NOBODY = 65534
for_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can leave files to another user")


@contextlib.contextmanager
def rights_of_nobody() -> Iterator[None]:
    """Have no rights inside the block but those that everybody has."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
