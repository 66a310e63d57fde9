"""The type of Discord's JSON objects.

Tested in tests/sandbox/test_openapi.py.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
