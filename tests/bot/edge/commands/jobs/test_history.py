"""/history: one's own clips with their pictures, page by page, and what its buttons do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.edge.commands.jobs.pages import PAGE_SIZE, history_layout
from bot.queue.job import DeliveryState, JobState
from bot.queue.life.past import PastJob
from bot.sandbox.rules.layout.components import check_components
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, LOBBY, PICTURES
from bot.texts.jobs.history import HistoryPage, clip_no_longer_kept_text, describe_past, history_foot
from bot.texts.languages.spoken import speaking
from generator.errors import OutOfMemory
from tests.bot.texts.test_limits import HUGE, LONG, PAST
from tests.support.edge import Edge, Start, png, until, words
from tests.support.fakes import Act, FakeBackend
from tests.support.texts import make_job

HOUR_MS = 3_600_000


async def page(edge: Edge, *, actor: str = ADA, channel: str = PICTURES) -> dict[str, Any]:
    """Run /history, and return the private message."""
    asked = await edge.invoke("history", actor=actor, channel=channel)
    await edge.answer(asked, actor=actor, channel=channel)
    return seen(edge, str(asked.message_id), actor=actor, channel=channel)


def seen(edge: Edge, message_id: str, *, actor: str = ADA, channel: str = PICTURES) -> dict[str, Any]:
    [message] = [item for item in edge.seen(actor=actor, channel=channel) if item["id"] == message_id]
    return message


def pressable(node: Any) -> list[tuple[str, str]]:
    """Return all buttons of a message in order, with labels that occur more than once."""
    if isinstance(node, list):
        return [item for each in node for item in pressable(each)]
    own = [(node["label"], node["custom_id"])] if node.get("type") == 2 else []
    return own + pressable(node.get("components", []))


def thumbnails(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [item for each in node for item in thumbnails(each)]
    own = [node] if node.get("type") == 11 else []
    return own + [item for key in ("components", "accessory") if key in node for item in thumbnails([node[key]][0])]


async def press(edge: Edge, message: dict[str, Any], label: str, *, actor: str = ADA, channel: str = PICTURES) -> Any:
    custom_id = dict(reversed(pressable(message["components"])))[label]  # the first of those with that label
    return await (await edge.world.press(actor, channel, message["id"], custom_id)).acknowledged()


async def test_each_clip_has_its_picture_name_age_state_and_buttons(start: Start) -> None:
    script = [Act(steps=1), Act(error=OutOfMemory(""))]
    async with start(backend=FakeBackend(script=script, usual=Act(steps=1))) as edge:
        assert "nothing here yet" in words(await page(edge))
        for number, name in enumerate(("SPOILER_gift.png", "cat_1.png"), 1):
            await edge.animate(file=png(name))
            await edge.delivered(number)
        await edge.queued(actor=BEN)
        shown = await page(edge)
        assert shown["flags"] & 64, "only who asks sees it"
        text = words(shown)
        assert "**cat\\_1.png**, asked <t:" in text and "No clip: The graphics card ran out of memory" in text
        assert "||gift.png||" in text and "Done: [the post](https://discord.com/channels/" in text
        assert "I keep it until <t:" in text
        assert [label for label, _ in pressable(shown["components"])] == [
            *("Try smaller", "Delete"),
            *("Again", "Fetch", "Delete"),
        ]
        covered = [item["spoiler"] for item in thumbnails(shown["components"])]
        assert covered == [False, True], "a covered picture stays covered"
        names = [item["filename"] for item in shown["attachments"]]
        assert names == ["job-2.png", "SPOILER_job-1.png"]
        assert "`3`" not in text, "nobody else's"


async def test_pages_turn_in_the_same_message(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        for number in range(1, PAGE_SIZE + 2):
            await edge.animate()
            await edge.delivered(number)
        shown = await page(edge)
        assert "`5`" in words(shown) and "`1`" not in words(shown) and "1 older." in words(shown)
        await press(edge, shown, "Older")
        await until(lambda: "`1`" in words(seen(edge, shown["id"])), "the older page")
        older = seen(edge, shown["id"])
        assert "`2`" not in words(older) and len(older["attachments"]) == 1
        await press(edge, older, "Newest")
        await until(lambda: "`5`" in words(seen(edge, shown["id"])), "the newest page again")


@pytest.mark.parametrize("channel", [DIRECT_ADA, LOBBY], ids=["direct message", "installed for a person"])
async def test_it_works_wherever_one_can_ask(start: Start, channel: str) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        await edge.animate(channel=channel)
        await edge.delivered()
        shown = await page(edge, channel=channel)
        assert "`1` **photo.png**" in words(shown) and len(thumbnails(shown["components"])) == 1
        fetched = await press(edge, shown, "Fetch", channel=channel)
        await edge.answer(fetched, channel=channel)
        handed = seen(edge, str(fetched.message_id), channel=channel)
        assert [item["filename"] for item in handed["attachments"]] == ["vivant-1.mp4"] and handed["flags"] & 64
        await press(edge, shown, "Again", channel=channel)
        await edge.delivered(2)
        assert (await edge.job(2)).picture == (await edge.job(1)).picture


async def test_delete_asks_first_and_then_takes_post_card_and_files(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
        job, shown = await edge.job(), await page(edge)
        asked = await press(edge, shown, "Delete")
        told = await edge.answer(asked)
        assert "cannot be undone" in told and "**photo.png**" in told
        assert edge.clips() and (await edge.job()).clip, "nothing is gone before it is meant"
        await press(edge, seen(edge, str(asked.message_id)), "Delete for good")
        await until(lambda: "Deleted: the post" in words(seen(edge, str(asked.message_id))), "that it is done")
        posted = [item["id"] for item in edge.seen()]
        assert clip["id"] not in posted and str(job.card_message_id) not in posted
        assert list(edge.spool.folder.iterdir()) == []
        after = await page(edge)
        assert "It was deleted, so I no longer keep it." in words(after)
        assert thumbnails(after["components"]) == [] and after["attachments"] == []


async def test_a_post_that_cannot_be_reached_is_said_to_be_left(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        await edge.animate(channel=LOBBY)
        await edge.delivered()
        await edge.store.database.write(
            lambda db: db.execute("update job set route = json_set(route, '$.token_expires_ms', 1)")
        )
        asked = await press(edge, await page(edge, channel=LOBBY), "Delete", channel=LOBBY)
        await edge.answer(asked, channel=LOBBY)
        question = seen(edge, str(asked.message_id), channel=LOBBY)
        await press(edge, question, "Delete for good", channel=LOBBY)
        said = "press Delete under it"
        await until(lambda: said in words(seen(edge, str(asked.message_id), channel=LOBBY)), "what is left")
        assert list(edge.spool.folder.iterdir()) == []


async def test_nobody_fetches_deletes_or_reads_what_is_somebody_else_s(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        await edge.animate()
        await edge.delivered()
        shown = await page(edge)
        assert shown["id"] not in [item["id"] for item in edge.seen(actor=BEN)]
        assert "nothing here yet" in words(await page(edge, actor=BEN))
        [entry], older = await edge.store.past.page(int(ADA), before=HUGE, limit=PAGE_SIZE)
        assert (entry.job.user_id, older) == (int(ADA), 1)


async def test_what_went_meanwhile_is_said_with_when_it_went(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        await edge.animate()
        await edge.delivered()
        shown, job = await page(edge), await edge.job()
        later = edge.store.now_ms() + 25 * HOUR_MS
        gone = await edge.store.retention.sweep(later)
        await edge.services.requests.delete_files(gone)
        edge.clock.ahead_ms = 25 * HOUR_MS
        told = await edge.answer(await press(edge, shown, "Fetch"))
        assert "it went at the latest <t:" in told
        after = await page(edge)
        assert "it went at the latest <t:" in words(after)
        assert [label for label, _ in pressable(after["components"])] == ["Delete"], "the post is still there"
        assert edge.store.names.of(job) is None, "the name went with the picture"


def past(state: JobState = JobState.RENDERED, **more: Any) -> PastJob:
    values: dict[str, Any] = {"finished_ms": 0, "delivery": DeliveryState.SENT, "message_id": 9}
    return PastJob(job=make_job(state), **(values | more))


def test_every_end_of_a_request_is_told() -> None:
    kept = HistoryPage(entries=[], clips=frozenset({17}))
    assert "[the post](https://discord.com/channels/3/2/9). I keep it until <t:86400:f>." in describe_past(kept, past())
    dead = past(delivery=DeliveryState.DEAD, message_id=None)
    assert "could not be posted. I keep it for you; Fetch hands it over." in describe_past(kept, dead)
    assert "\nDone. I keep it" in describe_past(kept, past(delivery=DeliveryState.PENDING))
    assert "Cancelled, so there is no clip." in describe_past(kept, past(JobState.CANCELLED))
    alone = past()
    alone = replace(alone, job=replace(alone.job, route=replace(alone.job.route, guild_id=None)))
    assert "channels/@me/2/9" in describe_past(kept, alone)
    assert "It was deleted" in clip_no_longer_kept_text(past(), 24, HOUR_MS)
    assert "went at the latest <t:86400:f>" in clip_no_longer_kept_text(past(), 24, 24 * HOUR_MS)


async def test_no_page_exceeds_what_discord_takes() -> None:
    tried = 0
    for first in range(0, len(PAST), PAGE_SIZE):
        entries = PAST[first : first + PAGE_SIZE]
        entries = [
            replace(item, job=replace(item.job, id=HUGE - number, key=str(HUGE))) for number, item in enumerate(entries)
        ]
        numbers = frozenset(item.job.id for item in entries)
        full = HistoryPage(
            entries=entries,
            older=HUGE,
            is_newest=False,
            names=dict.fromkeys(numbers, LONG),
            pictures=numbers,
            clips=numbers,
        )
        check_components(history_layout(full, HUGE).to_components(), v2=True)
        tried += 1
    assert tried > 10


async def test_who_is_forgotten_has_their_pictures_names_forgotten_too(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        for number, actor in enumerate((ADA, BEN), 1):
            await edge.animate(actor=actor)
            await edge.delivered(number)
        mine, theirs = await edge.job(1), await edge.job(2)
        assert edge.store.names.of(mine) == "photo.png", "the negative control"
        await edge.services.requests.forget_user(int(ADA))
        assert (edge.store.names.of(mine), edge.store.names.of(theirs)) == (None, "photo.png")


def test_the_foot_counts_one_and_many_in_each_language() -> None:
    foot = history_foot(HistoryPage(entries=[], older=2, clip_hours=1, row_days=1))
    assert foot == "-# 2 older. Pictures and clips are kept for 1 hour, this list for 1 day."
    with speaking("de"):
        foot = history_foot(HistoryPage(entries=[], older=1, clip_hours=24, row_days=30))
    assert foot == "-# 1 älterer. Bilder und Clips werden 24 Stunden behalten, diese Liste 30 Tage."
