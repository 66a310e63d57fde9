"""/settings and /quota end to end: who may, what is kept, what is logged, and that it works after a restart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.edge.commands.settings.panel import PAGES, Page
from bot.policy.motion import Motion
from bot.policy.quota import Quota
from bot.policy.server import DEFAULTS, AgeRule, FilterAction, ServerSettings
from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.layout.components import Kind, walk
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction, State
from bot.sandbox.world.standard import (
    ADA,
    DIRECT_ADA,
    GENERAL,
    LOBBY,
    MIA,
    MODERATOR_ROLE,
    NO_FILES,
    OLGA,
    PICTURES,
    READ_ONLY,
    TABLEAUX,
    THREAD,
)
from generator.clip import Format
from generator.picture.filter.model import INSTALL
from tests.support.edge import Edge, Start, buttons, form_id, hanging, running_edge, until, words

PANEL = "My settings for"


def panel(edge: Edge, *, actor: str = OLGA) -> dict[str, Any]:
    """Return the newest panel that a person sees."""
    return [item for item in edge.seen(actor=actor) if PANEL in words(item)][-1]


async def opened(edge: Edge, *, actor: str = OLGA) -> dict[str, Any]:
    await edge.invoke("settings", actor=actor)
    await until(lambda: [item for item in edge.seen(actor=actor) if PANEL in words(item)], "the panel")
    return panel(edge, actor=actor)


async def turn_to(edge: Edge, page: Page) -> None:
    pressed = await edge.world.press(OLGA, PICTURES, panel(edge)["id"], f"vivant-settings-page:{page}")
    await pressed.acknowledged()


async def choose(edge: Edge, page: Page, name: str, *values: str) -> str:
    """Choose on a page, and return what the panel says then."""
    custom_id = f"vivant-settings:{page}:{name}"
    chosen = await edge.world.press(OLGA, PICTURES, panel(edge)["id"], custom_id, list(values))
    await chosen.acknowledged()
    return words(panel(edge))


def kept(edge: Edge) -> ServerSettings:
    return edge.store.servers.settings(int(TABLEAUX))


async def test_a_manager_chooses_where_and_who_and_reads_what_it_means(start: Start) -> None:
    async with start() as edge:
        shown = await opened(edge)
        assert shown["flags"] & 64, "for the manager alone"
        assert "I make clips in every channel" in words(shown)
        told = await choose(edge, Page.WHERE, "channels", PICTURES, GENERAL)
        assert f"only in <#{GENERAL}>, <#{PICTURES}>" in told
        told = await choose(edge, Page.WHERE, "roles", MODERATOR_ROLE)
        assert f"<@&{MODERATOR_ROLE}>" in told
        assert "only in age-restricted channels" in await choose(edge, Page.WHERE, "age_rule", AgeRule.RESTRICTED_ONLY)
        assert (kept(edge).channels, kept(edge).roles) == (
            frozenset({int(PICTURES), int(GENERAL)}),
            frozenset({int(MODERATOR_ROLE)}),
        )
        menu = next(item for item in walk(panel(edge)["components"]) if item["type"] == Kind.CHANNEL_SELECT)
        assert {item["id"] for item in menu["default_values"]} == {PICTURES, GENERAL}
        assert "in every channel where I may post" in await choose(edge, Page.WHERE, "channels")
        assert kept(edge).channels == frozenset()


CHOSEN: list[tuple[Page, str, list[str], Any]] = [
    (Page.CLIPS, "default_motion", ["strong"], Motion.STRONG),
    (Page.CLIPS, "default_motion", ["unset"], None),
    (Page.CLIPS, "most_motion", ["gentle"], Motion.GENTLE),
    (Page.CLIPS, "default_format", ["gif"], Format.GIF),
    (Page.CLIPS, "formats", ["gif", "webp"], frozenset({Format.GIF, Format.WEBP})),
    (Page.CLIPS, "formats", [], frozenset()),
    (Page.CLIPS, "default_quality", ["fast"], "fast"),
    (Page.CLIPS, "qualities", ["fast"], frozenset({"fast"})),
    (Page.CLIPS, "variants", ["demo"], frozenset({"demo"})),
    (Page.CLIPS, "longest_clip", ["4"], 4.0),
    (Page.CLIPS, "longest_clip", ["unset"], None),
    (Page.REPLIES, "private_replies", ["false"], False),
    (Page.REPLIES, "language", ["pt-BR"], "pt-BR"),
    (Page.REPLIES, "log_channel", [GENERAL], int(GENERAL)),
    (Page.SAFETY, "others_pictures", ["ask"], "ask"),
    (Page.SAFETY, "filter_action", ["moderators"], "moderators"),
    (Page.SAFETY, "report_channel", [GENERAL], int(GENERAL)),
    (Page.SAFETY, "report_channel", [], None),
]


async def test_every_setting_can_be_chosen_on_its_page(start: Start) -> None:
    async with start() as edge:
        await opened(edge)
        for page, name, values, becomes in CHOSEN:
            await turn_to(edge, page)
            before = words(panel(edge))
            told = await choose(edge, page, name, *values)
            assert getattr(kept(edge), name) == becomes, name
            assert told != before, name
        tried = {name for _, name, _, _ in CHOSEN} | {"channels", "roles", "age_rule"}
        assert tried | set(PAGES[Page.LIMITS]) == set(ServerSettings.model_fields), "the other tests have the rest"


async def test_each_page_keeps_within_discords_limits_with_all_that_can_be_chosen(start: Start) -> None:
    async with start() as edge:
        full = {
            "channels": list(range(10**17, 10**17 + 25)),
            "roles": list(range(10**17, 10**17 + 25)),
            "variants": [f"{'v' * 90}{number}" for number in range(30)],
            "role_quotas": {number: Quota(clips_per_day=9999) for number in range(10**17, 10**17 + 50)},
        }
        await edge.store.servers.change(int(TABLEAUX), int(OLGA), full)
        await opened(edge)
        for page in Page:
            await turn_to(edge, page)
            assert len(list(walk(panel(edge)["components"]))) <= 40
            assert all(f"**{title}**" not in words(panel(edge)) or title for title in PAGES[page])


async def test_limits_are_set_with_a_form_and_a_wrong_number_changes_nothing(start: Start) -> None:
    async with start() as edge:
        await opened(edge)
        await turn_to(edge, Page.LIMITS)
        await fill_in(edge, "vivant-settings-quota:member_quota", "member_quota", {"clips_per_day": "5"})
        assert kept(edge).member_quota == Quota(clips_per_day=5)
        assert "At most 5 clips in 24 hours." in words(panel(edge))
        await fill_in(edge, "vivant-settings-quota:server_quota", "server_quota", {"gpu_seconds_per_day": "900"})
        assert kept(edge).server_quota == Quota(gpu_seconds_per_day=900)
        role = "vivant-settings:limits:role_quotas"
        await fill_in(edge, role, MODERATOR_ROLE, {"clips_per_day": "50"}, MODERATOR_ROLE)
        assert kept(edge).role_quotas == {int(MODERATOR_ROLE): Quota(clips_per_day=50)}
        await fill_in(edge, role, MODERATOR_ROLE, {}, MODERATOR_ROLE)
        assert kept(edge).role_quotas == {}
        for wrong, sentence in (("many", "must be a whole number"), ("9999999", "100,000 at most")):
            sent = await fill_in(edge, "vivant-settings-quota:member_quota", "member_quota", {"clips_at_once": wrong})
            assert sentence in await edge.answer(sent, actor=OLGA)
            assert kept(edge).member_quota == Quota(clips_per_day=5)


async def fill_in(edge: Edge, custom_id: str, target: str, values: dict[str, str], *chosen: str) -> Any:
    """Open a quota's form, and send it."""
    asked = await edge.world.press(OLGA, PICTURES, panel(edge)["id"], custom_id, list(chosen))
    await asked.acknowledged()
    assert asked.state is State.MODAL and f"vivant-settings-form:{target}:" in form_id(asked)
    return await send_form(edge, asked, values)


