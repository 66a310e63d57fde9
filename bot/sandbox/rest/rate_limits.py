"""Rate limit buckets as Discord keeps them: stated in headers, refused with 429 when empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.sandbox.faults import Refuse, rate_limited
from bot.sandbox.rest.invalid_requests import InvalidRequests
from bot.sandbox.rules.clock import Clock

REQUESTS = 5
WINDOW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How requests are limited: invalid ones always, all others by `buckets` where there are some."""

    invalid: InvalidRequests
    buckets: Buckets | None


@dataclass
class _Bucket:
    left: int
    refills_at: float


class Buckets:
    """REQUESTS per WINDOW_SECONDS for each route and channel, webhook or server; none for interaction callbacks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def take(self, method: str, template: str, params: Mapping[str, str]) -> tuple[dict[str, str], Refuse | None]:
        """Count a request. Return the headers of its answer, and the 429 when the bucket is empty."""
        if template.startswith("/interactions/"):
            return {}, None
        major = params.get("channel_id") or params.get("webhook_token") or params.get("guild_id") or ""
        key = (method, template, major)
        now = self._clock.now()
        bucket = self._buckets.get(key)
        if bucket is None or bucket.refills_at <= now:
            bucket = self._buckets[key] = _Bucket(REQUESTS, now + WINDOW_SECONDS)
        refused = rate_limited(round(bucket.refills_at - now, 3)) if bucket.left == 0 else None
        bucket.left = max(bucket.left - 1, 0)
        return self._headers(key, bucket, now), refused

    def _headers(self, key: tuple[str, str, str], bucket: _Bucket, now: float) -> dict[str, str]:
        return {
            "Via": "1.1 google",
            "X-RateLimit-Bucket": format(hash(key[:2]) & 0xFFFFFFFFFFFFFFFF, "016x"),
            "X-RateLimit-Limit": str(REQUESTS),
            "X-RateLimit-Remaining": str(bucket.left),
            "X-RateLimit-Reset": f"{bucket.refills_at:.3f}",
            "X-RateLimit-Reset-After": f"{bucket.refills_at - now:.3f}",
        }
