"""/my-data: everything that is kept about a person, and nothing of anybody else."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from bot.edge.commands.trust.own_data import FILE_NAME, pack
from bot.policy.blocking import Block, Subject
from bot.queue.servers.trust.own_data import OwnData
from bot.sandbox.world.standard import ADA, BEN, OLGA
from bot.texts.safety.trust import my_data_text
from tests.support.edge import Edge, Start, until
from tests.test_privacy import ABOUT_PEOPLE


async def archive_of(edge: Edge, actor: str) -> zipfile.ZipFile:
    asked = await edge.invoke("my-data", actor=actor)
    assert await edge.answer(asked, actor=actor) == my_data_text(0)
    found: list[dict[str, Any]] = await until(
        lambda: [item for item in edge.seen(actor=actor) if item["id"] == asked.message_id and item["attachments"]],
        "the file",
    )
    [file] = found[0]["attachments"]
    assert file["filename"] == FILE_NAME
    return zipfile.ZipFile(io.BytesIO(edge.world.attachment_bytes(file["id"])))


async def test_it_is_all_of_ones_own_and_nothing_of_others(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        await edge.animate(actor=BEN)
        await edge.clip(count=2)
        await edge.delivered(1)
        await edge.delivered(2)
        block = Block(subject=Subject.PERSON, number=int(ADA), reason="spam.")
        await edge.store.trust.blocks.block(block, by=int(OLGA))
        await edge.store.trust.pictures.opt_out(int(ADA))
        archive = await archive_of(edge, ADA)
        text = archive.read("my-data.json").decode()
        data = json.loads(text)
        job = await edge.job()
        assert [row["id"] for row in data["requests"]] == [1]
        assert data["requests"][0]["settings"]["variant"] == "demo"
        assert data["posts"][0]["message_id"]
        assert data["blocks"] == [{"reason": "spam.", "until_ms": None}]
        assert data["opted_out"] == [{"yes": 1}]
        assert BEN not in text, "nothing of others"
        token = job.route.interaction_token
        assert token
        assert token not in text, "Discord's token is a key, not something about a person"
        assert {f"files/{name}" for name in (job.picture, job.clip)} <= set(archive.namelist())
        assert archive.read(f"files/{job.picture}") == edge.spool.path(job.picture).read_bytes()
        others = json.loads((await archive_of(edge, OLGA)).read("my-data.json"))
        assert [theme for theme, rows in others.items() if rows] == ["changes_you_made", "opted_out"]


async def test_every_table_about_people_is_in_it(start: Start) -> None:
    async with start() as edge:
        data = json.loads((await archive_of(edge, ADA)).read("my-data.json"))
        named = {
            *("requests", "posts", "pictures", "queue", "set_aside", "questions_you_asked", "questions_to_you"),
            "held_back",
            "chosen_last",
            *("blocks", "changes_you_made", "opted_out", "used_after_forgetting", "quota_after_forgetting"),
        }
        assert set(data) == named
        tables = {"job", "outbox", "source", "lane", "set_aside", "consent", "review", "blocked", "audit", "opted_out"}
        assert tables | {"debt", "spent", "choice"} == ABOUT_PEOPLE, "a new table about people belongs into /my-data"


def test_what_does_not_fit_is_left_out_and_named(tmp_path: Path) -> None:
    for name, size in (("new.mp4", 1000), ("old.mp4", 5000)):
        (tmp_path / name).write_bytes(bytes(size))
    paths = [tmp_path / name for name in ("new.mp4", "old.mp4", "deleted.mp4")]
    packed, left_out = pack(OwnData(rows={"requests": []}, files=[]), paths, 3000)
    assert left_out == ["old.mp4"]
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == ["my-data.json", "files/new.mp4"]
    assert len(packed) < 3000
