"""How long an interaction can be answered: three seconds at first, then fifteen minutes by its token."""

from __future__ import annotations

from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import PICTURES, VIVANT
from tests.support.interactions import DEFER, MESSAGE, animate, webhook
from tests.support.raw_bot import RawBot


async def test_after_three_seconds_the_interaction_is_unknown_and_the_person_sees_it(
    ready: Sandbox, bot: RawBot
) -> None:
    interaction = await animate(ready)
    ready.world.clock.advance(3.1)
    status, answer = await bot.answer(interaction.payload, DEFER)
    assert (status, answer["code"]) == (404, 10062)
    assert interaction.state is State.FAILED
    assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "x"}))[1]["code"] == 10015


async def test_silence_fails_without_anybody_asking(ready: Sandbox) -> None:
    ready.world.timing.acknowledge = 0.05
    interaction = await (await animate(ready)).acknowledged()
    assert interaction.state is State.FAILED
    assert interaction.acknowledged_after is None


async def test_a_second_answer_is_refused(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, DEFER)
    status, answer = await bot.answer(interaction.payload, MESSAGE, {"content": "x"})
    assert (status, answer["code"]) == (400, 40060)


async def test_after_fifteen_minutes_the_token_is_dead_but_the_bots_own_edits_its_message(
    ready: Sandbox, bot: RawBot
) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, MESSAGE, {"content": "queued"})
    ready.world.clock.advance(15 * 60 + 1)
    for method, path in (("PATCH", webhook(interaction, "@original")), ("POST", webhook(interaction))):
        status, answer = await bot.call(method, path, {"content": "x"})
        assert (status, answer["code"]) == (401, 50027)
    assert interaction.message_id
    path = f"/channels/{PICTURES}/messages/{interaction.message_id}"
    assert (await bot.call("PATCH", path, {"content": "done"}))[0] == 200


async def test_dead_and_unknown_tokens_are_refused_on_every_webhook_route_and_dead_ones_count(
    ready: Sandbox, bot: RawBot
) -> None:
    interaction = await animate(ready)
    await bot.answer(interaction.payload, MESSAGE, {"content": "queued"})
    unknown = f"/webhooks/{VIVANT}/nobodys-token"
    for dead, base, refused in ((False, unknown, (404, 10015)), (True, webhook(interaction), (401, 50027))):
        interaction.token_until = 0.0 if dead else interaction.token_until
        before = ready.invalid_requests.count
        one = f"{base}/messages/@original"
        for method, path in (("POST", base), ("GET", one), ("PATCH", one), ("DELETE", one)):
            status, answer = await bot.call(method, path, {"content": "x"} if method in ("POST", "PATCH") else None)
            assert (status, answer["code"]) == refused
        assert ready.invalid_requests.count - before == (4 if dead else 0)


async def test_an_old_interaction_dies_when_its_own_id_says_so(ready: Sandbox, bot: RawBot) -> None:
    interaction = await animate(ready, age_seconds=15 * 60 - 5)
    await bot.answer(interaction.payload, DEFER)
    assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "x"}))[0] == 200
    ready.world.clock.advance(6)
    assert (await bot.call("PATCH", webhook(interaction, "@original"), {"content": "x"}))[1]["code"] == 50027
