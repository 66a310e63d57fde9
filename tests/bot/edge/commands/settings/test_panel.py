"""The panel's pages: each setting once, with what it means, within Discord's limits."""

from __future__ import annotations

from typing import Any

import pytest

from bot.edge.commands.settings.panel import PAGES, Page, Shown, settings_panel
from bot.policy.server import ServerSettings
from bot.sandbox.rules.errors import Refusal
from bot.sandbox.rules.layout.components import check_components
from bot.texts.settings.server_settings import TITLES, describe_setting
from tests.support.edge import words

HUGE = 10**18
FULL = ServerSettings.model_validate(
    {
        "channels": list(range(HUGE, HUGE + 25)),
        "roles": list(range(HUGE, HUGE + 25)),
        "role_quotas": {number: {"clips_per_day": 99999} for number in range(HUGE, HUGE + 60)},
        "variants": [f"{'v' * 90}{number}" for number in range(40)],
        "longest_clip": 7.5,
        "language": "tlh",
    }
)


def test_every_setting_is_on_one_page() -> None:
    names = [name for page in PAGES.values() for name in page]
    assert sorted(names) == sorted(ServerSettings.model_fields)
    assert TITLES.keys() == ServerSettings.model_fields.keys()


@pytest.mark.parametrize("settings", [ServerSettings(), FULL], ids=["defaults", "full"])
@pytest.mark.parametrize("page", list(Page))
def test_a_page_says_what_each_setting_means_and_discord_takes_it(page: Page, settings: ServerSettings) -> None:
    long = "Ẅ🎞" * 60
    shown = Shown(
        page=page, settings=settings, server=long, variants=[long, "svd"], changes=["x" * 400] * 5, warning="w" * 400
    )
    parts: list[dict[str, Any]] = settings_panel(shown).to_components()
    check_components(parts, v2=True)
    for name in PAGES[page]:
        assert describe_setting(name, settings) in words(parts)


def test_a_menu_that_discord_refuses_would_be_seen() -> None:
    """The negative control: the same check on a menu with a choice too many."""
    parts: list[dict[str, Any]] = settings_panel(Shown(page=Page.SAFETY, settings=ServerSettings())).to_components()
    menu = parts[0]["components"][2]["components"][0]
    menu["max_values"] = 9
    with pytest.raises(Refusal):
        check_components(parts, v2=True)
