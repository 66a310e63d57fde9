"""Files made anew of finished clips: one at a time for each clip and person. Knows no Discord.

Nothing of it is stored in rows: who asks gets the file as the answer to asking, at once, or is told why not. The files
lie beside the clip in the spool, and go with it or an hour later.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.queue.job import Job
from bot.queue.spool import ClipGone, Spool
from bot.work.ongoing import Ongoing, Owner
from bot.work.uplink.changes import state_of
from generator.clip import ClipSettings
from generator.protocol import before_path
from generator.video.clip_file import EncodedClip
from generator.video.shrink import take_frame

EncodeAgain = Callable[[Path, Path, ClipSettings, int], Awaitable[EncodedClip]]
"""source, target, settings, max_bytes. Raises GeneratorError"""


class MakingAlready(Exception):
    """The person has asked for another file of this clip, and it is not done yet."""


class Remaking:
    """Makes files of clips anew, from their rendered frames."""

    def __init__(self, spool: Spool, encode: EncodeAgain, ongoing: Ongoing) -> None:
        self._spool = spool
        self._encode = encode
        self._ongoing = ongoing
        self._making: set[tuple[int, int]] = set()

    async def continue_from(self, job: Job, frames: int, key: str) -> tuple[str, int]:
        """Make the last of the first `frames` of a clip a picture of the request with this key, the others beside it.

        Return the picture's name, and how many frames there are. Raises ClipGone, GeneratorError and OSError.
        """
        source, (_, picture) = self._spool.frames_of(job), self._spool.request_paths(key)
        with self._ongoing.noted(Owner(job.user_id, job.route.guild_id)):
            try:
                await asyncio.to_thread(shutil.copyfile, source, before_path(picture))
            except FileNotFoundError as error:  # deleted since it was looked for
                raise ClipGone(f"job {job.id}") from error
            return picture.name, await take_frame(before_path(picture), picture, frames)

    async def make(self, job: Job, settings: ClipSettings, max_bytes: int, person: int) -> EncodedClip:
        """Return the clip's file as `settings` say, within `max_bytes`.

        Raises ClipGone when its frames are no longer kept, MakingAlready, SpoolFull, and GeneratorError.
        """
        if (job.id, person) in self._making:
            raise MakingAlready
        frames, clip = self._spool.frames_of(job), self._spool.clip_of(job)
        self._spool.require_room()
        name = f"{clip.stem}-as-{state_of(settings).replace('.', '-')}-{max_bytes}.{settings.format}"
        self._making.add((job.id, person))
        try:
            with self._ongoing.noted(Owner(job.user_id, job.route.guild_id)):
                made = await self._encode(frames, self._spool.path(name), settings, max_bytes)
                if not clip.is_file():  # deleted meanwhile: then nothing made of it may stay
                    made.path.unlink(missing_ok=True)
                    raise ClipGone(f"job {job.id}")
                return made
        finally:
            self._making.discard((job.id, person))
