"""The small changes to an SQL statement that change what it does. Pure text; knows no Python code and no database.

Tested in tests/test_mutants.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_STATEMENT = re.compile(r"\b(select|update|delete|insert|where|order by|values)\b")
_CONDITION = r"[\w.]+ (?:(?:=|<>|<=|>=|<|>) (?:[:@]?[\w.]+|\?|'\w*')|in \([^()]*\)|is (?:not )?null)"

CHANGES = (
    (rf"(?<=\bwhere ){_CONDITION}", "true"),
    (rf"(?<=\band ){_CONDITION}", "true"),
    (r"\bwhere\b", "where false and"),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"(?<![<>])<(?![=>])", "<="),
    (r"<=", "<"),
    (r"(?<![<>-])>(?!=)", ">="),
    (r">=", ">"),
    (r"<>", "="),
    (r"\bis not null\b", "is null"),
    (r"\bis null\b", "is not null"),
    (r"\bmax\(", "min("),
    (r"\bmin\(", "max("),
    (r"\border by (\w+), ", "order by "),
    (r"\border by (?=\w)", "order by -"),
    (r"\bcoalesce\((\w+), ([:\w]+)\)", r"\1"),
    (r"\bcoalesce\((\w+), ([:\w]+)\)", r"\2"),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"\bdistinct ", ""),
)
"""each pattern is replaced where it occurs, one occurrence at a time"""


def change_sql(text: str) -> Iterator[str]:
    """Yield a text with one change each; nothing for a text that is no SQL."""
    if not _STATEMENT.search(text):
        return
    for pattern, replacement in CHANGES:
        for found in re.finditer(pattern, text):
            yield text[: found.start()] + found.expand(replacement) + text[found.end() :]
