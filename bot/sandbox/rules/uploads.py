"""Uploaded files: their names, and how many and how large Discord allows them to be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.sandbox.rules.errors import invalid_form, too_large
from generator.memory import MIB

MAX_REQUEST_BYTES = 25 * MIB
"""of a whole request, with all its files"""
MAX_FILES = 10
UPLOAD_LIMITS = {0: 10 * MIB, 1: 10 * MIB, 2: 50 * MIB, 3: 100 * MIB}
"""bytes per file by boost tier"""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is being uploaded."""

    filename: str
    content_type: str
    data: bytes
    description: str = ""
    """the alt text that a person gave it"""


def clean_filename(name: str) -> str:
    """Return the file name that Discord would keep: without folders and special characters."""
    cleaned = re.sub(r"[^\w.\-]", "_", name.rsplit("/", 1)[-1], flags=re.ASCII)
    return cleaned.lstrip("_.") or "unknown"


def check_uploads(uploads: dict[int, Upload], max_bytes: int) -> None:
    """Check the files of one message. Raises Refusal for too many or too large ones."""
    if len(uploads) > MAX_FILES:
        raise invalid_form("files", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FILES} or fewer in length.")
    if any(len(upload.data) > max_bytes for upload in uploads.values()):
        raise too_large()
