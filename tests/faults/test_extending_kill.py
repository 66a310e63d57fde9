"""The bot is killed while a clip is being made longer: the longer one comes once, and whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.sandbox.faults import LoseReply
from bot.sandbox.rules.layout.components import walk
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.edge import POSTS, clip_of, png, until
from tests.support.inspect_clip import read_frames
from tests.support.kill_loop import KillLoop

FRAMES = 5
WHOLE = 2 * FRAMES - 1
"""frames of a clip that has gone on once"""


class Extensions(KillLoop):
    """A bot that is killed, and started again, while a clip goes on."""

    def clips(self, seams: int) -> list[Json]:
        """Return the posts of clips that have gone on so often."""
        posts = [item for item in self.sandbox.world.messages_for(ADA, PICTURES) if clip_of(item)]
        return [item for item in posts if menu_of(item).count(".") - 3 == seams]

    def has_file(self, name: str) -> bool:
        """Tell whether the spool has a file that is called so."""
        return any(self.folder.glob(f"spool/{name}"))

    def is_running(self) -> bool:
        """Tell whether the continuation renders."""
        return bool(self.rows("select id from job where id > 1 and state = 'running'"))

    async def run_killed(self, is_moment: Callable[[], object], *, loses_reply: bool = False) -> None:
        """Let a clip go on, kill the bot at that moment, and wait until all is at rest after the next start."""
        async with self.sandbox, asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(self.keep_running())
            await self.sandbox.gateway.online.wait()
            options = {"frames": FRAMES, "loop": "none"}
            await self.sandbox.world.invoke(ADA, PICTURES, "animate", options, {"image": png()})
            [first] = await until(lambda: self.clips(0), "a clip", timeout=60)
            await until(self.is_settled, "all at rest", timeout=60)
            if loses_reply:
                self.sandbox.faults.add(LoseReply(), *POSTS, times=1)
            await self.sandbox.world.press(ADA, PICTURES, first["id"], menu_of(first), ["extend"])
            await until(is_moment, "the moment", timeout=60)
            await self.kill_bot()
            await until(self._is_settled_again, "all at rest again", timeout=self.settle_seconds)
            keeper.cancel()

    def _is_settled_again(self) -> bool:
        return self.bot is not None and self.bot.returncode is None and self.is_settled()

    def frames(self, message: Json) -> int:
        """Count the frames of a post's clip."""
        path = self.folder / "shown.mp4"
        upload = self.sandbox.world.attachments.read((clip_of(message) or {})["id"])
        assert upload is not None
        path.write_bytes(upload.data)
        return len(read_frames(path)[0])


def menu_of(message: Json) -> str:
    """Return the custom id of a clip's menu, which names the state of its file; empty where there is none."""
    found = [item["custom_id"] for item in walk(message["components"]) if item["type"] == 3]
    return str(found[0]) if found else ""


MOMENTS: dict[str, Callable[[Extensions], object]] = {
    "rendering": lambda run: run.is_running() and not run.has_file("2-1-part.mp4"),
    "joining": lambda run: run.has_file("2-1-part.mp4"),
    "posted, and not known": lambda run: run.clips(1),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_clip_that_goes_on_comes_once_and_whole_whenever_the_bot_dies(tmp_path: Path, moment: str) -> None:
    run = Extensions(tmp_path, 1)
    await run.run_killed(lambda: MOMENTS[moment](run), loses_reply=moment.startswith("posted"))
    [longer] = run.clips(1)
    assert run.frames(longer) == WHOLE
    assert not run.has_file("*-part.mp4"), "nothing of the attempt that died is left"


async def test_a_bot_that_forgets_what_it_posted_is_seen(tmp_path: Path) -> None:
    """The negative control."""
    run = Extensions(tmp_path, 1, "no-nonce")
    await run.run_killed(lambda: run.clips(1), loses_reply=True)
    assert len(run.clips(1)) > 1
