"""What the doctor says of the bot's end of a cluster and of a node; each thing that is wrong has its sentence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.doctor import cluster as cluster_doctor
from bot.doctor.check import Check, Status
from bot.doctor.cluster import check_cluster, examine_node


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("x" * 64)
    path.chmod(0o600)
    return path


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(module: str, *arguments: str, **more: Any) -> dict[str, Any]:
        if "ray_cluster" in module:
            return {"nodes": [("a", 2), ("b", 1)]}
        return {"cards": [{"name": "RTX", "gib": 24.0}]}

    monkeypatch.setattr(cluster_doctor, "ask_module", ask)
    monkeypatch.setattr(cluster_doctor, "version", lambda name: "2.60.0")


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


async def listening() -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    return server, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_nothing_is_said_where_there_is_no_cluster() -> None:
    assert await check_cluster(Config()) == []


async def test_a_whole_cluster_is_told_with_its_machines(token: Path) -> None:
    server, address = await listening()
    async with server:
        checks = by_name(await check_cluster(Config(cluster={"address": address, "token_file": str(token)})))
    assert all(check.status is Status.OK for check in checks.values()), checks
    assert "a: 2, b: 1" in checks["Cluster"].seen


async def test_a_head_that_does_not_answer_and_a_missing_token_are_named(tmp_path: Path) -> None:
    config = Config(cluster={"address": "127.0.0.1:1", "token_file": str(tmp_path / "none")})
    checks = by_name(await check_cluster(config))
    assert "cluster head" in checks["Cluster head"].remedy
    assert "cannot be read" in checks["Cluster token"].seen and "mode 600" in checks["Cluster token"].remedy
    assert "Cluster" not in checks


async def test_a_token_that_others_may_read_is_a_problem(token: Path, tmp_path: Path) -> None:
    token.chmod(0o644)
    check = by_name(await examine_node("", token, tmp_path / "n"))["Cluster token"]
    assert (check.status, check.remedy) == (Status.PROBLEM, f"chmod 600 {token}")


async def test_a_refused_bridge_is_told_with_the_reason(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(module: str, *arguments: str, **more: Any) -> dict[str, Any]:
        return {"problem": "most likely its token is another one"}

    monkeypatch.setattr(cluster_doctor, "ask_module", ask)
    server, address = await listening()
    async with server:
        checks = by_name(await check_cluster(Config(cluster={"address": address, "token_file": str(token)})))
    assert checks["Cluster"].status is Status.PROBLEM and "token" in checks["Cluster"].seen


async def test_a_node_is_told_what_its_folder_and_its_cards_are(token: Path, tmp_path: Path) -> None:
    checks = by_name(await examine_node("", token, Path("/tmp/v")))
    assert checks["Node's folder"].status is Status.OK and checks["GPU"].seen == "RTX, 24.0 GiB"
    assert "Cluster head" not in checks
    long = by_name(await examine_node("", token, tmp_path / ("x" * 60)))["Node's folder"]
    assert long.status is Status.PROBLEM and "--folder" in long.remedy


async def test_little_shared_memory_is_a_problem_of_a_container(
    token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.doctor.cluster.shutil.disk_usage", lambda path: Usage())
    check = by_name(await examine_node("", token, tmp_path))["Shared memory"]
    assert check.status is Status.PROBLEM and "shm" in check.remedy


class Usage:
    free = 64 * 1024 * 1024


async def test_another_account_needs_root(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(cluster={"address": "127.0.0.1:1", "token_file": str(token), "user": "nobody"})
    monkeypatch.setattr("bot.doctor.cluster.os.geteuid", lambda: 1)
    check = by_name(await check_cluster(config))["Bridge's account"]
    assert check.status is Status.PROBLEM and "root" in check.remedy
