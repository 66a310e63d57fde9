"""`vivant setup`: at a terminal, with flags alone, a second time, and with bad input at every question."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config import load_config
from bot.config.edited import template
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import VIVANT
from tests.support.terminal import Terminal, on_a_terminal

ROOT = Path(__file__).parents[4]
PERSON = ("-m", "tests.support.setup_person")
LINK = (
    f"https://discord.com/oauth2/authorize?client_id={VIVANT}&permissions=274878024704&scope=bot+applications.commands"
)


@pytest.fixture
async def discord() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


def around(discord: Sandbox | None, **more: str) -> dict[str, str]:
    """Return the environment of a machine on which nothing is configured."""
    proxy = discord.proxy_url if discord else "http://127.0.0.1:9"
    found = {"PYTHONPATH": str(ROOT), "VIVANT_PROXY": proxy, "HF_HUB_OFFLINE": "1"}
    return found | ({"SSL_CERT_FILE": str(discord.ca_path)} if discord else {}) | more


async def run_setup(folder: Path, environment: dict[str, str], *flags: str, text: str = "") -> tuple[int, str]:
    """Run the setup without a terminal; return its exit status and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *PERSON, "setup", *flags),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | environment,
        cwd=folder,
    )
    said, _ = await asyncio.wait_for(process.communicate(text.encode()), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()


# -- at a terminal --------------------------------------------------------------------------------------------------


async def _answer_all(terminal: Terminal, token: str, folder: Path) -> None:
    """Give a bad answer to each question, then a good one."""
    (folder / "a-file").touch()
    for bad, told, good in (
        ("1100000000000000001", "id of 15 to 22 digits", token),
        ("@ada", "is no user id", "123456789012345678, 223456789012345678"),
        ("tlh", "I do not speak 'tlh'", "Deutsch"),
        ("svdxt", "There is no variant", "svd"),
        ("lots", "memory must be", "6GiB"),
        ("a-file", "is a file", "my data"),
    ):
        await terminal.reads("]: " if good != token else "The bot's token: ")
        terminal.types(bad)
        await terminal.reads(told)
        await terminal.reads(": ")
        terminal.types(good)


async def test_a_person_is_asked_until_every_answer_fits(discord: Sandbox, tmp_path: Path) -> None:
    async with on_a_terminal(*PERSON, "setup", environment=around(discord), folder=tmp_path) as terminal:
        await _answer_all(terminal, discord.token, tmp_path)
        await terminal.reads(LINK)
        await terminal.reads("█▀▀")
        await terminal.reads("Fetch them now?")
        terminal.types("n")
        await terminal.reads("All clear.")
        await terminal.reads("python -m bot run\n")
        assert await terminal.ends() == 0
    config = load_config(tmp_path / "config.toml")
    assert config.token.get_secret_value() == discord.token
    assert sorted(config.owners) == [123456789012345678, 223456789012345678]
    assert (config.language, config.generator.variant, config.generator.memory) == ("de", "svd", "6GiB")
    assert str(config.data_dir) == "my data"
    assert (tmp_path / "config.toml").stat().st_mode & 0o777 == 0o600
    assert discord.token not in terminal.text, "a secret is never shown"
    assert "Discord knows it: Vivant." in terminal.text
    comments = re.findall(r"#.*", template())
    assert re.findall(r"#.*", (tmp_path / "config.toml").read_text()) == comments


async def test_enter_everywhere_changes_no_letter_of_the_file(discord: Sandbox, tmp_path: Path) -> None:
    own = f'token = "{discord.token}"  # mine\n[generator]\nvariant="demo"\n'
    (tmp_path / "config.toml").write_text(own)
    environment = around(discord, NO_COLOR="1")
    async with on_a_terminal(*PERSON, "setup", environment=environment, folder=tmp_path) as terminal:
        for title in (
            "The bot's token [",
            "administer the bot [",
            "own language [",
            "The model [",
            "The data folder [",
        ):
            await terminal.reads(title)
            terminal.types("")
        assert await terminal.ends() == 0
    assert (tmp_path / "config.toml").read_text() == own
    assert "config.toml: as before" in terminal.text
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.shown), "NO_COLOR asks for no colour"


async def test_colours_are_there_unless_somebody_asks_for_none(discord: Sandbox, tmp_path: Path) -> None:
    """The negative control of NO_COLOR, and --no-input on a terminal."""
    flags = ("--variant", "demo", "--no-input")
    environment = around(discord, VIVANT_TOKEN=discord.token)
    async with on_a_terminal(*PERSON, "setup", *flags, environment=environment, folder=tmp_path) as terminal:
        assert await terminal.ends() == 0
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.shown)
    assert "All clear." in terminal.text