async def send_form(edge: Edge, asked: Interaction, values: dict[str, str]) -> Interaction:
    """Send a quota's form that is open."""
    fields = {name: values.get(name, "") for name in Quota.model_fields}
    sent = await edge.world.submit_modal(OLGA, asked.id, form_id(asked), fields)
    return await sent.acknowledged()


async def test_a_form_that_is_open_in_two_windows_takes_what_is_sent_from_either(start: Start) -> None:
    async with start() as edge:
        await opened(edge)
        await turn_to(edge, Page.LIMITS)
        custom_id = "vivant-settings-quota:member_quota"
        windows = [await edge.world.press(OLGA, PICTURES, panel(edge)["id"], custom_id) for _ in range(2)]
        for window, clips in zip(windows, (5, 6), strict=True):
            await send_form(edge, await window.acknowledged(), {"clips_per_day": str(clips)})
            assert kept(edge).member_quota == Quota(clips_per_day=clips)


async def test_only_who_manages_the_server_sees_or_changes_anything(start: Start) -> None:
    async with start() as edge:
        await opened(edge)
        for actor, channel in ((MIA, PICTURES), (ADA, DIRECT_ADA), (ADA, LOBBY)):
            with pytest.raises(NotPossible):
                await edge.invoke("settings", actor=actor, channel=channel)
        member = edge.world.directory.members[TABLEAUX, OLGA]
        guild = edge.world.directory.guilds[TABLEAUX]
        guild["owner_id"], member["roles"] = MIA, []
        custom_id = f"vivant-settings:{Page.WHERE}:channels"
        refused = await edge.world.press(OLGA, PICTURES, panel(edge)["id"], custom_id, [GENERAL])
        assert "Only people with the permission Manage Server" in await edge.answer(refused, actor=OLGA)
        assert kept(edge) == DEFAULTS
        permissions = int(guild["roles"][-1]["permissions"]) | Permission.MANAGE_GUILD
        guild["roles"][-1]["permissions"], member["roles"] = str(int(permissions)), [MODERATOR_ROLE]
        await choose(edge, Page.WHERE, "channels", GENERAL)
        assert kept(edge).channels == {int(GENERAL)}, "the negative control"


