"""When the executor keeps dying, the owner hears of it, once, and nobody else does."""

from __future__ import annotations

import asyncio

import pytest

from bot.edge.owner_alerts import OwnerAlerts
from bot.sandbox.world.standard import ADA, DIRECT_ADA, DIRECT_OLGA, OLGA
from generator.errors import ExecutorLost
from tests.support.edge import Edge, until


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
