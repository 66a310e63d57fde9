"""Write a small MP4 and GIF as for a render, and print for each what went wrong, or null. The doctor runs it.

Tested in tests/bot/doctor/test_rendering.py.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from generator.clip import Format
from generator.errors import GeneratorError
from generator.memory import MIB
from generator.video.clip_file import ClipFormat
from generator.video.encode import ClipWriter

_FORMATS = (Format.MP4, Format.GIF)


def try_format(format: Format, folder: Path) -> str | None:
    """Return why no clip of that format can be written, None when one was."""
    clip = ClipFormat(format=format, width=64, height=64, playback_fps=7, max_bytes=MIB)
    try:
        with ClipWriter(folder / f"trial.{format}", clip) as writer:
            for value in (0, 80, 160, 240):
                writer.add(np.full((64, 64, 3), value, np.uint8))
            written = writer.finish()
    except (GeneratorError, OSError) as error:
        return str(error)
    return None if written.path.stat().st_size else "the file is empty"


def main() -> None:
    """Print one JSON object."""
    with tempfile.TemporaryDirectory(prefix="vivant-doctor-") as folder:
        tried = {format.upper(): try_format(format, Path(folder)) for format in _FORMATS}
    sys.stdout.write(json.dumps(tried) + "\n")


if __name__ == "__main__":
    main()
