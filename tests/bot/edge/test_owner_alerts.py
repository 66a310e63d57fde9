"""Who owns the bot; and when the executor keeps dying, the owner hears of it, once, and nobody else does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.edge.owner_alerts import OwnerAlerts, owner_ids
from bot.sandbox.rules.payloads import Json
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, DIRECT_OLGA, MIA, OLGA
from generator.errors import ExecutorLost
from tests.support.edge import Edge, running_edge, until

INVITED, ACCEPTED = 1, 2


@pytest.mark.parametrize(("others_go_on", "says"), [(False, "nothing is started"), (True, "the others go on")])
async def test_a_storm_is_told_to_the_owner_alone(edge: Edge, others_go_on: bool, says: str) -> None:
    alarm = OwnerAlerts(edge.client, frozenset())
    alarm.storm(ExecutorLost("killed by signal 9", cause="signal"), others_go_on)
    ringing = asyncio.create_task(alarm.run())
    try:
        [message] = await until(lambda: edge.world.messages_for(OLGA, DIRECT_OLGA), "a message to the owner")
    finally:
        ringing.cancel()
    assert "was killed" in message["content"]
    assert says in message["content"]
    assert "/admin resume" in message["content"]
    assert not edge.world.messages_for(ADA, DIRECT_ADA)


async def test_a_machine_that_is_left_out_is_told_to_the_owner_by_name(edge: Edge) -> None:
    alarm = OwnerAlerts(edge.client, frozenset())
    alarm.left_out("upstairs")
    ringing = asyncio.create_task(alarm.run())
    try:
        [message] = await until(lambda: edge.world.messages_for(OLGA, DIRECT_OLGA), "a message to the owner")
    finally:
        ringing.cancel()
    assert "upstairs" in message["content"] and "/admin resume" in message["content"]


@pytest.mark.parametrize(
    ("state", "role", "runs"),
    [
        (ACCEPTED, "admin", True),
        (ACCEPTED, "developer", True),
        (ACCEPTED, "read_only", False),
        (ACCEPTED, "a role of next year", False),
        (INVITED, "admin", False),
        (INVITED, "developer", False),
        (3, "admin", False),
    ],
)
async def test_of_a_team_only_accepted_admins_and_developers_run_the_bot(
    sandbox: Sandbox, tmp_path: Path, state: int, role: str, runs: bool
) -> None:
    sandbox.world.directory.application["team"] = _team(sandbox, [(ADA, state, role)])
    async with running_edge(tmp_path, sandbox, config={"owners": [int(BEN)]}) as edge:
        told = owner_ids(edge.client, edge.services.config.owners)
        assert told == {int(OLGA), int(BEN)} | ({int(ADA)} if runs else set())
        answered = await edge.invoke("admin status", actor=OLGA)
        assert "Variant" in await edge.answer(answered, actor=OLGA)


async def test_the_owner_of_a_team_runs_the_bot_whatever_their_entry_says(sandbox: Sandbox, tmp_path: Path) -> None:
    members = [(OLGA, INVITED, "read_only"), (MIA, INVITED, "admin")]
    sandbox.world.directory.application["team"] = _team(sandbox, members)
    async with running_edge(tmp_path, sandbox) as edge:
        assert owner_ids(edge.client, frozenset()) == {int(OLGA)}


def _team(sandbox: Sandbox, members: list[tuple[str, int, str]]) -> Json:
    """Return a team of Olga's, with members as (user id, membership state, role)."""
    users = sandbox.world.directory.users
    entries = [
        {"team_id": "1", "user": users[user], "membership_state": state, "role": role, "permissions": ["*"]}
        for user, state, role in members
    ]
    return {"id": "1", "name": "Team", "icon": None, "owner_user_id": OLGA, "members": entries}


async def test_a_surprise_at_one_storm_does_not_keep_the_next_from_being_told(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumble(user_id: int) -> None:
        raise KeyError("retry_after")

    alarm = OwnerAlerts(edge.client, frozenset())
    ringing = asyncio.create_task(alarm.run())
    try:
        with monkeypatch.context() as patch:
            patch.setattr(edge.client, "fetch_user", stumble)
            alarm.storm(ExecutorLost("x", cause="signal"), False)
            await until(lambda: "could not be told" in caplog.text, "the surprise in the log")
        alarm.storm(ExecutorLost("x", cause="stall"), False)
        [message] = await until(lambda: edge.world.messages_for(OLGA, DIRECT_OLGA), "a message to the owner")
    finally:
        ringing.cancel()
    assert "hung" in message["content"]


async def test_many_rows_that_cannot_be_read_are_one_message(edge: Edge) -> None:
    alerts = OwnerAlerts(edge.client, frozenset())
    for job_id in range(1, 1001):
        alerts.unreadable(job_id)
    alerts.storm(ExecutorLost("x", cause="stall"), False)
    ringing = asyncio.create_task(alerts.run())
    try:
        first, _ = await until(lambda: two_messages(edge), "two messages to the owner")
        assert first["content"].startswith("1,000 jobs (1, 2, 3, ")
        assert "set_aside" in first["content"]
        alerts.unreadable(7)
        third = await until(lambda: edge.world.messages_for(OLGA, DIRECT_OLGA)[2:], "what comes later is told as well")
        assert third[0]["content"].startswith("Job 7 could")
    finally:
        ringing.cancel()


def two_messages(edge: Edge) -> list[Json] | None:
    found = edge.world.messages_for(OLGA, DIRECT_OLGA)
    return found if len(found) == 2 else None
