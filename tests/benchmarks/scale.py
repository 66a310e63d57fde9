"""A day of a large community on the real store: who waits how long, what it costs, what Discord is asked for.

`python -m tests.benchmarks scale --gpus=100 --people=10000 --hours=24 --load=75 --speed=100 --seed=1`; those are the
defaults, and fewer hours are a quicker day. The database lies on a memory disk where there is one, and runs in the
calling thread: what a commit costs on a disk, and the way to another thread, are in the benchmark `queue`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bot.queue.estimates import model_ms
from generator.clip import ClipSettings
from generator.variants import BUILT_IN
from tests.benchmarks.report import Report
from tests.benchmarks.simulation.cards import Cards
from tests.benchmarks.simulation.day import HOUR_MS, Day, Size, Wait
from tests.benchmarks.simulation.people import HEAVY

BUSY = 0.25
"""of all minutes, those with the longest queue: the busy ones"""
DEPTHS = (1, 100, 300, 1_000, 3_000, 10_000, 30_000)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed; 0 of none."""
    return sorted(values)[round(share * (len(values) - 1))] if values else 0.0


def run(**sizes: int) -> Report:
    """Simulate one run of the given size and report it."""
    return report_of(lived(Size(**sizes)))


def lived(size: Size) -> Day:
    """Return a day that is over, lived on a memory disk where there is one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        day = Day(size, Path(folder))
        asyncio.run(day.run())
    return day


def report_of(day: Day) -> Report:
    """Return the figures of a day that is over, with their targets."""
    report = Report("scale", libraries=("aiosqlite",))
    outcomes, size = day.measured.outcomes, day.size
    sizes = {"gpus": size.gpus, "people": size.people, "hours": size.hours, "load_percent": size.load}
    ends = {f"jobs_{name}": outcomes.get(name, 0) for name in ("rendered", "failed", "cancelled", "given_back")}
    report.figures |= sizes | ends | {"requests_refused": outcomes.get("refused", 0)}
    _waits(report, day)
    _fairness(report, day)
    _calls(report, day)
    _disk(report, day)
    _edits(report, day)
    report.figures |= {"simulated_in_s": day.measured.seconds, "machine_load": os.getloadavg()[0]}
    report.targets |= {
        "behind_fair_share_p99_jobs": "<= 1.5",
        "light_to_heavy_wait_p50": "<= 0.5",
        "claim_growth_to_queue_growth": "<= 1",
        "seconds_over_50_requests": "== 0",
    }
    return report


def _waits(report: Report, day: Day) -> None:
    waits = day.measured.waits
    report.figures["queue_longest"] = max(day.measured.depths, default=0)
    for name, found in (("all", waits), ("light", light(waits)), ("heavy", heavy(waits))):
        for share in (50, 95, 99):
            report.figures[f"wait_{name}_p{share}_s"] = percentile([wait.ms / 1000 for wait in found], share / 100)
    report.figures["told_range_held"] = sum(day.measured.etas) / max(1, len(day.measured.etas))
    report.tables.append(f"\n{'hour':>4s} {'asked':>7s} {'queue':>7s} {'p50 s':>8s} {'p95 s':>8s} {'p99 s':>8s}")
    for hour in range(len(day.measured.depths) // 60 + 1):
        seconds = [wait.ms / 1000 for wait in waits if wait.asked_ms // HOUR_MS == hour]
        depth = max(day.measured.depths[hour * 60 : (hour + 1) * 60], default=0)
        spread = " ".join(f"{percentile(seconds, share):8.0f}" for share in (0.5, 0.95, 0.99))
        report.tables.append(f"{hour:4d} {len(seconds):7d} {depth:7d} {spread}")


def light(waits: Iterable[Wait]) -> list[Wait]:
    """Return the waits of people who ask for little, for a job that was their only one."""
    return [wait for wait in waits if not wait.person.is_heavy and wait.is_alone]


def heavy(waits: Iterable[Wait]) -> list[Wait]:
    """Return the waits of the people who ask for whole series."""
    return [wait for wait in waits if wait.person.is_heavy]


def busy(day: Day) -> list[Wait]:
    """Return the waits of what was asked for in the minutes with the longest queues."""
    depths = day.measured.depths
    bound = max(1.0, percentile(depths, 1 - BUSY))
    return [wait for wait in day.measured.waits if depths[min(wait.asked_ms // 60_000, len(depths) - 1)] >= bound]


def _fairness(report: Report, day: Day) -> None:
    longest = model_ms(ClipSettings(), BUILT_IN)
    lags = [lag / longest for lag in day.fluid.lags]
    report.figures["behind_fair_share_p99_jobs"] = percentile(lags, 0.99)
    report.figures["behind_fair_share_max_jobs"] = max(lags, default=0.0)
    report.figures["ahead_of_fair_share_p99_jobs"] = -percentile(lags, 0.01)
    found = busy(day)
    ordinary = [wait for wait in found if wait.person.share == 100]
    middle = {name: percentile([wait.ms / 1000 for wait in some], 0.5) for name, some in _groups(ordinary)}
    report.figures |= {f"busy_wait_{name}_p50_s": value for name, value in middle.items()}
    report.figures["light_to_heavy_wait_p50"] = middle["light"] / max(1.0, middle["heavy"])
    for share in sorted({person.share for person in day.people}):
        some = [wait.ms / 1000 for wait in found if wait.person.share == share and not wait.is_alone]
        report.figures[f"busy_wait_share_{share}_p50_s"] = percentile(some, 0.5)
    report.tables.append(
        "\nbehind_fair_share: in jobs of 25 steps and 25 frames; what is fair is the same GPU time, poured by share"
    )
    report.tables.append(f"heavy: the {HEAVY:.0%} who ask for series; light: everybody else's only job at that time")


def _groups(waits: list[Wait]) -> tuple[tuple[str, list[Wait]], ...]:
    return ("light", light(waits)), ("heavy", heavy(waits))


def _calls(report: Report, day: Day) -> None:
    calls = day.measured.calls
    for name, found in calls.items():
        times = [ms for _, ms in found]
        report.figures[f"{name}_p50_ms"], report.figures[f"{name}_p99_ms"] = (percentile(times, q) for q in (0.5, 0.99))
    report.figures["sweep_longest_ms"] = max((ms for _, ms in calls["sweep"]), default=0.0)
    report.figures["claim_growth_to_queue_growth"] = growth(calls["claim"])
    report.tables.append(f"\n{'queued':>15s} " + " ".join(f"{name:>24s}" for name in ("claim", "position_last")))
    for low, high in zip(DEPTHS, (*DEPTHS[1:], 10**9), strict=True):
        cells = [_cell([ms for depth, ms in calls[name] if low <= depth < high]) for name in ("claim", "position_last")]
        report.tables.append(f"{low:7d}-{'' if high == 10**9 else high:<7} " + " ".join(cells))


def _cell(times: list[float]) -> str:
    return f"{percentile(times, 0.5):8.2f} {percentile(times, 0.99):8.2f} ms {len(times):>4d}" if times else " " * 24


def growth(found: Sequence[tuple[int, float]]) -> float:
    """Return how much slower calls are at the longest queues than at the shortest, over how much longer those are.

    1 is linear; the middle call of each quarter is taken, so that one slow moment of the machine says nothing.
    """
    ordered = sorted(found)
    part = max(1, len(ordered) // 4)
    short, long = ordered[:part], ordered[-part:]
    slower = percentile([ms for _, ms in long], 0.5) / percentile([ms for _, ms in short], 0.5)
    longer = (percentile([depth for depth, _ in long], 0.5) + 1) / (percentile([depth for depth, _ in short], 0.5) + 1)
    return slower / longer


def _disk(report: Report, day: Day) -> None:
    measured = day.measured
    jobs = max(1, len(measured.waits))
    report.figures |= {
        "database_mb": measured.database_bytes / 1e6,
        "database_bytes_per_job": measured.database_bytes / jobs,
        "wal_largest_mb": measured.wal_bytes / 1e6,
        "written_kb_per_job": measured.written_bytes / jobs / 1e3,
        "written_kb_per_s": measured.written_bytes / (day.now_ms / 1000) / 1e3,
    }


def _edits(report: Report, day: Day) -> None:
    _requests(report, day.cards, "")
    _requests(report, day.before, "unbounded_")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        report.figures[f"position_shown_wrong_by_{name}"] = percentile(day.measured.errors, share)


def _requests(report: Report, cards: Cards, name: str) -> None:
    requests = cards.requests
    counts = list(requests.seconds.values()) or [0]
    report.figures |= {f"{name}requests_{kind}": count for kind, count in sorted(requests.kinds.items())}
    report.figures |= {
        f"{name}requests_per_s_p99": percentile(counts, 0.99),
        f"{name}requests_per_s_max": max(counts),
        f"{name}seconds_over_50_requests": requests.over_global(),
        f"{name}channel_windows_over_5_edits": requests.over_channel(),
        f"{name}channel_edits_in_5_s_max": max(requests.windows.values(), default=0),
    }
