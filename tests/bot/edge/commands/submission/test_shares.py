"""Role weights count the same wherever a person asks."""

from __future__ import annotations

from typing import Any

import pytest

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
