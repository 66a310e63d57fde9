"""Keeps what C libraries print away from a child's pipes.

Tested in tests/generator/picture/test_intake.py.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import BinaryIO


def keep_libraries_quiet() -> BinaryIO:
    """Return the pipe for answers, and send what C libraries print nowhere.

    It must neither look like an answer nor fill the bot's log.
    """
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    logging.disable()  # Pillow's messages about damaged files
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)  # Python's own tracebacks stay visible
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers
