"""Role weights count the same wherever a person asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from bot.edge.commands.submission.shares import share_of
from bot.sandbox.faults import Refuse
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, DIRECT_MIA, LOBBY, MIA, MODERATOR_ROLE, PICTURES, TABLEAUX
from tests.support.edge import Edge, Start, hanging

MEMBER = ("GET", "/guilds/{guild_id}/members/{user_id}")


async def cost_of(edge: Edge, actor: str, channel: str) -> int:
    """Queue a clip and return how far it moves its person on in the queue's virtual time."""
    job = await edge.queued(actor=actor, channel=channel, seed=1, loop="none")
    sql = f"select tag - start_tag, cost_ms from job where id = {job.id}"
    [(virtual, cost)] = await edge.store.database.read(lambda db: db.execute(sql).fetchall())
    share: int = round(100 * cost / virtual)
    return share


def weights(**shares: int) -> dict[str, Any]:
    return {"queue": {"role_weights": {role.removeprefix("r"): share for role, share in shares.items()}}}


@pytest.mark.parametrize("share", [50, 400])
async def test_a_role_counts_in_direct_messages_as_in_its_server(start: Start, share: int) -> None:
    async with start(backend=hanging(), config=weights(**{f"r{MODERATOR_ROLE}": share})) as edge:
        assert await cost_of(edge, MIA, PICTURES) == share
        assert edge.sandbox.record.asked(*MEMBER) == [], "there the interaction itself tells"
        assert await cost_of(edge, MIA, DIRECT_MIA) == share
        assert await cost_of(edge, ADA, PICTURES) == 100, "the negative control: without the role"
        assert await cost_of(edge, ADA, DIRECT_ADA) == 100


async def test_the_role_of_everybody_counts_where_the_bot_is_no_member(start: Start) -> None:
    async with start(backend=hanging(), config=weights(**{f"r{TABLEAUX}": 50})) as edge:
        assert await cost_of(edge, ADA, LOBBY) == 50
        del edge.world.directory.members[TABLEAUX, BEN]
        assert await cost_of(edge, BEN, LOBBY) == 100, "who is not in that server"


async def test_without_weights_no_server_is_asked(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        assert await cost_of(edge, MIA, DIRECT_MIA) == 100
        assert edge.sandbox.record.asked(*MEMBER) == []


async def test_a_server_that_does_not_answer_costs_nobody_their_request(start: Start) -> None:
    async with start(backend=hanging(), config=weights(**{f"r{MODERATOR_ROLE}": 400})) as edge:
        edge.sandbox.faults.add(Refuse(403), "GET", "/guilds/*/members/*")
        assert await cost_of(edge, MIA, DIRECT_MIA) == 100


# -- with more than one role and server -----------------------------------------------------------------------------

PERSON = 7
WEIGHTS = {"1": 50, "2": 200, "3": 400}


def not_found() -> Exception:
    response: Any = SimpleNamespace(status=404, reason="", headers={})
    return discord.NotFound(response, "")


def guild(number: int, roles_there: set[int], of_person: tuple[int, ...] | Exception) -> Any:
    """Return a server with these roles, and those that the person has in it."""

    async def fetch_member(user_id: int) -> Any:
        assert user_id == PERSON
        if isinstance(of_person, Exception):
            raise of_person
        return SimpleNamespace(roles=[SimpleNamespace(id=role) for role in of_person])

    return SimpleNamespace(id=number, get_role=lambda role: role in roles_there or None, fetch_member=fetch_member)


def asks(*guilds: Any, where: int | None, roles: tuple[int, ...] | None = None, weights: Any = WEIGHTS) -> Any:
    config = SimpleNamespace(queue=SimpleNamespace(role_weights=weights))
    user = SimpleNamespace(id=PERSON)
    if roles is not None:
        user.roles = [SimpleNamespace(id=role) for role in roles]
    client = SimpleNamespace(
        guilds=guilds,
        get_guild=lambda number: next((one for one in guilds if one.id == number), None),
        services=SimpleNamespace(config=config),
    )
    return SimpleNamespace(client=client, guild_id=where, user=user)


def forbidden_server(number: int) -> Any:
    return guild(number, {1, 2, 3}, AssertionError("no server is to be asked"))


@pytest.mark.parametrize(
    ("asked", "share"),
    [
        (asks(forbidden_server(5), where=5, roles=(1, 3, 2)), 400),
        (asks(forbidden_server(5), where=5, roles=(1, 9)), 50),
        (asks(forbidden_server(5), where=5, roles=(9,)), 100),
        (asks(forbidden_server(5), where=5), 100),
        (asks(forbidden_server(5), where=5, roles=(3,), weights={}), 100),
        (asks(guild(5, {1, 2}, (1,)), guild(6, {2}, (2,)), where=None), 200),
        (asks(guild(5, {1}, (1,)), where=99, roles=(3,)), 50),
        (asks(guild(5, {1}, ()), guild(6, {1}, (1,)), where=None), 100),
        (asks(guild(5, {9}, AssertionError("it has no such role")), where=None), 100),
        (asks(guild(5, {1}, not_found()), guild(6, {1, 2}, (1, 2)), where=None), 200),
        (asks(guild(5, {1}, aiohttp.ClientError()), guild(6, {1}, (1,)), where=None), 50),
        (asks(where=None), 100),
    ],
)
async def test_the_largest_share_of_all_that_is_known_counts(asked: Any, share: int) -> None:
    assert await share_of(asked) == share
