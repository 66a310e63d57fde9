"""A data folder that is restored from a copy: nothing is answered twice, and nobody gets what was another's."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.app import OUR_FILES
from bot.edge.layouts.actions import Action
from bot.edge.posting import Posting
from bot.queue.deliveries import nonce_of
from bot.queue.job import JobState
from bot.sandbox.faults import LoseReply, Refuse
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, GENERAL, MIA, PICTURES, VIVANT
from bot.texts.replies import earlier_text
from generator.errors import BadFrames, EncodingFailed, OutOfMemory, RenderCrashed, RenderError
from generator.process.private import make_private
from tests.support.edge import POSTS, buttons, count_clips, hanging, running_edge, until
from tests.support.fakes import Act, FakeBackend, tiny_clip
from tests.support.jobs import Clock, claimed, faults, new_job, opened, rendered

ROOT = Path(__file__).parents[4]


def commands_of_the_readme() -> list[str]:
    """Return what the README says for a backup, and for its restoration."""
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    [block] = [block for block in blocks if "data-backup" in block]
    back_up, restore = block.strip().splitlines()
    return [back_up, restore]


def run(command: str, folder: Path) -> None:
    subprocess.run(["sh", "-ec", command], cwd=folder, check=True)


def by_the_readme(folder: Path) -> None:
    run(commands_of_the_readme()[1], folder)


def over_the_files(folder: Path) -> None:
    """Restore onto the files that are there, so that each keeps its inode."""
    run("cp -a data-backup/. data/", folder)


def the_database_alone(folder: Path) -> None:
    run("rm -f data/vivant.db-wal data/vivant.db-shm; cp data-backup/vivant.db data/vivant.db", folder)


def of_a_whole_machine(folder: Path) -> None:
    """Restore as a snapshot does: no time of any file tells it. Here its mark is made to fit."""
    over_the_files(folder)
    db = folder / "data" / "vivant.db"
    mark = folder / "data" / "mark"
    value = f"{mark.read_text()} {mark.stat().st_ctime_ns}"
    code = f"import sqlite3; db = sqlite3.connect({str(db)!r}); db.execute('update meta set value = ? where key = ?', "
    run(f"""python3 -c "{code}({value!r}, 'mark')); db.commit()" """, folder)


WAYS = [by_the_readme, over_the_files, the_database_alone, of_a_whole_machine]


async def _back_up_with_a_waiting_job(sandbox: Sandbox, folder: Path) -> None:
    """Answer one job, let the next one wait, and copy the folder."""
    async with running_edge(folder / "data", sandbox) as edge:
        await edge.queued()
        await edge.delivered(1)
        edge.backend.usual = hanging().usual
        await edge.queued()
        await until(lambda: "Cancel" in str(edge.seen()[-1]["components"]), "the second card")
    run(commands_of_the_readme()[0], folder)


async def _go_on(sandbox: Sandbox, folder: Path) -> None:
    """Answer the job that waited, and another one that the copy does not know."""
    async with running_edge(folder / "data", sandbox) as edge:
        await edge.delivered(2)
        await edge.queued(actor=BEN)
        await edge.delivered(3)
        await edge.only_clips(3)


@pytest.mark.parametrize("restore", WAYS)
async def test_what_was_answered_after_the_copy_is_neither_rendered_nor_posted_again(
    sandbox: Sandbox, tmp_path: Path, restore: Callable[[Path], None]
) -> None:
    await _back_up_with_a_waiting_job(sandbox, tmp_path)
    await _go_on(sandbox, tmp_path)
    restore(tmp_path)
    async with running_edge(tmp_path / "data", sandbox) as edge:
        sandbox.faults.add(LoseReply(), *POSTS)
        job = await edge.queued(actor=BEN)  # it has the id of the job that the copy does not know
        assert job.id == 3
        await edge.delivered(3)
        assert count_clips(edge.clips(), 3) == [1, 1, 2]
        assert [request.job for request in edge.backend.requests] == [3]
        assert (await edge.job(2)).state is JobState.CANCELLED
        assert await edge.store.database.read(faults) == []


async def test_a_job_of_the_copy_that_was_not_answered_is(sandbox: Sandbox, tmp_path: Path) -> None:
    """The other side: a look at the cards must not end what is still waited for."""
    await _back_up_with_a_waiting_job(sandbox, tmp_path)
    by_the_readme(tmp_path)
    async with running_edge(tmp_path / "data", sandbox) as edge:
        await edge.delivered(2)
        assert count_clips(edge.clips(), 2) == [1, 1]


async def test_without_a_look_at_the_cards_the_same_restoration_renders_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_at_nothing(*args: object) -> None: ...

    await _back_up_with_a_waiting_job(sandbox, tmp_path)
    await _go_on(sandbox, tmp_path)
    by_the_readme(tmp_path)
    monkeypatch.setattr("bot.edge.client.look_up_answered", look_at_nothing)
    async with running_edge(tmp_path / "data", sandbox) as edge:
        await until(lambda: [request.job for request in edge.backend.requests] == [2], "job 2 is rendered again")


FAILURES = [
    pytest.param(OutOfMemory(""), "Try smaller", id="smaller"),
    pytest.param(BadFrames("", kind="frozen"), "Make it move", id="livelier"),
    pytest.param(BadFrames("", kind="black"), "Another picture", id="other-picture"),
    pytest.param(EncodingFailed("", why="ffmpeg-missing"), "Tell the operator", id="tell"),
    pytest.param(RenderCrashed(""), "Again", id="again"),
]


async def _fail_after_the_copy(sandbox: Sandbox, folder: Path, error: RenderError, label: str) -> Json:
    """Let the job that waited fail after the copy was made, restore it, and return the message that says so."""
    await _back_up_with_a_waiting_job(sandbox, folder)
    async with running_edge(folder / "data", sandbox, backend=FakeBackend(usual=Act(error=error))) as edge:
        await edge.delivered(2)
        await until(lambda: len(edge.seen()) == 2, "the clip and the failure, and no card")
        told: Json = edge.seen()[-1]
        assert set(buttons(told["components"])) == {label}
    by_the_readme(folder)
    return told


@pytest.mark.parametrize(("error", "label"), FAILURES)
async def test_a_failure_after_the_copy_is_known_by_the_button_under_it(
    sandbox: Sandbox, tmp_path: Path, error: RenderError, label: str
) -> None:
    await _fail_after_the_copy(sandbox, tmp_path, error, label)
    async with running_edge(tmp_path / "data", sandbox) as edge:
        await edge.queued()
        await edge.delivered(3)
        assert [request.job for request in edge.backend.requests] == [3]
        assert count_clips(edge.clips(), 3) == [1, 0, 1]


async def test_a_look_up_that_knows_one_button_alone_renders_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    await _fail_after_the_copy(sandbox, tmp_path, OutOfMemory(""), "Try smaller")
    monkeypatch.setattr("bot.edge.connection.posts.FAILURE_ACTIONS", {Action.AGAIN})
    async with running_edge(tmp_path / "data", sandbox) as edge:
        await until(lambda: [request.job for request in edge.backend.requests] == [2], "job 2 is rendered again")


async def test_a_failure_of_the_copy_s_future_offers_its_remedy_to_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    """The copy does not know how the job failed, so the button can only say that it is from before."""
    told = await _fail_after_the_copy(sandbox, tmp_path, OutOfMemory(""), "Try smaller")
    async with running_edge(tmp_path / "data", sandbox) as edge:
        pressed = await edge.world.press(ADA, PICTURES, told["id"], buttons(told["components"])["Try smaller"])
        assert earlier_text() in await edge.answer(await pressed.acknowledged())
        assert edge.backend.requests == []


async def test_a_failure_that_was_posted_unseen_is_found_before_it_is_posted_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    error = OutOfMemory("")
    await _fail_after_the_copy(sandbox, tmp_path, error, "Try smaller")
    _hide_the_cards(sandbox)
    async with running_edge(tmp_path / "data", sandbox, backend=FakeBackend(usual=Act(error=error))) as edge:
        await edge.delivered(2)
        assert [request.job for request in edge.backend.requests] == [2], "it was tried again"
        failures = [item for item in edge.seen() if "Try smaller" in buttons(item["components"])]
        assert len(failures) == 1


async def test_a_cancel_after_the_copy_holds(sandbox: Sandbox, tmp_path: Path) -> None:
    await _back_up_with_a_waiting_job(sandbox, tmp_path)
    async with running_edge(tmp_path / "data", sandbox, backend=hanging()) as edge:
        await edge.answer(await edge.invoke("cancel", {"job": 2}))
        await edge.delivered(2)
    by_the_readme(tmp_path)
    async with running_edge(tmp_path / "data", sandbox) as edge:
        await edge.queued()
        await edge.delivered(3)
        assert [request.job for request in edge.backend.requests] == [3]


async def test_where_the_cards_cannot_be_read_the_post_is_looked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    await _posted_unseen(sandbox, tmp_path)
    async with running_edge(tmp_path / "data", sandbox) as edge:
        await edge.delivered(2)
        assert [request.job for request in edge.backend.requests] == [2], "it was made again"
        assert count_clips(edge.clips(), 2) == [1, 1], "and found before it was posted"


class WithoutLookUp(Posting):
    async def find(self, *args: object) -> None:
        return None


async def test_without_the_look_up_the_same_restoration_is_a_second_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    await _posted_unseen(sandbox, tmp_path)
    async with running_edge(tmp_path / "data", sandbox, posting=WithoutLookUp) as edge:
        await edge.delivered(2)
        assert count_clips(edge.clips(), 2) == [1, 2]


async def _posted_unseen(sandbox: Sandbox, folder: Path) -> None:
    await _back_up_with_a_waiting_job(sandbox, folder)
    await _go_on(sandbox, folder)
    by_the_readme(folder)
    _hide_the_cards(sandbox)


def _hide_the_cards(sandbox: Sandbox) -> None:
    sandbox.world.clock.advance(3600)  # past the nonce's window
    refused = Refuse(403, '{"message": "Missing Access", "code": 50001}', {"Content-Type": "application/json"})
    sandbox.faults.add(refused, "GET", f"/channels/{PICTURES}/messages/*", times=None)


async def test_an_ordinary_restart_looks_at_a_few_cards_only(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        for number in range(6):
            await edge.queued(actor=(ADA, BEN)[number % 2], channel=GENERAL)
    before = len(_cards_read(sandbox))
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        assert len(_cards_read(sandbox)) - before == 3
        assert not await edge.store.recheck.is_due()


def _cards_read(sandbox: Sandbox) -> list[object]:
    return list(sandbox.record.asked("GET", "/channels/{channel_id}/messages/{message_id}"))


async def test_a_copy_is_noticed_once_and_an_ordinary_restart_never(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for _ in range(2):
        async with opened(folder) as store:
            assert not await store.recheck.is_due()
    shutil.copytree(folder, tmp_path / "copy")
    async with opened(tmp_path / "copy") as store:
        assert await store.recheck.is_due()
        await store.recheck.done()
    async with opened(tmp_path / "copy") as store:
        assert not await store.recheck.is_due()


async def test_a_start_that_takes_others_rights_away_makes_no_copy_of_the_folder(tmp_path: Path) -> None:
    for _ in range(3):
        make_private(tmp_path, OUR_FILES)
        async with opened(tmp_path) as store:
            assert not await store.recheck.is_due()
    (tmp_path / "mark").chmod(0o644)
    make_private(tmp_path, OUR_FILES)
    async with opened(tmp_path) as store:
        assert await store.recheck.is_due(), "the negative control: a mark that others could read"


@pytest.mark.parametrize("alone", [False, True])
async def test_a_database_from_before_there_were_marks_is_a_copy_only_where_one_was_left(
    tmp_path: Path, alone: bool
) -> None:
    async with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "vivant.db")) as db:
        db.execute("delete from meta where key = 'mark'")
        db.commit()
    if not alone:
        (tmp_path / "mark").unlink()  # the whole folder is of that time: an upgrade
    async with opened(tmp_path) as store:
        assert await store.recheck.is_due() is alone


async def test_a_start_that_ends_before_the_look_up_leaves_it_to_the_next(tmp_path: Path) -> None:
    async with opened(tmp_path / "data"):
        pass
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    for _ in range(2):
        async with opened(tmp_path / "copy") as store:
            assert await store.recheck.is_due()


async def test_two_timelines_never_share_a_nonce(tmp_path: Path) -> None:
    nonces: list[str] = []
    async with opened(tmp_path / "data"):
        pass
    await asyncio.to_thread(shutil.copytree, tmp_path / "data", tmp_path / "copy")
    for name in ("data", "copy"):
        async with opened(tmp_path / name, now_ms=Clock()) as store:
            await store.jobs.enqueue(new_job())
            job = await claimed(store)
            await store.jobs.settle_rendered(job, rendered(job))
            [delivery] = await store.deliveries.due()
            nonces.append(delivery.nonce)
    assert nonces[0] != nonces[1]
    assert all(re.fullmatch(r"[0-9a-f]{8}-1", nonce) for nonce in nonces)


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_card_that_is_gone_is_no_answer_by_itself(sandbox: Sandbox, tmp_path: Path, is_answered: bool) -> None:
    """A moderator may have deleted it while its job waited: then the job goes on, and is not taken for a copy's."""
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        job = await edge.queued()
    name = f"vivant-{nonce_of(job.id, job.key)}.mp4"
    posted = [] if not is_answered else [Upload(name, "video/mp4", tiny_clip())]
    sandbox.world.post(VIVANT, PICTURES, "a clip", posted)
    sandbox.world.delete_message(MIA, PICTURES, str(job.card_message_id))
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.delivered(1)
        assert len(edge.backend.requests) == (0 if is_answered else 1)
        assert len(edge.clips()) == 1
