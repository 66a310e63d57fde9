"""The ffmpegs that clips are tried with: the installed one, and those that the environment names.

`VIVANT_TEST_FFMPEGS=/one/ffmpeg:/another/ffmpeg` adds some. The wheels of imageio-ffmpeg that the version range in
pyproject.toml allows hold the ones that matter: 0.6 and 0.7 ffmpeg 7.0.2, 0.8 ffmpeg 9.0.2.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from generator.video.ffmpeg import find_ffmpeg


def found_ffmpegs() -> list[pytest.ParameterSet]:
    named = [path for path in os.environ.get("VIVANT_TEST_FFMPEGS", "").split(os.pathsep) if path]
    return [pytest.param(path, id=Path(path).name) for path in (find_ffmpeg(), *named)]
