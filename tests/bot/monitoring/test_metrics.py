"""What Prometheus reads of a running bot."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.monitoring.gauges import Sources
from bot.monitoring.metrics import Metrics
from bot.queue.job import DeadReason
from bot.queue.store import JobStore
from bot.work.gate import HoldCause
from generator.errors import BadFrames, ExecutorLost
from generator.protocol import Phase, Progress
from tests.support.edge import until
from tests.support.jobs import Clock, new_job, opened, rendered


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def measured(store: JobStore, sources: Sources | None = None) -> AsyncIterator[Metrics]:
    """Run the metrics of a store for a while."""
    metrics = Metrics(store)
    metrics.listen(free_port())
    metrics.watch(sources or Sources())
    measuring = asyncio.create_task(metrics.run())
    try:
        yield metrics
    finally:
        measuring.cancel()
        await asyncio.wait({measuring})
        await metrics.close()


async def test_they_are_read_on_this_machine_alone_unless_another_address_is_named(tmp_path: Path) -> None:
    """As in a container, whose 127.0.0.1 nobody else reaches. 127.0.0.2 stands for the container's own address."""
    for address, reached in (("127.0.0.1", False), ("0.0.0.0", True)):
        port = free_port()
        async with opened(tmp_path) as store:
            metrics = Metrics(store)
            metrics.listen(port, address)
            with socket.socket() as client:
                assert (client.connect_ex(("127.0.0.2", port)) == 0) is reached
            await metrics.close()


