"""A finished clip made smaller in a child process: for a place that takes less than it said. No numpy in the caller."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from generator.clip import Format
from generator.errors import RenderCrashed, RenderError
from generator.video.clip_file import EncodedClip


async def shrink(source: Path, target: Path, format: Format, max_bytes: int) -> EncodedClip:
    """Give the clip at `source`, encoded again within `max_bytes`, complete at `target`. Raises RenderError.

    Cancelling ends the child.
    """
    arguments = [str(source), str(target), str(format), str(max_bytes)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "generator.video.shrink", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        line, _ = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # with the ffmpeg it may be running
            await asyncio.shield(process.wait())
    if process.returncode != 0:
        raise RenderCrashed(f"the shrinking child ended with {process.returncode}")
    answer = json.loads(line)
    if "error" in answer:
        raise RenderError.from_wire(answer["error"])
    return EncodedClip.from_json(answer)


def _serve(source: str, target: str, format: str, max_bytes: str) -> None:
    from generator.process.lifeline import die_with_parent
    from generator.video.encode import shrink_clip

    die_with_parent(os.getppid())
    try:
        answer = shrink_clip(Path(source), Path(target), Format(format), int(max_bytes)).to_json()
    except RenderError as error:
        answer = {"error": error.to_wire()}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    _serve(*sys.argv[1:])
