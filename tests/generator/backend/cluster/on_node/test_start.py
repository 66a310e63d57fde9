"""How a node is started: what Ray is told, what it gets of the environment, and what is deleted before and after."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

from generator.backend.cluster.on_node.folders import LEAVING, WORK
from generator.backend.cluster.on_node.start import (
    NodeOptions,
    clean,
    label,
    make_token,
    ray_command,
    ray_environment,
)

HEAD = NodeOptions(folder=Path("/n"), token_file=Path("/t"))
NODE = NodeOptions(folder=Path("/n"), token_file=Path("/t"), address="10.0.0.5:6379", name="upstairs", cards=2)


def test_no_node_has_a_dashboard_sends_statistics_or_offers_its_cpus() -> None:
    for options in (HEAD, NODE):
        command = ray_command(options)
        assert {"--disable-usage-stats", "--num-cpus=0", "--include-log-monitor=false"} <= set(command)
        assert "--object-store-memory=209715200" in command
        assert "--temp-dir=/n/ray" in command and "--object-spilling-directory=/n/spill" in command
    assert "--include-dashboard=false" in ray_command(HEAD) and "--head" in ray_command(HEAD)
    assert {"--address=10.0.0.5:6379", "--num-gpus=2", "--labels=vivant-name=upstairs"} <= set(ray_command(NODE))


def test_every_port_is_known_and_no_two_are_the_same() -> None:
    given = [word.split("=") for word in ray_command(HEAD) if "port" in word]
    numbers = [int(number) for _, number in given]
    assert len(set(numbers)) == len(numbers) and 6379 in numbers
    any_free = dataclasses.replace(HEAD, first_port=0)
    assert [word for word in ray_command(any_free) if "port" in word] == ["--port=6379"]


def test_a_node_gets_no_setting_of_the_bot_and_always_the_token() -> None:
    ours = {"VIVANT_TOKEN": "secret", "PATH": "/bin", "RAY_AUTH_MODE": "disabled", "HF_TOKEN": "hub"}
    environment = ray_environment(HEAD, ours)
    assert "VIVANT_TOKEN" not in environment and environment["HF_TOKEN"] == "hub"
    assert (environment["RAY_AUTH_MODE"], environment["RAY_AUTH_TOKEN_PATH"]) == ("token", "/t")
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["VIVANT_NODE_FOLDER"] == "/n"


def test_a_silent_node_is_noticed_within_12_seconds() -> None:
    environment = ray_environment(HEAD, {})
    period, timeout, threshold = (
        int(environment[f"RAY_health_check_{name}"]) for name in ("period_ms", "timeout_ms", "failure_threshold")
    )
    assert (period + timeout) * threshold <= 12_000
    slow = ray_environment(HEAD, {"RAY_health_check_period_ms": "3000"})
    assert slow["RAY_health_check_period_ms"] == "3000", "the operator may set another"


def test_a_name_becomes_what_ray_accepts_as_a_label() -> None:
    assert label("Mia's PC, upstairs") == "Mia-s-PC-upstairs"
    assert label("機") == "node" and len(label("x" * 99)) == 63


def test_a_token_is_made_once_for_this_account_alone(tmp_path: Path) -> None:
    path = tmp_path / "private" / "token"
    assert make_token(path) is True
    assert path.stat().st_mode & 0o777 == 0o600 and len(path.read_text()) == 64
    token = path.read_text()
    assert make_token(path) is False and path.read_text() == token


def test_what_an_earlier_node_left_is_deleted_and_the_folder_is_private(tmp_path: Path) -> None:
    for name in ("ray/session/logs", "spill", f"{WORK}/work-1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "picture.png").write_bytes(b"of a stranger")
    (tmp_path / LEAVING).touch()
    tmp_path.chmod(0o755)
    clean(tmp_path)
    assert not list(tmp_path.rglob("*.png")) and not (tmp_path / LEAVING).exists()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


RUN = """
import sys
from pathlib import Path
from generator.backend.cluster.on_node import start
start.ray_command = lambda options: [sys.executable, "-c", sys.argv[2]]
options = start.NodeOptions(folder=Path(sys.argv[1]), token_file=Path("/t"), address="10.0.0.5:6379")
sys.exit(start.NodeRunner(options, lambda text: print(text, flush=True)).run())
"""


def run_node(folder: Path, ray: str) -> subprocess.Popen[str]:
    """Start a node whose Ray is a line of Python."""
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), ray], stdout=subprocess.PIPE, text=True)


def test_a_node_whose_ray_ends_is_started_again(tmp_path: Path) -> None:
    runner = run_node(tmp_path, f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); raise SystemExit(3)")
    assert runner.stdout is not None
    assert "status 3" in runner.stdout.readline() and "status 3" in runner.stdout.readline()
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(10) == 0
    runner.stdout.close()
    assert len((tmp_path / "starts").read_text()) >= 2


def test_a_node_that_is_stopped_lets_its_actors_finish_first(tmp_path: Path) -> None:
    hold = (
        "import sys, time; from pathlib import Path\n"
        "from generator.backend.cluster.on_node.folders import LEAVING, WORK, WorkFolder\n"
        f"root = Path({str(tmp_path)!r}); folder = WorkFolder(root / WORK); (root / 'up').touch()\n"
        "while not (root / LEAVING).exists(): time.sleep(0.01)\n"
        "(root / 'asked').touch(); folder.delete(); time.sleep(60)"
    )
    runner = run_node(tmp_path, hold)
    while not (tmp_path / "up").exists():
        assert runner.poll() is None
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(20) == 0
    assert runner.stdout is not None
    runner.stdout.close()
    assert (tmp_path / "asked").exists() and not (tmp_path / LEAVING).exists()
