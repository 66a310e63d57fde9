"""What servers chose: kept, logged, forgotten; and what a later version wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.policy.server import AgeRule, FilterAction, OthersPictures, ServerSettings
from bot.queue.database import fetch
from bot.queue.servers.settings import KEPT_DAYS, SETTINGS_CHANGED, AuditEntry
from bot.queue.store import JobStore
from generator.clip import Format
from tests.support.jobs import HOUR_MS, Clock, opened

SERVER, OTHER, MIA, BEN = 5, 6, 11, 12


async def test_a_server_that_chose_nothing_has_the_defaults(store: JobStore) -> None:
    assert store.servers.settings(SERVER) == ServerSettings()
    assert store.servers.settings(None) == ServerSettings()


async def test_what_was_chosen_is_there_after_a_restart_and_in_no_other_server(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.servers.change(SERVER, MIA, {"channels": [3, 1], "formats": [Format.GIF]})
        await store.servers.change(SERVER, MIA, {"longest_clip": 4.5})
    async with opened(tmp_path) as store:
        found = store.servers.settings(SERVER)
        assert (found.channels, found.formats, found.longest_clip) == (frozenset({1, 3}), frozenset({Format.GIF}), 4.5)
        assert store.servers.settings(OTHER) == ServerSettings()


async def test_each_change_is_in_the_log_with_who_when_and_what(store: JobStore, clock: Clock) -> None:
    await store.servers.change(SERVER, MIA, {"channels": [3], "longest_clip": 5.0})
    clock.now_ms += 1000
    await store.servers.change(SERVER, BEN, {"channels": [3], "longest_clip": 6.0})
    await store.servers.change(SERVER, BEN, {"longest_clip": 6.0})
    second, first = await store.servers.audit(SERVER)
    assert first.what == {"channels": [None, [3]], "longest_clip": [None, 5.0]}
    assert (second.user_id, second.what, second.action) == (BEN, {"longest_clip": [5.0, 6.0]}, SETTINGS_CHANGED)
    assert second.made_ms == first.made_ms + 1000
    assert await store.servers.audit(OTHER) == []


@pytest.mark.parametrize("wrong", [{"longest_clip": 0.1}, {"formats": ["avi"]}, {"language": "klingon!"}])
async def test_a_wrong_value_changes_nothing(store: JobStore, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        await store.servers.change(SERVER, MIA, {"channels": [3], **wrong})
    assert store.servers.settings(SERVER) == ServerSettings()
    assert await store.servers.audit(SERVER) == []


LATER: dict[str, Any] = {
    "channels": [3],
    "formats": ["gif", "avif"],
    "age_rule": "by-region",
    "others_pictures": "by-role",
    "filter_action": "blur",
    "longest_clip": {"svd": 4},
    "music": "waltz",
}
"""as a later version may write it"""


async def test_what_a_later_version_chose_is_read_as_strictly_as_it_may_be_and_survives_a_change(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.database.write(fetch, "insert into server values (?, ?)", (SERVER, json.dumps(LATER)))
    async with opened(tmp_path) as store:
        found = store.servers.settings(SERVER)
        assert (found.channels, found.formats, found.longest_clip) == (frozenset({3}), frozenset({Format.GIF}), None)
        assert found.age_rule is AgeRule.RESTRICTED_ONLY
        assert found.others_pictures is OthersPictures.NEVER
        assert found.filter_action is FilterAction.REFUSE
        await store.servers.change(SERVER, MIA, {"channels": [4]})
        [(kept,)] = await store.database.read(fetch, "select settings from server")
        assert json.loads(kept) == {**LATER, "channels": [4]}


async def test_a_person_is_forgotten_in_the_log_and_a_server_altogether(store: JobStore) -> None:
    await store.servers.change(SERVER, MIA, {"channels": [3]})
    await store.servers.change(OTHER, MIA, {"channels": [3]})
    await store.retention.forget_user(MIA)
    [entry] = await store.servers.audit(SERVER)
    assert (entry.user_id, entry.what) == (None, {"channels": [None, [3]]})
    assert store.servers.settings(SERVER).channels == {3}
    await store.retention.forget_guild(SERVER)
    store.servers.drop(SERVER)
    assert await store.servers.audit(SERVER) == []
    assert store.servers.settings(SERVER) == ServerSettings()
    await store.servers.load()
    assert store.servers.settings(SERVER) == ServerSettings()
    assert store.servers.settings(OTHER).channels == {3}, "the negative control"


async def test_the_log_is_kept_for_ninety_days(store: JobStore, clock: Clock) -> None:
    note = AuditEntry(guild_id=None, user_id=MIA, made_ms=clock.now_ms, action="drain", what={})
    await store.servers.note(note)
    clock.now_ms += KEPT_DAYS * 24 * HOUR_MS
    await store.retention.sweep()
    assert await store.servers.audit(None) == [note]
    clock.now_ms += 1
    await store.retention.sweep()
    assert await store.servers.audit(None) == []
