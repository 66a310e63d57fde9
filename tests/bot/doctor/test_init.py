"""doctor: each thing an operator can get wrong is seen, and has a remedy."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.config import Config
from bot.doctor import (
    Check,
    Status,
    check_disk,
    check_ffmpeg,
    check_permissions,
    check_token,
    check_torch,
    examine,
    invite_link,
)
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BOT_ROLE, TABLEAUX
from tests.support.hub import LOGIN_PAGE, Answer, running_hub


def only(checks: list[Check]) -> Check:
    assert len(checks) == 1, checks
    return checks[0]


def config(**settings: Any) -> Config:
    values: dict[str, Any] = {"generator": {"variant": "demo"}} | settings
    return Config(**values)


async def test_a_missing_token_names_the_page_where_it_is_made() -> None:
    check = only(await check_token(config()))
    assert check.status is Status.PROBLEM
    assert "discord.com/developers" in check.remedy


async def test_an_unreachable_discord_is_not_blamed_on_the_token() -> None:
    check = only(await check_token(config(token="x.y.z", proxy="http://127.0.0.1:9")))
    assert check.status is Status.PROBLEM
    assert "cannot be reached" in check.seen
    assert "proxy" in check.remedy


async def test_a_certificate_that_nobody_here_trusts_is_not_blamed_on_the_proxys_address() -> None:
    async with Sandbox() as sandbox:
        check = only(await check_token(config(token=sandbox.token, proxy=sandbox.proxy_url)))
    assert check.status is Status.PROBLEM
    assert "certificate" in check.seen and "issuer" in check.seen, "what OpenSSL has against it"
    assert "SSL_CERT_FILE" in check.remedy and "http://host:port" not in check.remedy


def test_the_invite_link_asks_for_no_more_than_the_bot_needs() -> None:
    assert "permissions=274878024704" in invite_link(7)
    assert 274878024704 == 1 << 10 | 1 << 11 | 1 << 38 | 1 << 14 | 1 << 15 | 1 << 16


@pytest.mark.parametrize("lacks", [None, Permission.READ_MESSAGE_HISTORY, Permission.ATTACH_FILES])
async def test_a_server_that_gives_less_than_the_bot_needs_is_named(
    monkeypatch: pytest.MonkeyPatch, lacks: Permission | None
) -> None:
    async with Sandbox() as sandbox:
        role = next(role for role in sandbox.world.directory.guilds[TABLEAUX]["roles"] if role["id"] == BOT_ROLE)
        everyone = next(role for role in sandbox.world.directory.guilds[TABLEAUX]["roles"] if role["id"] == TABLEAUX)
        everyone["permissions"] = "0"
        role["permissions"] = str(int(role["permissions"]) & ~(lacks or 0))
        monkeypatch.setenv("SSL_CERT_FILE", str(sandbox.ca_path))
        found = await check_token(config(token=sandbox.token, proxy=sandbox.proxy_url))
    named = [check for check in found if check.name == "Server Tableaux"]
    assert [check.status for check in named] == ([Status.WARNING] if lacks else [])
    assert ("posted twice" in str(named)) is (lacks is Permission.READ_MESSAGE_HISTORY)


def test_an_administrator_lacks_nothing() -> None:
    assert check_permissions([{"name": "Tableaux", "permissions": str(1 << 3)}]) == []


async def test_the_bundled_ffmpeg_is_found_and_writes_clips() -> None:
    check = only(await check_ffmpeg(config()))
    assert check.status is Status.OK and "wrote an MP4 and a GIF" in check.seen


async def test_an_ffmpeg_without_h264_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho ' V..... mpeg4'\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    check = only(await check_ffmpeg(config()))
    assert check.status is Status.PROBLEM
    assert "IMAGEIO_FFMPEG_EXE" in check.remedy


async def test_torch_is_looked_at_in_a_child() -> None:
    checks = {check.name: check for check in await check_torch(config())}
    assert checks["torch"].status is Status.OK
    assert checks["GPU"].status is Status.OK, "the demo model needs no GPU"


async def test_a_nearly_full_disk_is_a_problem(tmp_path: Path) -> None:
    assert only(await check_disk(config(data_dir=tmp_path / "new"))).status is Status.OK
    settings = config(data_dir=tmp_path, retention={"min_free_mib": 10**9})
    check = only(await check_disk(settings))
    assert check.status is Status.PROBLEM
    assert "min_free_mib" in check.remedy


def test_the_command_prints_a_remedy_for_each_problem_and_exits_1(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('[generator]\nvariant = "demo"\n')
    command = [sys.executable, "-m", "bot", "doctor", "--json", "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    checks = json.loads(done.stdout)["checks"]
    problems = [check for check in checks if check["status"] == "problem"]
    assert [check["name"] for check in problems] == ["Discord token"]
    assert all(check["remedy"] for check in problems)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_without_the_arrow_gets_every_remedy(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    async def found(_config: Config) -> list[Check]:
        return [Check("Data folder", Status.PROBLEM, "/srv/Öl is full", "Make room."), Check("Last", Status.OK, "seen")]

    monkeypatch.setattr("bot.__main__.examine", found)
    result = CliRunner(charset=encoding).invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "Make room." in result.stdout and "Last" in result.stdout
    with pytest.raises(UnicodeEncodeError):
        "→".encode("ascii")  # the negative control: what an output that is strict does


def test_the_help_is_for_operators_alone() -> None:
    command = [sys.executable, "-m", "bot", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "run, demo, doctor" in done.stdout
    assert "tests/" not in done.stdout


def test_a_config_mistake_ends_the_command_with_its_sentence(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("tokn = 1\n")
    command = [sys.executable, "-m", "bot", "run", "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78, "a service manager must not try again"
    assert "no setting 'tokn'" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_stays_json_when_the_configuration_cannot_be_used(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("tokn = 1\nvariant = 'svd'\n")
    command = [sys.executable, "-m", "bot", "doctor", "--json", "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    checks = json.loads(done.stdout)["checks"]
    assert [(check["name"], check["status"]) for check in checks] == [("Configuration", "problem")] * 2
    assert "Did you mean 'token'?" in checks[0]["seen"]


async def test_a_check_that_fails_itself_keeps_no_other_from_being_told() -> None:
    async def broken(_config: Config) -> list[Check]:
        raise KeyError("surprise")

    async def fine(_config: Config) -> list[Check]:
        return [Check("Fine", Status.OK, "yes")]

    async def silent(_config: Config) -> list[Check]:
        await asyncio.Event().wait()
        return []

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("bot.doctor.MOST_SECONDS", 0.05)
        found = {check.name: check for check in await examine(config(), {"A": broken, "B": silent, "C": fine})}
    assert {name: check.status for name, check in found.items()} == {
        "A": Status.PROBLEM,
        "B": Status.PROBLEM,
        "Fine": Status.OK,
    }
    assert "KeyError" in found["A"].seen and "no answer" in found["B"].seen


@pytest.mark.parametrize("token", ["abc\r", "abc\r\n", " abc "])
async def test_a_line_end_around_the_token_is_not_part_of_it(token: str) -> None:
    assert config(token=token).token.get_secret_value() == "abc"
    assert config(token=token).token_problem == ""


@pytest.mark.parametrize("token", ["a\rb", "a\nb", "a b", "a\0b", "a\u200bb", "tökén"])
async def test_a_token_with_letters_that_none_has_is_told_and_not_sent(token: str) -> None:
    check = only(await check_token(config(token=token)))
    assert check.status is Status.PROBLEM and "no token has" in check.seen and token not in str(check)


@pytest.mark.parametrize("proxy", ["nonsense", "http://", "http://127.0.0.1:99999", "socks5://127.0.0.1:9"])
async def test_a_proxy_that_is_no_address_is_survived(proxy: str) -> None:
    check = only(await check_token(config(token="x.y.z", proxy=proxy)))
    assert check.status is Status.PROBLEM and "proxy" in check.remedy


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(200, LOGIN_PAGE), "in Discord's place"),
        (Answer(200, b"{}"), "in Discord's place"),
        (Answer(200, b"[1]"), "in Discord's place"),
        (Answer(401), "refuses it"),
        (Answer(503), "answers with 503"),
    ],
)
async def test_whatever_answers_in_discords_place_is_survived(answer: Answer, says: str) -> None:
    with running_hub() as server:
        server.trouble = answer
        check = only(await check_token(config(token="x.y.z"), api=server.url))
    assert check.status is Status.PROBLEM and says in check.seen and check.remedy


def test_a_token_that_cannot_be_one_ends_the_start_with_78() -> None:
    environment = os.environ | {"VIVANT_CONFIG": os.devnull, "VIVANT_TOKEN": "a\rb"}
    command = [sys.executable, "-m", "bot", "run"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78 and "Traceback" not in done.stderr and "no token has" in done.stderr


async def test_no_program_that_it_starts_gets_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake := tmp_path / "ffmpeg").write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    monkeypatch.setenv("VIVANT_TOKEN", "secret")
    await check_ffmpeg(config())
    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "secret" not in seen
