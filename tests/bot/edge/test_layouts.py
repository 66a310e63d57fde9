"""Every card and post: what it shows in each state, and its buttons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord
import pytest

from bot.edge.layouts.buttons import clip_buttons, failure_buttons, forget_buttons
from bot.edge.layouts.cards import clip_layout, dead_card, sent_card, status_card
from bot.queue.job import DeadReason, JobState, QueuePosition
from bot.queue.life.advance import Standing
from bot.sandbox.rules.layout.components import check_components
from bot.texts.descriptions import clip_text, failure_text
from bot.texts.jobs.status import CardView
from bot.work.gate import Hold, HoldCause
from generator.errors import (
    BadFrames,
    RenderError,
)
from generator.protocol import Note, Phase, Progress
from tests.bot.texts.test_limits import HUGE, JOBS, VIEWS
from tests.support.edge import buttons, words
from tests.support.texts import SECRET, make_job


async def test_a_waiting_card_shows_position_times_settings_and_a_cancel_button() -> None:
    position = QueuePosition(position=3, waiting=7, eta_low_ms=60_000, eta_high_ms=120_000, people=2)
    view = CardView(job=make_job(), position=position, due_ms=90_000)
    layout = status_card(view).to_components()
    assert "2 clips of 2 people come before yours" in words(layout)
    assert "in about 2 minutes." in words(layout)
    assert "seed 7" in words(layout)
    assert buttons(layout) == {"Cancel": f"vivant:cancel:17:{make_job().key}"}


async def test_a_running_card_shows_its_phase_and_progress() -> None:
    view = CardView(
        job=make_job(JobState.RUNNING), progress=Progress(Phase.DENOISE, 12, 25), standing=Standing(0.46, 9_000)
    )
    text = words(status_card(view).to_components())
    assert "step 12 of 25" in text
    assert "▰" in text
    assert "46%" in text


@pytest.mark.parametrize("state", JobState)
async def test_every_state_has_a_card_that_says_when_it_is_the_demo_model(state: JobState) -> None:
    job = make_job(state, failure=RenderError(SECRET).to_wire() if state is JobState.FAILED else None)
    demo = replace(job, settings=replace(job.settings, variant="demo"))
    text = words(status_card(CardView(job=demo)).to_components())
    assert "Demo model" in text
    assert "exploded" not in text
    assert "Demo model" not in words(status_card(CardView(job=job)).to_components())


async def test_a_waiting_card_says_why_nothing_starts() -> None:
    view = CardView(job=make_job(), hold=Hold(HoldCause.PAUSED, "new model coming"))
    text = words(status_card(view).to_components())
    assert "new model coming" in text
    assert "Your place is kept." in text


async def test_a_clip_mentions_its_person_and_has_its_buttons() -> None:
    job = make_job(JobState.RENDERED, notes=(Note("flattened"),))
    demo = replace(job, settings=replace(job.settings, variant="demo"))
    assert clip_text(job).startswith("<@42>")
    assert "Demo model" in clip_text(demo)
    assert "Demo model" not in clip_text(job)
    assert "filled in" in clip_text(job)
    assert set(buttons(clip_buttons(job).to_components())) == {
        "Again",
        "More motion",
        "Less motion",
        "Recipe",
        "Delete",
        "Drafts",
        "Report",
    }
    layout: Any = clip_layout(demo, "a.mp4", spoiler=True).to_components()
    assert "Demo model" in words(layout)
    assert layout[1]["items"][0]["spoiler"] is True


async def test_drafts_have_a_number_each_and_no_menu_for_a_file_that_is_not_for_keeping() -> None:
    job = make_job(JobState.RENDERED)
    drafts = replace(job, settings=replace(job.settings, drafts=True))
    for made in (clip_buttons(drafts), clip_layout(drafts, "a.mp4", spoiler=False)):
        components: Any = made.to_components()
        rows = [[item.get("label") for item in row["components"]] for row in components if row["type"] == 1]
        assert rows == [["1", "2", "3", "4"], ["Again", "More motion", "Less motion"], ["Recipe", "Delete", "Report"]]
    assert "four drafts" in clip_text(drafts) and "moves the same way" in clip_text(drafts)
    assert "draft" not in clip_text(job)


async def test_the_last_card_leads_to_the_clip_or_to_the_command_that_hands_it_over() -> None:
    job = make_job(JobState.RENDERED, facts={"seconds": 42.4})
    assert "https://discord.com/x" in words(sent_card(job, "https://discord.com/x").to_components())
    assert "in 42 s" in words(sent_card(job, "https://discord.com/x").to_components())
    assert "/result job:17" in words(dead_card(job, DeadReason.CHANNEL_GONE).to_components())
    assert "/result" not in words(dead_card(job, DeadReason.CLIP_GONE).to_components())
    failed = replace(job, state=JobState.FAILED, failure=BadFrames(SECRET, kind="black").to_wire())
    assert "black" in words(dead_card(failed, DeadReason.CHANNEL_GONE).to_components())
    assert "black" in failure_text(failed)


def longest_layouts() -> list[discord.ui.View | discord.ui.LayoutView]:
    """Return every layout, with the longest texts, keys and addresses."""
    url = f"https://discord.com/channels/{HUGE}/{HUGE}/{HUGE}"
    jobs = [replace(job, key="9" * 20) for job in JOBS]
    return [
        *(status_card(view) for view in VIEWS[::7]),
        *(sent_card(job, url) for job in jobs),
        *(dead_card(job, reason) for job in jobs for reason in (*DeadReason, None)),
        *(clip_layout(job, f"vivant-{'9' * 25}.webp", spoiler=True) for job in jobs),
        *(clip_layout(job, f"vivant-{'9' * 25}.webp", spoiler=True, is_changed=True) for job in jobs),
        *(clip_buttons(job, is_changed=is_changed) for job in jobs for is_changed in (False, True)),
        *(failure_buttons(job) for job in jobs),
        forget_buttons(HUGE),
    ]


async def test_no_layout_exceeds_what_discord_takes() -> None:
    for layout in longest_layouts():
        components: Any = layout.to_components()
        check_components(components, v2=isinstance(layout, discord.ui.LayoutView))
        assert len(words(components).encode("utf-16-le")) <= 2 * 4000
