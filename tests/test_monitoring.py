"""The dashboard and the alert rules: what they ask for exists, and a real Prometheus reads a running bot with them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from bot.monitoring.counters import Counters
from bot.monitoring.gauges import Gauges, Sources
from bot.monitoring.metrics import Metrics
from bot.queue.opening.look import Figures
from bot.sandbox.server import Sandbox
from generator.protocol import Rendered, RenderRequest
from tests.support.edge import running_edge, until
from tests.support.fakes import FakeBackend, ProgressCallback
from tests.support.jobs import opened

ROOT = Path(__file__).parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
PAGE = ROOT / "docs" / "monitoring.md"
BESIDE = {"up"}
"""of Prometheus itself"""
ADDED = {"instance", "job", "le"}
"""labels that Prometheus adds, and those of every histogram"""

_WORD = re.compile(r"\b(?:vivant|process)_\w+")
_SELECTOR = re.compile(r"\b((?:vivant|process)_\w+)\{([^}]*)\}")


def tool(name: str) -> str:
    """Return Debian's Prometheus or its promtool; skip the test, and say so, where neither is there."""
    found = shutil.which(name) or shutil.which(str(ROOT / ".prometheus" / "usr" / "bin" / name))
    if found is None:
        pytest.skip(f"NOT TRIED: there is no {name}; `make prometheus` fetches it")
    return found


def promtool(*args: str, text: str | None = None) -> None:
    done = subprocess.run(
        [tool("promtool"), *args], cwd=MONITORING, input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lint" not in done.stderr


def dashboard() -> Any:
    return json.loads((MONITORING / "grafana-dashboard.json").read_text())


def panel_queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((MONITORING / "vivant-alerts.yml").read_text())["groups"]
    return list(group["rules"])


def known() -> dict[str, set[str]]:
    """Return every series that a bot tells, by its name, with the names of its labels."""
    registry = CollectorRegistry()
    Counters(registry)
    gauges = Gauges(registry)
    gauges.show_figures(Figures(jobs={"queued": 1}, deliveries={"sent": 1}))
    card = {"name": "a", "vram_gib": 1.0, "used_gib": 1.0, "pinned_gib": 1.0, "clip_seconds": 1.0}
    gauges.show(Sources(cards=lambda: [card]))
    labelled = {"vivant_render_seconds": {"variant"}, "vivant_render_phase_seconds": {"variant", "phase"}}
    labelled["vivant_event_loop_delay_seconds"] = set()
    series = {f"{name}{end}": labels for name, labels in labelled.items() for end in ("_bucket", "_count", "_sum")}
    for family in registry.collect():
        for sample in family.samples:
            series.setdefault(sample.name, set()).update(sample.labels)
    return series


def unknown_in(query: str, series: dict[str, set[str]]) -> list[str]:
    """Name what a query asks for and no bot tells: series, and labels of series."""
    missing = [name for name in _WORD.findall(query) if name not in series]
    for name, selector in _SELECTOR.findall(query):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) - ADDED
        missing += [f"{name}{{{label}}}" for label in labels - series.get(name, set())]
    return missing


def test_every_series_and_label_that_the_dashboard_and_the_rules_ask_for_exists() -> None:
    series = known()
    for query in (*panel_queries(), *(rule["expr"] for rule in alerts())):
        assert unknown_in(query, series) == [], query
        assert _WORD.search(query) or set(re.findall(r"\w+", query)) & BESIDE, query
    assert unknown_in('rate(vivant_rendered_total{phase="x"}[5m])', series) == [
        "vivant_rendered_total",
        "vivant_rendered_total{phase}",
    ]
    assert unknown_in('vivant_jobs{result="x", instance="a"}', series) == ["vivant_jobs{result}"]


async def test_what_is_named_here_as_a_histogram_is_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        registry = Metrics(store).registry
        histograms = {family.name for family in registry.collect() if family.type == "histogram"}
    assert histograms == {
        "vivant_render_seconds",
        "vivant_render_phase_seconds",
        "vivant_event_loop_delay_seconds",
    }


