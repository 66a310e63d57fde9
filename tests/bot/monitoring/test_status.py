"""`python -m bot status`: what it shows, and what it says when there is nothing to show."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bot.__main__ import app
from bot.config import Config
from bot.monitoring.status import Card, Live, State, look_at, read_live, span
from bot.monitoring.watch import show, watch
from bot.queue.database import StoreBusy
from bot.queue.opening.look import Figures, Trouble
from bot.sandbox.server import Sandbox
from tests.bot.queue.test_old_data import old_folder
from tests.support.edge import running_edge, until
from tests.support.fakes import Act, FakeBackend
from tests.support.jobs import new_job, opened

ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[\d;]*3\d[;\d]*m")

STATE = State(
    folder="/srv/vivant",
    running=True,
    connected=True,
    figures=Figures(
        jobs={"queued": 3, "running": 1, "rendered": 9, "failed": 2, "cancelled": 0},
        deliveries={"pending": 1, "sending": 0, "sent": 10, "dead": 1},
        oldest_queued=200,
        oldest_running=12,
        oldest_undelivered=3,
        settings={"paused": "new model [soon]"},
    ),
    troubles=[Trouble(job=8, at_ms=0, what="out-of-memory", why="[red]30 GiB[/red] needed")],
    live=Live(
        cards=[
            Card(card="0", up=True, name="RTX 4090", plan="full", memory_bytes=24 * 2**30, clip_seconds=41.25),
            Card(card="1", up=False, name="RTX 3060"),
        ],
        phases={"denoise": 1},
        holds=["paused"],
        invalid_requests=4,
        free_bytes=5 * 2**30,
        version="1.2.3",
    ),
)


def shown(state: State, **console: Any) -> str:
    out = io.StringIO()
    assert show(lambda: state, Console(file=out, width=100, **console))
    return out.getvalue()


def run(*args: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["status", *args], env={"VIVANT_METRICS_PORT": "0", **environment})
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def test_everything_is_said_in_words_whether_or_not_there_is_colour() -> None:
    plain = shown(STATE)
    assert not ESCAPE.search(plain)
    for words in (
        "running, connected to Discord, version 1.2.3",
        "paused (new model [soon])",
        "3, the first for 3 min 20 s",
        "1, the first for 12 s; 1 in denoise",
        "9 rendered, 2 failed, 0 cancelled",
        "1; /result hands them over",
        "4 requests by Discord",
        "5.0 GiB",
        "41.2 s",
        "24 GiB",
        "not ready",
        "[red]30 GiB[/red] needed",
    ):
        assert words in " ".join(plain.split()), words
    coloured = shown(STATE, force_terminal=True, color_system="standard")
    assert COLOUR.search(coloured)
    without = shown(STATE, force_terminal=True, color_system="standard", no_color=True)
    assert not COLOUR.search(without)
    assert ESCAPE.sub("", coloured) == ESCAPE.sub("", without) == plain


def test_a_narrow_terminal_folds_and_loses_no_word() -> None:
    out = io.StringIO()
    show(lambda: STATE, Console(file=out, width=44))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 44
    assert "the first for 3 min 20 s" in " ".join(out.getvalue().split())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"connected": False}, "running, not connected to Discord"),
        ({"connected": False, "running": False, "live": None, "no_live": "no bot is running"}, "not running"),
        ({"connected": False, "running": None, "live": None, "no_live": "x"}, "not connected to Discord"),
        ({"live": replace(STATE.live or Live(), cards=[])}, "No card is ready."),
        ({"live": None, "no_live": "set metrics_port"}, "unknown: set metrics_port"),
    ],
)
def test_each_way_to_be_down_has_its_words(change: dict[str, Any], words: str) -> None:
    assert words in shown(replace(STATE, **change))


def _answers(*answers: State | Exception) -> Callable[[], State]:
    left = iter(answers)

    def look() -> State:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


def test_watching_goes_on_after_what_could_not_be_read_and_ends_by_ctrl_c() -> None:
    rests: Iterator[int] = iter(range(2))

    def pause(seconds: float) -> None:
        if next(rests, None) is None:
            raise KeyboardInterrupt

    out = io.StringIO()
    terminal = Console(file=out, width=100, force_terminal=True)
    watch(_answers(STATE, StoreBusy("held by another"), STATE), terminal, pause)
    text = ESCAPE.sub("", out.getvalue())
    assert text.count("running, connected") >= 2
    assert text.index("running, connected") < text.index("held by another") < text.rindex("running, connected")


async def test_a_running_bot_is_seen_with_its_cards_and_without_any_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.monitoring.metrics.LOOK_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    class OneCard(FakeBackend):
        def describe(self) -> dict[str, Any]:
            return {"gpu": "0", "name": "A card", "variant": "demo", "vram_gib": 8.0}

    settings = Config(data_dir=tmp_path, metrics_port=port)
    backend = OneCard(usual=Act(hangs=True, steps=1))
    async with (
        Sandbox() as sandbox,
        running_edge(tmp_path, sandbox, backend=backend, config={"metrics_port": port}) as edge,
    ):
        await edge.queued()
        (tmp_path / "connected").touch()  # as the heartbeat does every ten seconds

        async def seen() -> State | None:
            state = await asyncio.to_thread(look_at, settings)
            return state if state.live and state.live.phases else None

        state: State = await until(seen, "a render")
    assert (state.running, state.connected) == (True, True)
    assert state.figures.jobs["running"] == 1
    assert state.live is not None
    assert state.live.phases == {"denoise": 1}
    assert [(card.name, card.up, card.memory_bytes) for card in state.live.cards] == [("A card", True, 8 * 2**30)]


async def test_the_command_prints_once_where_there_is_no_terminal(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job())
    code, text = run(VIVANT_DATA_DIR=str(tmp_path), VIVANT_TOKEN="")
    assert code == 0
    assert "not running" in text
    assert not ESCAPE.search(text)
    code, text = run("--json", VIVANT_DATA_DIR=str(tmp_path), VIVANT_TOKEN="")
    found = json.loads(text)
    assert (code, found["running"], found["figures"]["jobs"]["queued"], found["live"]) == (0, False, 1, None)


def test_what_cannot_be_read_ends_with_a_sentence_and_json_stays_json(tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    with closing(sqlite3.connect(old_folder(newer) / "vivant.db")) as db:
        db.execute("pragma user_version = 99")
    broken = tmp_path / "broken.toml"
    broken.write_text("data_dir = ")
    for code, words, args, folder in (
        (1, "There is no folder", [], tmp_path / "none"),
        (1, "No bot has run", [], tmp_path),
        (1, "newer version", [], newer),
        (78, "broken.toml", ["--config", str(broken)], tmp_path),
    ):
        found, text = run(*args, VIVANT_DATA_DIR=str(folder))
        assert (found, words in " ".join(text.split())) == (code, True), text
        found, text = run("--json", *args, VIVANT_DATA_DIR=str(folder))
        assert (found, words in json.loads(text)["error"]) == (code, True), text


def test_an_older_database_is_shown_before_any_bot_has_brought_it_up_to_date(tmp_path: Path) -> None:
    code, text = run(VIVANT_DATA_DIR=str(old_folder(tmp_path)))
    assert code == 0
    assert "paused (new model coming.)" in text
    assert "bad-frames" in text


async def test_metrics_that_do_not_answer_are_said_and_the_rest_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.monitoring.status.METRICS_SECONDS", 0.1)
    async with opened(tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never answers
            port = silent.getsockname()[1]
            state = look_at(Config(data_dir=tmp_path, metrics_port=port))
            assert state.live is None
            assert "timed out" in state.no_live
        state = look_at(Config(data_dir=tmp_path, metrics_port=port))
        assert "refused" in state.no_live
        assert state.running


@pytest.mark.parametrize("text", ["<html>", "another_program 1\n", "vivant_jobs{state=\n", ""])
def test_an_answer_of_another_program_is_no_bot(text: str) -> None:
    with pytest.raises(ValueError):
        read_live(text)


def test_lengths_of_time_have_their_two_largest_units() -> None:
    seconds = (0, 45, 60, 200, 3600, 7500, 86400 * 3 + 4 * 3600)
    assert [span(each) for each in seconds] == ["0 s", "45 s", "1 min", "3 min 20 s", "1 h", "2 h 5 min", "3 d 4 h"]
