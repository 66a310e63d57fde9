"""Where the bot serves, and who may do what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.edge.commands.submission.permissions import is_admin, is_operator, may_end
from bot.queue.job import JobState, Route
from bot.sandbox.world.standard import ADA, BEN, MIA, OLGA, PICTURES
from tests.support.edge import Edge, Start, buttons, hanging, until
from tests.support.jobs import new_job


async def test_a_server_that_is_not_allowed_is_refused(start: Start) -> None:
    async with start(config={"allowed_guilds": [1]}) as edge:
        refused = await edge.animate()
        assert "do not work in this server" in await edge.answer(refused)
        await edge.animate(actor=OLGA)
        await edge.clip()


async def test_only_the_requester_and_moderators_delete_a_clip(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
        delete = buttons(clip["components"])["Delete"]
        refused = await edge.world.press(BEN, PICTURES, clip["id"], delete)
        assert "Only the person who asked" in await edge.answer(refused, actor=BEN)
        assert len(edge.clips()) == 1
        await edge.world.press(MIA, PICTURES, clip["id"], delete)
        await until(lambda: not edge.clips(), "the clip is gone")
        await until(lambda: not list(edge.spool.folder.glob("*.mp4")), "the file is gone")
        await until(lambda: edge.seen() == [], "neither the clip nor its card is left")
        assert "no such clip" in await edge.answer(await edge.invoke("result"))


async def test_others_cannot_cancel_but_moderators_can(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the job runs")
        refused = await edge.invoke("cancel", {"job": 1}, actor=BEN)
        assert "Only the person who asked" in await edge.answer(refused, actor=BEN)
        assert edge.backend.cancelled == []
        done = await edge.invoke("cancel", {"job": 1}, actor=MIA)
        assert "stops within moments" in await edge.answer(done, actor=MIA)
        none = await edge.invoke("cancel", {"job": 99}, actor=MIA)
        assert "no job 99" in await edge.answer(none, actor=MIA)


async def test_privacy_and_forget_me_work_where_the_bot_does_not(start: Start) -> None:
    async with start(backend=hanging(), config={"allowed_guilds": [1]}) as edge:
        await edge.store.jobs.enqueue(new_job(int(ADA)))
        assert "do not work in this server" in await edge.answer(await edge.invoke("help"))
        assert "24 hours" in await edge.answer(await edge.invoke("privacy"))
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        pressed = await edge.world.press(ADA, PICTURES, str(asked.message_id), f"vivant:forget:{ADA}:")
        assert "know nothing about you" in await edge.answer(pressed)
        assert await edge.store.jobs.of_user(int(ADA)) == []


async def test_the_server_side_check_holds_also_for_people_whom_discord_lets_through(start: Start) -> None:
    async with start(config={"owners": [int(MIA)], "admins": [int(BEN)]}) as edge:
        _grant_everybody(edge)
        refused = await edge.invoke("admin pause", {"reason": "ha"})
        assert "Only the people who run this bot" in await edge.answer(refused)
        assert edge.switches.gate.paused is None
        refused = await edge.invoke("admin variant", {"name": "svd"}, actor=BEN)
        assert "Only the bot's owners" in await edge.answer(refused, actor=BEN)
        status = await edge.invoke("admin status", actor=BEN)
        assert "Variant **demo**" in await edge.answer(status, actor=BEN)
        switched = await edge.invoke("admin variant", {"name": "svd"}, actor=MIA)
        assert "svd" in await edge.answer(switched, actor=MIA)


def _grant_everybody(edge: Edge) -> None:
    for role in edge.world.directory.guilds[next(iter(edge.world.directory.guilds))]["roles"]:
        role["permissions"] = str(int(role["permissions"]) | 1 << 5)  # Manage Server


# -- as plain questions ---------------------------------------------------------------------------------------------

OWNER, LISTED, ADMIN, ASKER, OTHER = 1, 2, 3, 4, 5


def interaction(person: int, guild_id: int | None = 10, *, moderates: bool = False) -> Any:
    config = SimpleNamespace(owners=frozenset({LISTED}), admins=frozenset({ADMIN}))
    application = SimpleNamespace(team=None, owner=SimpleNamespace(id=OWNER))
    client = SimpleNamespace(application=application, services=SimpleNamespace(config=config))
    return SimpleNamespace(
        user=SimpleNamespace(id=person),
        guild_id=guild_id,
        client=client,
        permissions=discord.Permissions(manage_messages=moderates),
    )


def test_operators_own_the_bot_and_admins_are_named_besides() -> None:
    people = (OWNER, LISTED, ADMIN, ASKER)
    assert [is_operator(interaction(person)) for person in people] == [True, True, False, False]
    assert [is_admin(interaction(person)) for person in people] == [True, True, True, False]


@pytest.mark.parametrize(
    ("asks", "of_guild", "may"),
    [
        (interaction(ASKER), 10, True),
        (interaction(ASKER, None), 10, True),
        (interaction(OWNER, 11), 10, True),
        (interaction(ADMIN), 10, False),
        (interaction(OTHER), 10, False),
        (interaction(OTHER, moderates=True), 10, True),
        (interaction(OTHER, 11, moderates=True), 10, False),
        (interaction(OTHER, 11, moderates=True), None, False),
        (interaction(OTHER, None, moderates=True), None, False),
    ],
)
def test_a_job_is_ended_by_its_person_a_moderator_of_its_server_or_an_operator(
    asks: Any, of_guild: int | None, may: bool
) -> None:
    route = Route(application_id=1, channel_id=2, guild_id=of_guild)
    job: Any = SimpleNamespace(user_id=ASKER, route=route, state=JobState.RUNNING)
    assert may_end(asks, job) is may
