"""Faults between the bot and Discord: rules choose requests, actions are applied to them. Repeatable by seed.

    faults = FaultScript(seed=7)
    faults.add(LoseReply(), "POST", "/channels/*/messages")  # the first post is accepted, its reply lost
    faults.add(rate_limited(0.2), "PATCH", "/channels/**", times=3, skip=1)
    faults.add(LoseReply(), times=None, probability=0.05)  # 5 % of all replies
    faults.add(DropGateway(), "GATEWAY", "INTERACTION_CREATE")  # the socket closes before the event is sent

Paths are without /api/v10; `*` is one segment, `**` any number of them. `played` lists what was applied.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sandbox.rules.payloads import Json


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait before the request is handled."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Do:
    """Change the world just before the request is handled: delete the channel, take a permission away, ...

    When `change` returns an awaitable, the request waits for it.
    """

    change: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with this instead of handling the request."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection (errno 104) before anything was accepted."""


@dataclass(frozen=True, slots=True)
class CutUpload:
    """Reset the connection after `after_bytes` of the body; nothing was accepted."""

    after_bytes: int = 1024


@dataclass(frozen=True, slots=True)
class Stall:
    """Take nothing of a request whose body is larger than `above_bytes`, and cut it after some seconds."""

    seconds: float
    above_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Accept the request, then cut the connection instead of answering: with a reset (errno 104) or a plain close."""

    reset: bool = True


@dataclass(frozen=True, slots=True)
class DropGateway:
    """Close the bot's gateway socket with this code just before the event is sent; it can be resumed after 4000."""

    code: int = 4000


Action = Delay | Do | Refuse | Reset | CutUpload | Stall | LoseReply | DropGateway


def rate_limited(retry_after: float) -> Refuse:
    """Return Discord's own 429. Without the Via header discord.py would take it for a ban by the network edge."""
    body: Json = {"message": "You are being rate limited.", "retry_after": retry_after, "global": False}
    return Refuse(429, json.dumps(body), limit_headers(retry_after) | {"Content-Type": "application/json"})


def limit_headers(retry_after: float) -> dict[str, str]:
    """Return the headers of Discord's own 429."""
    return {"Via": "1.1 google", "Retry-After": str(max(1, round(retry_after))), "X-RateLimit-Scope": "user"}


def banned_by_edge() -> Refuse:
    """Return the 429 of the network edge: no JSON, no retry time, no Via."""
    return Refuse(429, "error code: 1015", {"Content-Type": "text/plain"})


def blocked_by_edge(status: int = 403) -> Refuse:
    """Return the page with which the network edge, or a proxy, turns a request away that Discord never saw."""
    return Refuse(status, "<html><title>Attention Required!</title></html>", {"Content-Type": "text/html"})


def blocked_by_discord() -> Refuse:
    """Return what Discord answers while its own network turns requests away."""
    return Refuse(403, '{"message": "internal network error", "code": 40333}', {"Content-Type": "application/json"})


def server_error(status: int = 502) -> Refuse:
    """Return the answer of a failing server (500) or of its proxies (502, 503, 504)."""
    if status == 500:
        return Refuse(500, '{"message": "500: Internal Server Error", "code": 0}', {"Content-Type": "application/json"})
    return Refuse(status, "upstream connect error", {"Content-Type": "text/plain"})


def payload_too_large() -> Refuse:
    """Return the answer to a file that is too large for its channel."""
    body = '{"message": "Request entity too large", "code": 40005}'
    return Refuse(413, body, {"Content-Type": "application/json"})


@dataclass
class Rule:
    """An action for the requests that match: not for the first `skip` of them, then `times` times (None: always)."""

    action: Action
    method: str
    path: str
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0

    def __post_init__(self) -> None:
        wildcards = {"**": ".*", "*": "[^/]*"}
        pieces = re.split(r"(\*\*|\*)", self.path)
        self._pattern = re.compile("".join(wildcards.get(piece, re.escape(piece)) for piece in pieces))

    def matches(self, method: str, path: str) -> bool:
        """Return whether the rule is for this request."""
        return self.method in ("*", method) and self._pattern.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class Played:
    """One fault that was applied."""

    method: str
    path: str
    action: Action


class FaultScript:
    """Rules in the order in which they were added. Every rule that matches is applied."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self._rules: list[Rule] = []
        self.played: list[Played] = []

    def add(
        self,
        action: Action,
        method: str = "*",
        path: str = "/**",
        *,
        times: int | None = 1,
        skip: int = 0,
        probability: float = 1.0,
    ) -> Rule:
        """Add a rule, and return it for `remove`."""
        rule = Rule(action, method, path, times, skip, probability)
        self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Remove a rule."""
        self._rules.remove(rule)

    def clear(self) -> None:
        """Remove all rules; `played` stays."""
        self._rules.clear()

    def choose(self, method: str, path: str) -> list[Action]:
        """Return the actions for one request, and add them to `played`."""
        return [rule.action for rule in self._rules if rule.matches(method, path) and self._due(rule, method, path)]

    def _due(self, rule: Rule, method: str, path: str) -> bool:
        if rule.times == 0:
            return False
        if rule.skip > 0:
            rule.skip -= 1
            return False
        if rule.probability < 1 and self._random.random() >= rule.probability:
            return False
        if rule.times is not None:
            rule.times -= 1
        self.played.append(Played(method, path, rule.action))
        return True