async def test_the_queue_is_counted_with_how_long_the_first_of_it_waits(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        for _ in range(3):
            await store.jobs.enqueue(new_job())
        clock.now_ms += 60_000
        running = await store.jobs.claim()
        ended = await store.jobs.claim()
        assert running and ended
        await store.jobs.settle_rendered(ended, rendered(ended))
        clock.now_ms += 30_000
        async with measured(store) as metrics:
            await until(lambda: metrics.registry.get_sample_value("vivant_jobs", {"state": "queued"}), "a count")
            states = ("queued", "running", "rendered", "failed")
            found = [metrics.registry.get_sample_value("vivant_jobs", {"state": state}) for state in states]
            assert found == [1, 1, 1, 0]
            assert metrics.registry.get_sample_value("vivant_deliveries", {"state": "pending"}) == 1
            ages = [
                metrics.registry.get_sample_value(f"vivant_{what}_oldest_age_seconds")
                for what in ("queue", "running", "delivery")
            ]
            assert ages == [90, 30, 30]


async def test_attempts_are_counted_by_how_they_ended_and_timed_by_phase(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, measured(store) as metrics:
        count = metrics.registry.get_sample_value
        assert count("vivant_renders_total", {"result": "rendered"}) == 0, "a first event must be an increase"
        for _ in range(3):
            await store.jobs.enqueue(new_job())
        first, second, third = [await store.jobs.claim() for _ in range(3)]
        assert first and second and third
        clip = rendered(first, seconds=20.0)
        clip.phase_seconds.update({"denoise": 15.0, "decode": 4.0, "of another version": 1.0})
        await store.jobs.settle_rendered(first, clip)
        await store.jobs.settle_failed(second, BadFrames("black", kind="black"))
        await store.jobs.give_back(third, counts=False, error=ExecutorLost("gone", cause="exit"))
        await store.jobs.settle_cancelled(third)  # late: the attempt has ended
        results = {
            name: count("vivant_renders_total", {"result": name})
            for name in ("rendered", "failed", "queued", "late", "cancelled")
        }
        assert results == {"rendered": 1, "failed": 1, "queued": 1, "late": 1, "cancelled": 0}
        errors = [count("vivant_render_errors_total", {"error": code}) for code in ("bad-frames", "executor-lost")]
        assert errors == [1, 1]
        assert count("vivant_render_seconds_sum", {"variant": "svd-xt"}) == 20
        phases = {
            phase: count("vivant_render_phase_seconds_sum", {"phase": phase, "variant": "svd-xt"})
            for phase in ("denoise", "decode", "encode", "of another version")
        }
        assert phases == {"denoise": 15, "decode": 4, "encode": None, "of another version": None}
        assert count("vivant_jobs_accepted_total") == 3


async def test_deliveries_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, measured(store) as metrics:
        count = metrics.registry.get_sample_value
        for _ in range(2):
            job = await store.jobs.enqueue(new_job())
            await store.jobs.cancel(job.id)
        first, second = await store.deliveries.due()
        await store.deliveries.mark_sending(first.job_id)
        await store.deliveries.mark_later(first.job_id, 0, "HTTP 500")
        await store.deliveries.mark_sending(first.job_id)
        await store.deliveries.mark_sent(first.job_id, 9)
        await store.deliveries.mark_dead(second.job_id, DeadReason.CHANNEL_GONE)
        results = [count("vivant_delivery_attempts_total", {"result": name}) for name in ("again", "sent", "dead")]
        assert results == [1, 1, 1]
        assert count("vivant_deliveries_dead_total", {"reason": "channel-gone"}) == 1
        assert count("vivant_deliveries_dead_total", {"reason": "too-slow"}) == 0


async def test_cards_holds_and_the_connection_are_told(tmp_path: Path) -> None:
    ready: dict[str, object] = {"gpu": "1", "name": "Fake", "plan": "full", "clip_seconds": 4.5}
    ready |= {"vram_gib": 24.0, "used_gib": 6.0}
    broken: dict[str, object] = {"gpu": "2", "name": "Fake", "problem": "no weights"}
    cards: list[dict[str, object]] = [ready, broken, {}, {"device": "cluster", "cards": 1}, {"node": "10.0.0.7"}]
    sources = Sources(
        cards=lambda: cards,
        able=lambda: 2,
        progress=lambda: [Progress(Phase.DENOISE, 1, 25), Progress(Phase.DENOISE, 2, 25), Progress(Phase.ENCODE)],
        holds=lambda: {HoldCause.PAUSED},
        connected=lambda: True,
        latency=lambda: math.nan,
        invalid_requests=lambda: 17,
        free_bytes=lambda: 5,
        needed_bytes=9,
    )
    async with opened(tmp_path) as store, measured(store, sources) as metrics:
        count = metrics.registry.get_sample_value
        await until(lambda: count("vivant_connected"), "a look")
        assert count("vivant_card_memory_bytes", {"card": "1"}) == 24 * 2**30
        assert count("vivant_card_memory_used_bytes", {"card": "1"}) == 6 * 2**30
        assert count("vivant_card_clip_seconds", {"card": "1"}) == 4.5
        named = {"card": "1", "name": "Fake", "variant": "", "plan": "full", "device": ""}
        assert count("vivant_card_info", named) == 1
        up = {card: count("vivant_card_up", {"card": card}) for card in ("1", "2", "3", "10.0.0.7")}
        assert up == {"1": 1, "2": 0, "3": None, "10.0.0.7": 1}
        assert count("vivant_card_up", {"card": "cluster"}) is None
        phases = [count("vivant_renders_running", {"phase": phase}) for phase in ("denoise", "encode", "decode")]
        assert phases == [2, 1, 0]
        held = [count("vivant_hold", {"cause": cause}) for cause in ("paused", "disk-full")]
        assert held == [1, 0]
        named_alone = ("discord_invalid_requests", "disk_free_bytes", "disk_needed_bytes", "cards_able")
        assert [count(f"vivant_{name}") for name in named_alone] == [17, 5, 9, 2]
        assert (count("process_resident_memory_bytes") or 0) > 1e6


async def test_lines_of_the_log_are_counted_while_the_metrics_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("bot.somewhere")
    async with opened(tmp_path) as store, measured(store) as metrics:
        log.error("once")
        log.info("not counted")
    log.error("after the end")
    assert metrics.registry.get_sample_value("vivant_log_messages_total", {"level": "ERROR"}) == 1
    assert caplog.messages.count("after the end") == 1