async def test_a_token_that_discord_refuses_is_asked_for_again(discord: Sandbox, tmp_path: Path) -> None:
    old = discord.token
    discord.gateway.reset_token()
    async with on_a_terminal(*PERSON, "setup", environment=around(discord), folder=tmp_path) as terminal:
        await terminal.reads("The bot's token: ")
        terminal.types(old)
        await terminal.reads("Discord refuses it")
        await terminal.reads(": ")
        terminal.types(discord.token)
        await terminal.reads("Discord knows it")
        await terminal.reads("administer the bot [")
        terminal.types("", end="\x04")
        assert await terminal.ends() == 130
    assert "Nothing was changed." in terminal.text
    assert [path.name for path in tmp_path.iterdir()] == [], "a person who leaves half-way leaves nothing behind"


async def test_without_a_network_a_person_may_go_on(tmp_path: Path, discord: Sandbox) -> None:
    async with on_a_terminal(*PERSON, "setup", environment=around(None), folder=tmp_path) as terminal:
        await terminal.reads("The bot's token: ")
        terminal.types(discord.token)
        await terminal.reads("Go on without this check?")
        terminal.types("y")
        for title in ("administer the bot [", "own language [en", "The model [demo", "The data folder ["):
            await terminal.reads(title)
            terminal.types("")
        await terminal.reads("Discord was not asked")
        await terminal.reads(LINK)
        assert await terminal.ends() == 0
    assert load_config(tmp_path / "config.toml").generator.variant == "demo", "what Enter took was proposed"


# -- without a terminal ---------------------------------------------------------------------------------------------

ALL = (
    "--language",
    "fr",
    "--variant",
    "svd",
    "--memory",
    "lean",
    "--data-dir",
    "d",
    "--owner",
    "123456789012345678",
    "--no-download",
)


async def test_flags_alone_set_everything_and_a_second_run_changes_one_line(discord: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{discord.token}\n")
    status, said = await run_setup(tmp_path, around(discord), "--token-file", "token", *ALL)
    assert (status, LINK in said, "█" in said, "\x1b" in said) == (0, True, False, False), said
    first = (tmp_path / "config.toml").read_text().splitlines()
    config = load_config(tmp_path / "config.toml")
    assert (config.generator.variant, config.generator.memory, str(config.data_dir)) == ("svd", "lean", "d")
    assert config.language == "fr"
    assert config.owners == {123456789012345678} and discord.token not in said
    (tmp_path / "config.toml").chmod(0o644)
    status, said = await run_setup(tmp_path, around(discord), "--variant", "demo")
    assert status == 0 and "generator.variant = demo" in said and "token =" not in said
    second = (tmp_path / "config.toml").read_text().splitlines()
    different = [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]]
    assert len(different) == 1 and different[0][1].startswith('variant = "demo"')
    assert (tmp_path / "config.toml").stat().st_mode & 0o777 == 0o600


async def test_the_token_may_come_through_a_pipe(discord: Sandbox, tmp_path: Path) -> None:
    flags = ("--token-file", "-", "--variant", "demo", "--config", "other/config.toml")
    status, said = await run_setup(tmp_path, around(discord), *flags, text=discord.token)
    assert status == 0 and "run --config other/config.toml" in said
    assert load_config(tmp_path / "other" / "config.toml").token.get_secret_value() == discord.token


async def test_without_a_token_nothing_is_asked_and_nothing_hangs(discord: Sandbox, tmp_path: Path) -> None:
    status, said = await run_setup(tmp_path, around(discord))
    assert status == 78 and "--token-file" in said and "VIVANT_TOKEN" in said
    assert list(tmp_path.iterdir()) == []


