"""Which card takes a request, and what is said of each node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from generator.backend.cluster.hosts import Host, Relay, capacity, choose, count_missing, describe_nodes, unneeded
from generator.backend.cluster.seam import Node
from tests.support.fake_cluster import FakeActor


def host(name: str = "a", state: str = "ready", variant: str = "demo", relays: int = 0, encoding: int = 0) -> Host:
    node = Node(name, name, 1)
    found = Host(node, FakeActor(node, {}))
    found.note(state, {"name": "Fake", "variant": variant, "vram_gib": 24.0})
    for job in range(relays + encoding):
        relay = a_relay(1000 + job)
        relay.encoding = job >= relays
        found.relays[relay.key] = relay
    return found


def a_relay(job: int = 1, variant: str = "demo") -> Relay:
    wire: dict[str, Any] = {"job": job, "attempt": 1, "settings": {"variant": variant}}
    return Relay(wire)


def test_the_least_busy_card_takes_it_and_clips_that_are_only_encoded_count_little() -> None:
    busy, encoding, idle = host(relays=1), host(encoding=2), host()
    assert choose([busy, encoding, idle], a_relay()) is idle
    assert choose([busy, encoding], a_relay()) is encoding


def test_of_equal_cards_one_that_has_the_variant_loaded_takes_it() -> None:
    other, loaded = host(variant="svd"), host(variant="demo")
    assert choose([other, loaded], a_relay(variant="demo")) is loaded
    assert choose([other, loaded], a_relay(variant="svd")) is other


def test_no_card_that_loads_leaves_or_has_refused_takes_it() -> None:
    refused = host()
    refused.refused.add("demo")
    assert choose([refused, *(host(state=state) for state in ("loading", "leaving", "broken"))], a_relay()) is None
    assert choose([refused], a_relay(variant="svd")) is refused


def test_a_card_that_leaves_does_not_come_back() -> None:
    leaving = host(state="leaving")
    leaving.note("ready", {})
    assert not leaving.is_ready


def test_cards_that_load_are_connected_but_take_nothing() -> None:
    assert capacity([host(), host(state="loading"), host(state="broken")]) == {
        "slots": 2,
        "encoders": 2,
        "executors": 1,
        "connected": 2,
    }


def test_each_node_has_one_entry_with_its_cards_and_its_problem() -> None:
    broken = host("b", "broken")
    broken.note("broken", {"error": {"text": "no weights"}})
    first, second, third = describe_nodes([host("a", relays=1), host("a"), broken], ["c"])
    assert (
        first["node"] == "a" and first["state"] == "2 ready" and first["cards"] == "2 x Fake" and first["running"] == 1
    )
    assert second["problem"] == "no weights"
    assert third["node"] == "c" and "left out" in third["state"]


def test_of_rented_cards_only_idle_ones_end_and_only_as_many_as_are_not_wanted() -> None:
    own, busy, idle, other = host(), host("b", relays=1), host("c"), host("d")
    for one in (busy, idle, other):
        one.node = replace(one.node, is_rented=True)
    hosts = [own, busy, idle, other]
    assert [unneeded(hosts, wanted) for wanted in (3, 2, 1, 0)] == [[], [idle], [idle, other], [idle, other]]


def test_actors_are_started_on_cards_that_have_none_within_what_is_allowed_and_wanted() -> None:
    node, hosts = Node("a", "a", 3), [host("a"), host("b")]
    assert [count_missing(node, hosts, most, wanted=0) for most in (9, 3)] == [2, 1]
    rented_node = replace(node, is_rented=True)
    assert [count_missing(rented_node, hosts, 9, wanted) for wanted in (0, 1, 9)] == [0, 1, 2]
