"""Shows how a bot does: on a terminal again and again, elsewhere once, for a script as JSON.

Every fact is a word or a number; colours only repeat them.

Tested in tests/bot/monitoring/test_status.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from bot.monitoring.status import Card, State, ago, span
from bot.queue.database import StoreError
from generator.memory import GIB

REFRESH_SECONDS = 2.0

Look = Callable[[], State]


def show(look: Look, console: Console) -> bool:
    """Print the state once. Return False when it cannot be read."""
    found = _look_safely(look)
    console.print(found if isinstance(found, Text) else view(found))
    return not isinstance(found, Text)


def show_json(look: Look, out: TextIO) -> bool:
    """Write the state as one JSON object, or an object that says why not. Return False when it cannot be read."""
    found = _look_safely(look)
    wire = {"error": found.plain} if isinstance(found, Text) else found.to_json()
    out.write(json.dumps(wire) + "\n")
    return not isinstance(found, Text)


def watch(look: Look, console: Console, pause: Callable[[float], object] = time.sleep) -> None:
    """Show the state again and again, until Ctrl-C. What cannot be read now is said, and tried again."""
    with Screen(console=console, auto_refresh=False) as screen:
        try:
            while True:
                found = _look_safely(look)
                body = found if isinstance(found, Text) else view(found)
                screen.update(Group(body, Text("Every 2 s; Ctrl-C ends.", style="dim")), refresh=True)
                pause(REFRESH_SECONDS)
        except KeyboardInterrupt:
            pass


def _look_safely(look: Look) -> State | Text:
    try:
        return look()
    except StoreError as error:
        return Text(str(error), style="red")


def view(state: State) -> RenderableType:
    """Return what a terminal shows of a state."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(state):
        facts.add_row(Text(name, style="bold"), text)
    parts: list[RenderableType] = [facts]
    if state.live is not None:
        parts += ["", _cards(state.live.cards)]
    if state.troubles:
        parts += ["", _troubles(state)]
    return Group(*parts)


def _facts(state: State) -> Iterator[tuple[str, Text]]:
    live, found = state.live, state.figures
    yield "Bot", _bot(state)
    yield "Data folder", Text(state.folder)
    if hold := _hold(state):
        yield "Stopped", Text(hold, style="yellow")
    yield "Waiting", _count(found.jobs["queued"], "the first for", found.oldest_queued)
    rendering = _count(found.jobs["running"], "the first for", found.oldest_running)
    if live is not None and live.phases:
        rendering.append("; " + ", ".join(f"{count} in {phase}" for phase, count in live.phases.items()))
    yield "Rendering", rendering
    yield "Finished", Text(", ".join(f"{found.jobs[name]} {name}" for name in ("rendered", "failed", "cancelled")))
    undelivered = found.deliveries["pending"] + found.deliveries["sending"]
    yield "To be posted", _count(undelivered, "the first for", found.oldest_undelivered)
    if dead := found.deliveries["dead"]:
        yield "Not postable", Text(f"{dead}; /result hands them over", style="yellow")
    if found.set_aside:
        yield "Set aside", Text(f"{found.set_aside} with a row that cannot be read", style="red")
    if live is None:
        yield "Cards", Text(f"unknown: {state.no_live}", style="dim")
    elif live.invalid_requests:
        yield "Refused", Text(f"{live.invalid_requests} requests by Discord in ten minutes (a ban comes at 10000)")
    if live is not None:
        yield "Free disk", Text(f"{live.free_bytes / GIB:.1f} GiB")


def _bot(state: State) -> Text:
    version = f", version {state.live.version}" if state.live else ""
    if state.connected:
        return Text(f"running, connected to Discord{version}", style="green")
    if state.running:
        return Text(f"running, not connected to Discord{version}", style="yellow")
    return Text("not running" if state.running is False else "not connected to Discord", style="red")


def _hold(state: State) -> str:
    """Say why nothing is started; a pause is known without the metrics too."""
    paused = state.figures.settings.get("paused")
    causes = ["paused"] if paused is not None else []
    causes += [cause for cause in (state.live.holds if state.live else []) if cause not in causes]
    return ", ".join(f"{cause} ({paused})" if cause == "paused" and paused else cause for cause in causes)


def _count(count: int, since: str, seconds: float) -> Text:
    return Text(f"{count}, {since} {span(seconds)}" if count else "0")


def _cards(cards: list[Card]) -> RenderableType:
    if not cards:
        return Text("No card is ready.", style="yellow")
    table = Table("card", "name", "state", "variant", "plan", "memory", "a clip", box=box.SIMPLE, padding=(0, 1))
    for card in cards:
        state = Text("ready", style="green") if card.up else Text("not ready", style="red")
        used = f"{card.memory_used_bytes / GIB:.1f} of " if card.memory_used_bytes else ""
        memory = f"{used}{card.memory_bytes / GIB:.0f} GiB" if card.memory_bytes else ""
        clip = f"{card.clip_seconds:.1f} s" if card.clip_seconds else ""
        words = (Text(word) for word in (card.variant, card.plan, memory, clip))
        table.add_row(Text(card.card), Text(card.name), state, *words)
    return table


def _troubles(state: State) -> RenderableType:
    table = Table("job", "ended", "what", "why", title="Last errors", title_justify="left", box=box.SIMPLE)
    for trouble in state.troubles:
        table.add_row(str(trouble.job), ago(trouble.at_ms), Text(trouble.what), Text(trouble.why, overflow="fold"))
    return table
