"""The connection: commands registered once, starts paced, servers forgotten, nothing heavy in the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, ELSEWHERE, LOBBY, MIA, TABLEAUX
from bot.work.gate import HoldCause
from tests.support.edge import Edge, hanging, running_edge, until


async def test_commands_are_registered_once_and_again_only_when_they_changed(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        for _ in range(2):
            async with running_edge(tmp_path, sandbox):
                pass
        registered = sandbox.record.asked("PUT", "/applications/{application_id}/commands")
        assert len(registered) == 1
        async with running_edge(tmp_path, sandbox) as edge:
            await edge.store.settings.set("commands_hash", "of an older version")
        async with running_edge(tmp_path, sandbox):
            pass
        assert len(sandbox.record.asked("PUT", "/applications/{application_id}/commands")) == 2


async def test_commands_that_discord_no_longer_has_are_registered_again(tmp_path: Path) -> None:
    for _ in range(2):  # the second Discord is new, and knows nothing of what the first was told
        async with Sandbox() as sandbox, running_edge(tmp_path, sandbox):
            assert "animate" in {item["name"] for item in sandbox.world.commands_for(ADA)}


async def test_every_command_and_option_is_described_in_plain_words(edge: Edge) -> None:
    commands = {item["name"]: item for item in edge.world.commands_for(MIA)}
    assert {"animate", "queue", "cancel", "result", "recipe", "help", "privacy", "forget-me"} <= commands.keys()
    slash = [item for item in commands.values() if item["type"] == 1]
    for option in (option for item in slash for option in item.get("options", [])):
        assert len(option["description"]) > 10
    animate = commands["animate"]["options"]
    assert animate[0]["name"] == "image"
    assert [item["name"] for item in animate if item.get("required")] == ["image"]


async def test_admin_commands_are_hidden_from_members(edge: Edge) -> None:
    assert "admin" not in {item["name"] for item in edge.world.commands_for(ADA)}


async def test_it_asks_for_no_privileged_intent_and_mentions_nobody_by_itself(edge: Edge) -> None:
    assert edge.client.intents.value == 1
    assert edge.client.allowed_mentions is not None
    mentions: dict[str, Any] = dict(edge.client.allowed_mentions.to_dict())
    assert mentions == {"parse": []}


async def test_the_line_below_the_bots_name_comes_back_with_a_new_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.edge.connection.presence.PRESENCE_SECONDS", 0.05)
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox):
        await until(lambda: sandbox.gateway.presences, "the presence")
        before = sandbox.gateway.presences
        sandbox.gateway.invalidate()
        await until(lambda: sandbox.world.identifies == 2, "a second identify", timeout=20)
        await until(lambda: sandbox.gateway.presences > before, "the presence again")


async def test_a_pause_is_shown_beside_the_bots_name_at_once_and_so_is_its_end(edge: Edge) -> None:
    gateway, gate = edge.sandbox.gateway, edge.services.switches.gate
    await until(lambda: gateway.presence["text"].endswith("ready for a picture"), "the first presence")
    gate.close(HoldCause.PAUSED, "New fans")
    await until(lambda: gateway.status() == {"online": True, "status": "idle", "text": "paused"}, "the pause")
    gate.open(HoldCause.PAUSED)
    await until(lambda: gateway.presence["status"] == "online", "the end of the pause")


async def test_a_surprise_at_the_line_below_the_name_is_no_end_of_it(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumble() -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("bot.edge.connection.presence.PRESENCE_SECONDS", 0.02)
    await until(lambda: edge.sandbox.gateway.presences, "the presence of one bot")
    async with running_edge(edge.services.config.data_dir / "other", edge.sandbox) as other:
        monkeypatch.setattr(other.store.jobs, "counts", stumble)
        await until(lambda: "presence not updated" in caplog.text, "the surprise in the log")
        before = edge.sandbox.gateway.presences
        monkeypatch.undo()
        other.services.switches.gate.close(HoldCause.DISK_FULL)
        await until(lambda: edge.sandbox.gateway.presences > before, "another presence")


async def test_a_server_that_sends_the_bot_away_is_forgotten(edge: Edge) -> None:
    await edge.queued()
    await edge.delivered()
    edge.world.channels.remove_bot(TABLEAUX)

    async def forgotten() -> bool:
        return not await edge.store.jobs.of_user(int(ADA))

    await until(forgotten, "the server's rows are gone")
    await until(lambda: list(edge.spool.folder.iterdir()) == [], "its files are gone")


async def test_what_runs_for_a_server_that_sends_the_bot_away_is_stopped(tmp_path: Path) -> None:
    backend = hanging()
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox, backend=backend) as edge:
        job = await edge.queued()
        await until(lambda: backend.requests, "it runs")
        sandbox.world.channels.remove_bot(TABLEAUX)
        await until(lambda: backend.cancelled == [job.id], "the render is stopped")
        assert await edge.store.jobs.get(job.id) is None


async def test_a_server_that_sent_the_bot_away_while_it_was_off_is_forgotten(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
            await edge.queued()
            await edge.queued(channel=LOBBY)  # where the bot never was a member, and only answers
        sandbox.world.channels.remove_bot(TABLEAUX)
        async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:

            async def forgotten() -> bool:
                return [job.id for job in await edge.store.jobs.of_user(int(ADA))] == [2]

            await until(forgotten, "the server's rows are gone, and nobody else's")
            await until(lambda: len(list(edge.spool.folder.glob("picture-*"))) == 1, "its picture is gone")


async def test_a_server_with_the_commands_but_without_the_bot_keeps_its_jobs(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        sandbox.world.directory.commands_only.add(ELSEWHERE)
        async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
            job = await edge.queued(channel=LOBBY)
            assert not job.route.can_post
        async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
            await until(lambda: edge.client.is_ready(), "every shard has named its servers")
            assert await edge.store.retention.guilds(job.route.application_id) == set()
            assert await edge.store.jobs.get(job.id) is not None


def test_the_discord_edge_loads_neither_torch_nor_numpy_nor_a_picture_library() -> None:
    heavy = ("torch", "numpy", "PIL", "diffusers")
    code = f"import sys, bot.edge.client, bot.edge.delivery; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def lengths(definition: dict[str, Any]) -> int:
    """Check one command or option against Discord's limits, and return all its letters."""
    name, description = definition["name"], definition.get("description", "")
    options, choices = definition.get("options", []), definition.get("choices", [])
    assert 1 <= len(name) <= 32
    assert len(description) <= 100
    assert max(len(options), len(choices)) <= 25
    assert all(1 <= len(str(choice[key])) <= 100 for choice in choices for key in ("name", "value"))
    own = len(name) + len(description) + sum(len(choice["name"]) + len(str(choice["value"])) for choice in choices)
    return own + sum(map(lengths, options))


async def test_every_command_option_and_choice_keeps_to_discords_lengths(edge: Edge) -> None:
    commands = [command.to_dict(edge.client.tree) for command in edge.client.tree.get_commands()]
    assert len(commands) > 9
    assert all(lengths(command) <= 8000 for command in commands)