BAD = [
    (("--token-file", "missing"), "cannot be read"),
    (("--token-file", "."), "cannot be read"),
    (("--token-file", "binary"), "holds no text"),
    (("--token-file", "empty"), "it is empty"),
    (("--token", "0123456789abcdefghij0123456789-_"), "client secret"),
    (("--token", "secret-with a space"), "cannot be the bot's token"),
    (("--owner", "ada"), "--owner: 'ada' is no user id"),
    (("--owner", ""), "No user id"),
    (("--variant", "svdxt"), "Did you mean"),
    (("--language", "tlh"), "--language: I do not speak 'tlh'"),
    (("--memory", "6 gigs"), "memory must be"),
    (("--memory", "6GB"), "Did you mean 6GiB?"),
    (("--data-dir", ""), "Name a folder"),
    (("--data-dir", "binary"), "is a file"),
    (("--data-dir", "~nobody-here/x"), "no such user"),
    (("--proxy", "10.0.0.1:8080"), "http://host:port"),
    (("--proxy", "http://host:99999"), "http://host:port"),
    (("--config", "~nobody-here/x"), "no such user"),
    (("--config", "binary"), "not UTF-8"),
    (("--config", "mistakes"), "there is no setting 'tokn'"),
    (("--config", "."), "is a folder"),
]


@pytest.mark.parametrize(("flags", "told"), BAD, ids=lambda item: " ".join(item) if isinstance(item, tuple) else None)
async def test_a_bad_flag_ends_with_its_sentence_and_changes_nothing(
    tmp_path: Path, flags: tuple[str, ...], told: str
) -> None:
    (tmp_path / "binary").write_bytes(b"\x81\xff\xfe\xfd")
    (tmp_path / "empty").touch()
    (tmp_path / "mistakes").write_text("tokn = 1\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    given = () if flags[0].startswith("--token") else ("--token", f"MTEwMDAwMDAwMDAwMDAwMDAwMQ.abcdef.{'s' * 38}")
    status, said = await run_setup(tmp_path, around(None), *given, *flags)
    assert status == 78, said
    assert told in said and "Traceback" not in said
    assert flags[1] not in said or not flags[0].endswith("--token")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_a_refused_token_ends_it_and_an_unreachable_discord_does_not(discord: Sandbox, tmp_path: Path) -> None:
    old = discord.token
    discord.gateway.reset_token()
    flags = ("--token", old, "--variant", "demo", "--no-input")
    status, said = await run_setup(tmp_path, around(discord), *flags)
    assert status == 78 and "Discord refuses it" in said and list(tmp_path.iterdir()) == []
    status, said = await run_setup(tmp_path, around(None), *flags, "--proxy", "http://me:hunter2@127.0.0.1:9")
    assert status == 0 and "Not checked: Discord cannot be reached" in said and LINK in said
    assert "proxy = http://me:" in said and "hunter2" not in said, "a proxy's password is a secret too"
    assert load_config(tmp_path / "config.toml").proxy == "http://me:hunter2@127.0.0.1:9"


async def test_what_the_doctor_finds_is_told_and_ends_it_with_1(discord: Sandbox, tmp_path: Path) -> None:
    environment = around(discord, VIVANTTEST_PROBLEM="no ffmpeg", VIVANT_TOKEN=discord.token)
    status, said = await run_setup(tmp_path, environment, "--variant", "demo")
    assert status == 1 and "no ffmpeg" in said and "python -m bot doctor" in said and "All clear" not in said
    assert load_config(tmp_path / "config.toml").token.get_secret_value() == "", "that of the environment stays there"


async def test_a_variable_that_wins_over_the_file_is_named(discord: Sandbox, tmp_path: Path) -> None:
    environment = around(discord, VIVANT_TOKEN=discord.token, VIVANT_GENERATOR__VARIANT="demo")
    status, said = await run_setup(tmp_path, environment, "--variant", "svd")
    assert status == 0 and "VIVANT_GENERATOR__VARIANT in the environment wins" in said


async def test_weights_that_cannot_be_fetched_are_a_clear_sentence(discord: Sandbox, tmp_path: Path) -> None:
    environment = around(discord, VIVANT_TOKEN=discord.token, HF_HUB_CACHE=str(tmp_path / "hub"))
    status, said = await run_setup(tmp_path, environment, "--variant", "svd", "--download")
    assert status == 0 and "The weights of svd cannot be had now" in said and "Traceback" not in said


# -- the whole of it ------------------------------------------------------------------------------------------------


async def test_the_real_doctor_gives_its_all_clear_and_the_link_can_be_asked_for_again(
    discord: Sandbox, tmp_path: Path
) -> None:
    for words in (("setup", "--variant", "demo"), ("invite",)):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | around(discord, VIVANT_TOKEN=discord.token),
            cwd=tmp_path,
        )
        said, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, said.decode()
        assert LINK in said.decode()
        assert ("All clear" in said.decode()) is (words[0] == "setup")


async def test_an_invite_without_a_token_is_a_sentence(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "invite"),
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | around(None),
        cwd=tmp_path,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1 and b"none is set" in said
