"""How large a file and a whole request may be."""

from __future__ import annotations

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import PICTURES, TABLEAUX
from generator.memory import MIB
from tests.support.raw_bot import RawBot


async def test_a_file_above_the_guilds_limit_is_413_and_one_below_passes(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.world.channels.set_upload_limit(TABLEAUX, 256 * 1024)
    status, answer = await bot.call("POST", f"/channels/{PICTURES}/messages", {}, {"a.bin": b"x" * (256 * 1024 + 1)})
    assert (status, answer["code"]) == (413, 40005)
    assert (await bot.call("POST", f"/channels/{PICTURES}/messages", {}, {"a.bin": b"x" * 256 * 1024}))[0] == 200


async def test_a_request_above_25_mib_is_413_whatever_the_guild_takes(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.world.channels.set_upload_limit(TABLEAUX, 100 * MIB)
    status, answer = await bot.call("POST", f"/channels/{PICTURES}/messages", {}, {"a.bin": bytes(25 * MIB)})
    assert (status, answer["code"]) == (413, 40005)