async def test_each_change_is_noted_in_the_log_channel_and_on_the_panel(start: Start) -> None:
    async with start() as edge:
        await opened(edge)
        await turn_to(edge, Page.REPLIES)
        await choose(edge, Page.REPLIES, "log_channel", GENERAL)
        told = await until(lambda: edge.seen(actor=OLGA, channel=GENERAL), "a note in the log channel")
        assert f"<@{OLGA}> changed my settings" in words(told[-1])
        assert f"Now: Each change to these settings is noted in <#{GENERAL}>." in words(told[-1])
        assert told[-1]["mentions"] == [], "nobody is notified"
        await choose(edge, Page.REPLIES, "private_replies", "false")
        await until(lambda: len(edge.seen(actor=OLGA, channel=GENERAL)) == 2, "another note")
        listed = await choose(edge, Page.REPLIES, "log_channel")
        assert f"Answers, by <@{OLGA}>" in listed
        await until(lambda: len(edge.seen(actor=OLGA, channel=GENERAL)) == 3, "that it is none any more")


async def test_a_log_channel_that_cannot_be_written_to_is_said_and_keeps_nothing_from_changing(start: Start) -> None:
    async with start() as edge:
        await opened(edge)
        await turn_to(edge, Page.REPLIES)
        assert "I may not write into" in await choose(edge, Page.REPLIES, "log_channel", READ_ONLY)
        await choose(edge, Page.REPLIES, "language", "de")
        assert kept(edge).language == "de"
        assert "wrong on my side" not in "".join(words(item) for item in edge.seen(actor=OLGA))


