"""The gateway: transports, sessions, resume with replay, and every reason to close a bot's socket."""

from __future__ import annotations

import pytest

from bot.sandbox.faults import DropGateway
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, ELSEWHERE, GENERAL, PICTURES, TABLEAUX, VIVANT
from tests.support.raw_bot import RawBot, RawSocket

GUILDS, GUILD_MESSAGES, MESSAGE_CONTENT = 1, 1 << 9, 1 << 15


async def hello(bot: RawBot, compress: str = "", url: str = "wss://gateway.discord.gg") -> RawSocket:
    socket = await bot.connect(compress, url)
    await socket.receive(op=10)
    return socket


async def resume(bot: RawBot, sandbox: Sandbox, ready: dict[str, object], sequence: int) -> RawSocket:
    socket = await hello(bot, url=str(ready["resume_gateway_url"]))
    await socket.send(6, {"token": sandbox.token, "session_id": ready["session_id"], "seq": sequence})
    return socket


@pytest.mark.parametrize("compress", ["", "zlib-stream", "zstd-stream"])
async def test_every_transport_carries_hello_ready_and_the_guild(sandbox: Sandbox, bot: RawBot, compress: str) -> None:
    socket = await hello(bot, compress)
    await socket.send(1, None)
    await socket.receive(op=11)
    ready = await socket.identify(sandbox.token)
    guild = (await socket.receive("GUILD_CREATE"))["d"]
    assert ready["guilds"] == [{"id": TABLEAUX, "unavailable": True}]
    assert guild["name"] == "Tableaux"
    assert {channel["name"] for channel in guild["channels"]} == {"general", "pictures", "no-files", "read-only"}
    assert [thread["name"] for thread in guild["threads"]] == ["old photographs"]


async def test_frames_may_come_as_binary(sandbox: Sandbox, bot: RawBot) -> None:
    socket = await hello(bot)
    await socket.ws.send_bytes(b'{"op": 1, "d": null}')
    assert (await socket.receive(op=11))["op"] == 11


async def test_a_wrong_token_closes_with_4004(bot: RawBot) -> None:
    socket = await hello(bot)
    with pytest.raises(ConnectionResetError, match="4004"):
        await socket.identify("wrong")


async def test_privileged_intents_close_with_4014_unless_the_application_has_them(
    sandbox: Sandbox, bot: RawBot
) -> None:
    with pytest.raises(ConnectionResetError, match="4014"):
        await (await hello(bot)).identify(sandbox.token, GUILDS | MESSAGE_CONTENT)
    sandbox.world.directory.application["flags"] = 1 << 19
    assert await (await hello(bot)).identify(sandbox.token, GUILDS | MESSAGE_CONTENT)


async def test_an_unknown_opcode_closes_with_4001_and_is_recorded(sandbox: Sandbox, bot: RawBot) -> None:
    socket = await hello(bot)
    await socket.send(99, None)
    with pytest.raises(ConnectionResetError, match="4001"):
        await socket.receive()
    assert sandbox.unimplemented[0].startswith("gateway op 99")


async def test_message_events_need_their_intent_and_content_needs_another(sandbox: Sandbox, bot: RawBot) -> None:
    quiet, listening = await hello(bot), await hello(bot)
    await quiet.identify(sandbox.token, GUILDS)
    await listening.identify(sandbox.token, GUILDS | GUILD_MESSAGES)
    sandbox.world.post(ADA, GENERAL, "hello everybody")
    sandbox.world.channels.archive_thread(sandbox.world.channel("old photographs"))
    message = (await listening.receive("MESSAGE_CREATE"))["d"]
    assert (message["author"]["id"], message["content"]) == (ADA, "")
    await quiet.receive("GUILD_CREATE")
    assert (await quiet.receive())["t"] == "THREAD_UPDATE"


async def test_shards_share_the_guilds_and_the_first_gets_direct_messages(sandbox: Sandbox, bot: RawBot) -> None:
    sockets = [await hello(bot), await hello(bot)]
    readies = [await socket.identify(sandbox.token, shard=[number, 2]) for number, socket in enumerate(sockets)]
    holder = (int(TABLEAUX) >> 22) % 2
    assert [bool(ready["guilds"]) for ready in readies] == [holder == 0, holder == 1]


async def test_a_dropped_socket_resumes_and_gets_what_it_missed(sandbox: Sandbox, bot: RawBot) -> None:
    await bot.call("PUT", f"/applications/{VIVANT}/commands", [{"name": "ping", "description": "x"}])
    socket = await hello(bot)
    ready = await socket.identify(sandbox.token)
    await socket.receive("GUILD_CREATE")
    sandbox.gateway.drop()
    with pytest.raises(ConnectionResetError, match="4000"):
        await socket.receive()
    interaction = await sandbox.world.invoke(ADA, PICTURES, "ping")
    again = await resume(bot, sandbox, ready, socket.sequence)
    replayed = await again.receive()
    assert (replayed["t"], replayed["d"]["id"]) == ("INTERACTION_CREATE", interaction.id)
    await again.receive("RESUMED")
    assert (sandbox.world.identifies, sandbox.gateway.resumes) == (1, 1)


