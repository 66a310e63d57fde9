"""/queue in words: own jobs with their faces, and whose turn comes when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.policy.language import LANGUAGES
from bot.queue.job import Job, JobState, QueuePosition
from bot.texts.jobs.queue_list import OWN_SHOWN, TURNS_SHOWN, QueueView, describe_queue
from bot.texts.languages.spoken import speaking
from bot.texts.limits import count_letters
from bot.work.gate import Hold, HoldCause
from tests.support.texts import make_job

ME, ANN, BOB = 42, 43, 44
KEY = str(1_300_000_000_000_000_000)


def queue(*users: int, guild_id: int = 3) -> list[Job]:
    jobs = [make_job(id=number, user_id=user, key=KEY) for number, user in enumerate(users, 1)]
    return [replace(job, route=replace(job.route, guild_id=guild_id)) for job in jobs]


def turns(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[0:1].isdigit()]


def test_turns_are_grouped_by_person_in_their_order_and_own_ones_are_marked() -> None:
    text = describe_queue(QueueView(user_id=ME, active=queue(ME, ME, ANN, ME, BOB, BOB, BOB), guild_id=3))
    assert turns(text) == [
        f"1. ▸ **you**, <@{ME}>: 2 clips",
        f"2. <@{ANN}>: 1 clip",
        f"3. ▸ **you**, <@{ME}>: 1 clip",
        f"4. <@{BOB}>: 3 clips",
    ]
    assert "People take turns by GPU time" in text


def test_the_reason_fits_who_waits() -> None:
    def why(*users: int) -> str:
        return describe_queue(QueueView(user_id=ME, active=queue(*users), guild_id=3)).splitlines()[-1]

    assert "Nobody else waits" in why(ME, ME)
    assert "Only one person waits" in why(ANN)
    assert "take turns by GPU time" in why(ME, ANN)
    running = [replace(job, state=JobState.RUNNING) for job in queue(ANN)]
    text = describe_queue(QueueView(user_id=ME, active=running, begun={(1, 0)}))
    assert "1 being made, 0 waiting" in text and text.endswith("comes next.")
    assert "The queue is empty." in describe_queue(QueueView(user_id=ME, active=[]))


def test_own_jobs_have_a_number_a_face_and_a_time() -> None:
    position = QueuePosition(position=2, waiting=3, eta_low_ms=60_000, eta_high_ms=120_000, eta_ms=60_000)
    first, second = queue(ME, ME)
    active = [replace(first, state=JobState.RUNNING, attempt=1), second]
    view = QueueView(
        user_id=ME, active=active, positions={2: position}, names={1: "a_cat.png"}, begun={(1, 1)}, guild_id=3
    )
    text = describe_queue(view)
    assert "`1` being made now\n-# **a\\_cat.png**, asked <t:" in text
    assert "`2` number 2 in the queue. Your clip comes in about 1 minute.\n-# a picture, asked" in text
    assert "`1` up next" in describe_queue(replace(view, begun=()))
    held = describe_queue(replace(view, hold=Hold(HoldCause.PAUSED, "lunch")))
    assert "comes in" not in held and "lunch" in held, "nobody knows while nothing is started"


def longest_view() -> QueueView:
    position = QueuePosition(position=10**6, waiting=10**6, eta_low_ms=10**9, eta_high_ms=10**10)
    mine = [make_job(id=10**9 + number, user_id=10**18, key=str(10**18)) for number in range(60)]
    others = [make_job(id=number, user_id=10**18 + number) for number in range(1, 60)]
    elsewhere = replace(others[0], route=replace(others[0].route, guild_id=99))
    return QueueView(
        user_id=10**18,
        active=[*mine, elsewhere, *others[1:]],
        positions={job.id: position for job in mine},
        names={job.id: "_" * 500 for job in mine},
        guild_id=3,
        now_ms=10**13,
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_nothing_of_it_is_cut_off_in_any_language(code: str) -> None:
    with speaking(code):
        text = describe_queue(longest_view())
    assert count_letters(text) < 2000 and not text.endswith("…")


def test_a_german_reads_all_of_it_in_german() -> None:
    with speaking("de"):
        text = describe_queue(QueueView(user_id=ME, active=queue(ME, ANN, ANN), guild_id=3))
    assert turns(text) == [f"1. ▸ **du**, <@{ME}>: 1 Clip", f"2. <@{ANN}>: 2 Clips"]
    assert "`1` wartet\n-# ein Bild, angefragt <t:" in text
    assert "**Die Warteschlange**: 0 in Arbeit, 3 wartend" in text


def test_it_names_nobody_of_another_server_and_fits_a_message() -> None:
    view = longest_view()
    text = describe_queue(view)
    elsewhere, *others = [job for job in view.active if job.user_id != view.user_id]
    assert count_letters(text) < 2000 and "GPU time" in text, "nothing is cut off"
    assert f"<@{others[0].user_id}>" in text
    assert f"<@{elsewhere.user_id}>" not in text and "somebody elsewhere: 1 clip" in text
    assert f"… and {60 - OWN_SHOWN} more" in text and f"… and {60 - TURNS_SHOWN} more" in text
    direct = describe_queue(replace(view, guild_id=None))
    assert f"<@{others[0].user_id}>" not in direct, "in a direct message nobody else is named"
