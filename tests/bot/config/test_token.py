"""A wrong token is recognised by its shape, without a network."""

from __future__ import annotations

import base64

import pytest

from bot.config.token import application_of, other_secret, shape_problem
from bot.sandbox.world.standard import VIVANT

FIRST = base64.b64encode(b"1100000000000000001").decode().rstrip("=")
GOOD = f"{FIRST}.abc-_9.{'s' * 38}"


@pytest.mark.parametrize("token", [GOOD, f"{FIRST}.abcdef.{'s' * 27}"])
def test_what_may_be_a_token_is_left_to_discord(token: str) -> None:
    assert shape_problem(token) == ""
    assert other_secret(token) == ""
    assert application_of(token) == 1100000000000000001


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("1100000000000000001", "id of 15 to 22 digits"),
        ("0123456789abcdef" * 4, "public key"),
        ("0123456789abcdefABCDEF-_01234567", "client secret"),
        ("mfa.abcdefghij", "person's account"),
        (f"Bot {GOOD}", "the word Bot"),
        ("https://discord.com/oauth2/authorize?client_id=1", "a link"),
        (f'"{GOOD}"', "quotation mark"),
        (f"{GOOD} ", "a space"),
        (GOOD.replace("a", "ä"), "another letter"),
        ("YOUR_TOKEN_HERE", "one part"),
        (GOOD.rpartition(".")[0], "2 parts"),
        (GOOD + ".more", "4 parts"),
        (GOOD[1:], "names no application"),
        (GOOD[:-20], "too short"),
        (f"{FIRST[:-8]}.abcdef.{'s' * 38}", "names no application"),
        (f"{base64.b64encode(b'not-a-number-at-all').decode()}.abcdef.{'s' * 38}", "another letter"),
    ],
)
def test_what_cannot_be_a_token_is_told_apart(text: str, said: str) -> None:
    assert said in shape_problem(text)


@pytest.mark.parametrize("first", ["é", "a", "====", "MTIz"])
def test_a_first_part_that_is_no_number_names_nobody(first: str) -> None:
    assert application_of(f"{first}.b.c") is None


async def test_the_local_discord_has_a_token_of_that_shape() -> None:
    from bot.sandbox.server import Sandbox

    async with Sandbox() as sandbox:
        assert shape_problem(sandbox.token) == ""
        assert str(application_of(sandbox.token)) == VIVANT
        sandbox.gateway.reset_token()
        assert shape_problem(sandbox.token) == ""