async def test_a_panel_works_after_a_restart_and_the_choice_is_still_there(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        async with running_edge(tmp_path, sandbox) as edge:
            await opened(edge)
            await choose(edge, Page.WHERE, "channels", GENERAL)
        async with running_edge(tmp_path, sandbox) as edge:
            assert kept(edge).channels == {int(GENERAL)}
            assert "only in age-restricted" in await choose(edge, Page.WHERE, "age_rule", AgeRule.RESTRICTED_ONLY)
            assert kept(edge).channels == {int(GENERAL)}


async def test_answers_are_seen_by_everybody_where_the_server_wants_that(start: Start) -> None:
    async with start() as edge:
        for private in (True, False):
            await edge.store.servers.change(int(TABLEAUX), int(OLGA), {"private_replies": private})
            for command in ("queue", "help", "quota"):
                asked = await edge.invoke(command)
                assert asked.ephemeral is private, command
            asked = await edge.invoke("privacy")
            assert asked.ephemeral, "never what is kept of somebody"


async def test_what_is_left_out_is_made_as_the_server_likes_it(start: Start) -> None:
    chosen = {"default_motion": "strong", "formats": ["webp"], "default_quality": "fast", "longest_clip": 1.0}
    async with start() as edge:
        await edge.store.servers.change(int(TABLEAUX), int(OLGA), chosen)
        await edge.animate()
        await edge.delivered()
        made = (await edge.job()).settings
        assert (made.motion_bucket, made.format, made.quality, made.frames) == (185, Format.WEBP, "fast", 4)


async def test_an_age_restricted_channel_is_served_where_only_those_are(start: Start) -> None:
    async with start() as edge:
        await edge.store.servers.change(int(TABLEAUX), int(OLGA), {"age_rule": AgeRule.RESTRICTED_ONLY})
        edge.world.channels.set_age_restricted(NO_FILES)
        assert "age-restricted" in await edge.answer(await edge.animate())
        edge.world.channels.set_age_restricted(PICTURES)
        channel = edge.client.get_channel(int(PICTURES))
        await until(lambda: isinstance(channel, discord.TextChannel) and channel.is_nsfw(), "the bot knows")
        assert await edge.queued()
        assert await edge.queued(channel=THREAD), "as its channel"


async def test_quota_shows_what_is_left_and_a_refusal_says_when(start: Start) -> None:
    config = {"quota": {"person": {"clips_per_day": 2, "gpu_seconds_per_day": 1000}}}
    async with start(backend=hanging(), config=config) as edge:
        await edge.store.servers.change(int(TABLEAUX), int(OLGA), {"server_quota": {"clips_at_once": 9}})
        told = await edge.answer(await edge.invoke("quota"))
        assert "**You, everywhere**\n0 of 2 clips in 24 hours" in told
        assert "0 of 9 clips waiting or being made" in told
        await edge.queued()
        job = await edge.queued()
        assert "2 of 2 clips" in await edge.answer(await edge.invoke("quota"))
        refused = await edge.answer(await edge.animate())
        assert "You may have 2 clips in 24 hours. That is used up." in refused
        assert "There is room again <t:" in refused
        refused = await edge.answer(await edge.animate(channel=DIRECT_ADA), channel=DIRECT_ADA)
        assert "You may have 2 clips" in refused, "nor elsewhere"
        assert "Cancelled" in await edge.answer(await edge.invoke("cancel", {"job": job.id}))
        assert await edge.queued(), "given back"


async def test_without_any_limit_quota_says_so(start: Start) -> None:
    async with start() as edge:
        assert "no limit on clips here" in await edge.answer(await edge.invoke("quota"))
        assert buttons(edge.seen()[-1]["components"]) == {}


async def test_a_filter_that_cannot_work_is_told_where_it_is_chosen(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as edge:
        await opened(edge)
        await turn_to(edge, Page.SAFETY)
        assert INSTALL not in words(panel(edge)), "nobody has chosen it"
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        assert INSTALL in await choose(edge, Page.SAFETY, "filter_action", FilterAction.REFUSE)
        monkeypatch.setattr(sys.modules["bot.edge.commands.settings.items"], "missing", lambda model: "")
        assert "log channel" not in await choose(edge, Page.SAFETY, "filter_action", FilterAction.SPOILER)
        assert "not chosen a log channel" in await choose(edge, Page.SAFETY, "filter_action", FilterAction.MODERATORS)
