"""axe-core, the accessibility checker, run inside a page: `make axe` fetches it from npm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

FILE = Path(os.environ.get("AXE_CORE", Path(__file__).parents[2] / ".axe/node_modules/axe-core/axe.min.js"))
SERIOUS = ("serious", "critical")


async def serious_findings(page: Page, part: str = "html") -> list[str]:
    """Return what axe-core finds serious or critical in a part of the page; skip loudly where axe-core is not."""
    if not FILE.exists():
        pytest.skip("NO AXE-CORE: the page's accessibility is NOT checked here. Run `make axe` (it needs npm)")
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(FILE.read_text())
    report = await page.evaluate("(part) => axe.run(part, { resultTypes: ['violations'] })", part)
    violations: list[dict[str, Any]] = report["violations"]
    return [
        f"{found['impact']} {found['id']} at {node['target']}: {node['html'][:160]}"
        for found in violations
        for node in found["nodes"]
        if found["impact"] in SERIOUS
    ]