def test_the_page_names_every_alert_and_every_figure() -> None:
    page = PAGE.read_text()
    missing = [rule["alert"] for rule in alerts() if f"`{rule['alert']}`" not in page]
    names = [name for name in known() if name.startswith("vivant_") and not name.endswith("_created")]
    families = {re.sub(r"_(?:bucket|count|sum)$", "", name) for name in names}
    assert missing + sorted(name for name in families if f"`{name}`" not in page) == []
    told = set(re.findall(r"`(vivant_\w+)`", page))
    assert told - families == set(), "the page names what no bot tells"


def test_every_alert_has_a_rule_test_and_says_what_to_do() -> None:
    tests = yaml.safe_load((MONITORING / "vivant-alerts-test.yml").read_text())["tests"]
    fire = {item["alertname"] for each in tests for item in each["alert_rule_test"] if item["exp_alerts"]}
    names = {rule["alert"] for rule in alerts()}
    assert fire == names
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "action"}


def test_prometheus_takes_the_rules_and_they_fire_when_they_should() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "vivant-alerts.yml")
    promtool("test", "rules", "vivant-alerts-test.yml")
    wrong = subprocess.run(
        [tool("promtool"), "check", "rules"], input="groups: [{rules: 1}]", capture_output=True, text=True
    )
    assert wrong.returncode != 0


def test_the_panels_stand_beside_each_other_and_have_ids_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert dashboard()["uid"] == "vivant"


def _ask(port: int, path: str, **query: str) -> Any:
    try:
        return json.loads(_fetch(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}"))
    except urllib.error.HTTPError as error:
        return json.load(error)
    except OSError:  # it starts
        return None


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


class OneCard(FakeBackend):
    """A backend whose card tells of itself as a real one."""

    def describe(self) -> dict[str, Any]:
        return {"gpu": "0", "name": "A card", "vram_gib": 8.0, "used_gib": 3.0, "clip_seconds": 2.0, "device": "cuda"}

    async def render(self, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        clip = await super().render(request, on_progress)
        clip.phase_seconds["denoise"] = 1.5
        return clip


def _ports(count: int) -> Iterator[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    yield from [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()


def _configuration(folder: Path, target: int) -> Path:
    """Write the repository's own prometheus.yml with the port of this bot, asking often."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{target}"]
    config["rule_files"] = [str(MONITORING / name) for name in config["rule_files"]]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@asynccontextmanager
async def _prometheus(folder: Path, target: int, port: int) -> AsyncIterator[None]:
    """Run a real Prometheus on a bot's metrics for a while."""
    server = await asyncio.create_subprocess_exec(
        tool("prometheus"),
        f"--config.file={_configuration(folder, target)}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        yield
    finally:
        server.terminate()
        await server.wait()


async def test_a_real_prometheus_reads_a_running_bot_and_every_panel_has_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("prometheus")
    monkeypatch.setattr("bot.monitoring.metrics.LOOK_SECONDS", 0.1)
    metrics, port = _ports(2)

    async def ask(query: str) -> list[Any]:
        query = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
        answer = await asyncio.to_thread(_ask, port, "/api/v1/query", query=query)
        assert answer is None or answer["status"] == "success", (query, answer)
        return list(answer["data"]["result"]) if answer else []

    settings = {"metrics_port": metrics}
    async with (
        Sandbox() as sandbox,
        running_edge(tmp_path / "data", sandbox, backend=OneCard(), config=settings) as edge,
        _prometheus(tmp_path, metrics, port),
    ):
        await edge.queued()
        await until(lambda: ask('vivant_delivery_attempts_total{result="sent"} > 0'), "the clip's delivery")
        await until(lambda: ask("rate(vivant_render_seconds_count[1m])"), "a rate")
        silent = [query for query in panel_queries() if not await ask(query)]
        rules = await asyncio.to_thread(_ask, port, "/api/v1/rules")
        told = await asyncio.to_thread(_fetch, f"http://127.0.0.1:{metrics}/metrics")
    assert [query for query in silent if "vivant_hold" not in query] == [], "only a bot that is held answers that one"
    found = rules["data"]["groups"][0]["rules"]
    assert {rule["health"] for rule in found} == {"ok"}
    assert [rule["name"] for rule in found if rule["state"] == "firing"] == []
    assert len(found) == len(alerts())
    promtool("check", "metrics", text=told)