async def test_a_fault_drops_the_socket_just_before_an_event(sandbox: Sandbox, bot: RawBot) -> None:
    await bot.call("PUT", f"/applications/{VIVANT}/commands", [{"name": "ping", "description": "x"}])
    sandbox.faults.add(DropGateway(), "GATEWAY", "INTERACTION_CREATE")
    socket = await hello(bot)
    ready = await socket.identify(sandbox.token)
    await socket.receive("GUILD_CREATE")
    await sandbox.world.invoke(ADA, PICTURES, "ping")
    with pytest.raises(ConnectionResetError, match="4000"):
        await socket.receive()
    again = await resume(bot, sandbox, ready, socket.sequence)
    assert (await again.receive())["t"] == "INTERACTION_CREATE"


async def test_an_invalid_session_must_identify_again(sandbox: Sandbox, bot: RawBot) -> None:
    socket = await hello(bot)
    ready = await socket.identify(sandbox.token)
    sandbox.gateway.invalidate()
    assert (await socket.receive(op=9))["d"] is False
    again = await resume(bot, sandbox, ready, socket.sequence)
    assert (await again.receive())["op"] == 9
    await again.identify(sandbox.token)
    assert (await again.receive("GUILD_CREATE"))["d"]["id"] == TABLEAUX


async def test_op_7_asks_to_reconnect_and_the_session_stays(sandbox: Sandbox, bot: RawBot) -> None:
    socket = await hello(bot)
    ready = await socket.identify(sandbox.token)
    sandbox.gateway.ask_to_reconnect()
    await socket.receive(op=7)
    await socket.ws.close(code=4000)
    again = await resume(bot, sandbox, ready, socket.sequence)
    assert (await again.receive("RESUMED"))["s"] > socket.sequence
    assert sandbox.gateway.resumes == 1


async def test_identifies_are_counted_against_the_daily_limit(sandbox: Sandbox, bot: RawBot) -> None:
    await (await hello(bot)).identify(sandbox.token)
    _, body = await bot.call("GET", "/gateway/bot")
    assert body["session_start_limit"]["remaining"] == 999


async def test_two_shards_may_not_identify_at_once_unless_discord_says_so(sandbox: Sandbox, bot: RawBot) -> None:
    starts = sandbox.world.session_starts
    await (await hello(bot)).identify(sandbox.token, shard=[0, 2])
    await (await hello(bot)).identify(sandbox.token, shard=[1, 2])
    starts.enforced = True
    socket = await hello(bot)
    await socket.send(2, {"token": sandbox.token, "intents": 1, "properties": {}, "shard": [0, 2]})
    assert (await socket.receive(op=9))["d"] is False
    sandbox.world.clock.advance(5.1)
    assert await socket.identify(sandbox.token, shard=[0, 2])
    starts.max_concurrency = 2
    assert await (await hello(bot)).identify(sandbox.token, shard=[1, 2])
    _, body = await bot.call("GET", "/gateway/bot")
    assert body["session_start_limit"]["max_concurrency"] == 2


async def test_one_start_too_many_in_a_day_costs_every_session_and_the_token(sandbox: Sandbox, bot: RawBot) -> None:
    starts = sandbox.world.session_starts
    starts.enforced, starts.total, old = True, 1, sandbox.token
    first = await hello(bot)
    await first.identify(old)
    await first.receive("GUILD_CREATE")
    sandbox.world.clock.advance(6)
    with pytest.raises(ConnectionResetError, match="4004"):
        await (await hello(bot)).identify(old)
    with pytest.raises(ConnectionResetError, match="4004"):
        await first.receive()
    assert (await bot.call("GET", "/users/@me", token=old))[0] == 401
    sandbox.world.clock.advance(24 * 3600)
    assert await (await hello(bot)).identify(sandbox.token)


async def test_leaving_a_guild_sends_guild_delete_and_hides_it(sandbox: Sandbox, bot: RawBot) -> None:
    socket = await hello(bot)
    await socket.identify(sandbox.token)
    assert (await bot.call("DELETE", f"/users/@me/guilds/{TABLEAUX}"))[0] == 204
    assert (await socket.receive("GUILD_DELETE"))["d"] == {"id": TABLEAUX}
    assert (await bot.call("GET", f"/guilds/{TABLEAUX}"))[1]["code"] == 10004
    assert (await bot.call("GET", f"/guilds/{ELSEWHERE}"))[1]["code"] == 10004
