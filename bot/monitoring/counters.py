"""What is counted for Prometheus as it happens: requests, attempts to render and to post, lines of the log.

Tested in tests/bot/monitoring/test_metrics.py.
"""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry, Counter, Histogram

from bot.queue.job import AttemptEnd, DeadReason, DeliveryState, JobState
from bot.queue.store import JobStore
from generator.errors import render_codes
from generator.protocol import Phase

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""from a step of a few frames on a fast card to a clip on a processor"""
LEVELS = ("WARNING", "ERROR", "CRITICAL")
RESULTS = (*(state.value for state in JobState if state is not JobState.RUNNING), "late")
"""of an attempt; queued: it is to be rendered again, late: another attempt had taken its place"""


class Counters:
    """Counts what a store and the log tell, from `follow` on. A series that can be named beforehand begins at 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._accepted = Counter("vivant_jobs_accepted", "Requests that were accepted", registry=registry)
        self._renders = Counter("vivant_renders", "Attempts to render that ended", ["result"], registry=registry)
        self._errors = Counter(
            "vivant_render_errors", "Attempts to render that ended with an error", ["error"], registry=registry
        )
        self._seconds = Histogram(
            "vivant_render_seconds", "How long a clip held the GPU", ["variant"], buckets=SECONDS, registry=registry
        )
        self._phases = Histogram(
            "vivant_render_phase_seconds",
            "How long each phase of a clip took",
            ["phase", "variant"],
            buckets=SECONDS,
            registry=registry,
        )
        self._deliveries = Counter(
            "vivant_delivery_attempts", "Attempts to post a result that ended", ["result"], registry=registry
        )
        self._dead = Counter(
            "vivant_deliveries_dead",
            "Results that could not be posted where they were asked for",
            ["reason"],
            registry=registry,
        )
        self._lines = Counter("vivant_log_messages", "Lines of the log", ["level"], registry=registry)
        self._handler = _CountingHandler(self._lines)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Make the series: what appears with its first event is no increase for Prometheus."""
        for counter, values in (
            (self._renders, RESULTS),
            (self._errors, render_codes()),
            (self._deliveries, ("sent", "again", "dead")),
            (self._dead, [reason.value for reason in DeadReason]),
            (self._lines, LEVELS),
        ):
            for value in values:
                counter.labels(value)

    def follow(self, store: JobStore) -> None:
        """Count what happens in a store, and the lines of the log."""
        store.jobs.on_accepted = self._accepted.inc
        store.jobs.on_attempt_end = self.attempt_ended
        store.deliveries.on_attempt_end = self.delivery_ended
        logging.getLogger().addHandler(self._handler)

    def close(self) -> None:
        """Count no more lines of the log."""
        logging.getLogger().removeHandler(self._handler)

    def attempt_ended(self, end: AttemptEnd) -> None:
        """Count an attempt to render."""
        self._renders.labels(end.state or "late").inc()
        if end.error:
            self._errors.labels(end.error).inc()
        if not end.facts:
            return
        variant = end.job.settings.variant
        self._seconds.labels(variant).observe(float(end.facts.get("seconds", 0)))
        for phase, seconds in dict(end.facts.get("phase_seconds", {})).items():
            if phase in set(Phase):  # an executor of another version may have others
                self._phases.labels(phase, variant).observe(float(seconds))

    def delivery_ended(self, state: DeliveryState, error: str) -> None:
        """Count an attempt to post."""
        self._deliveries.labels("again" if state is DeliveryState.PENDING else state).inc()
        if state is DeliveryState.DEAD:
            self._dead.labels(error if error in set(DeadReason) else "other").inc()


class _CountingHandler(logging.Handler):
    """Counts the lines of each level."""

    def __init__(self, lines: Counter) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line."""
        self._lines.labels(record.levelname).inc()
