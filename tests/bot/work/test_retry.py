"""A transaction that a full disk refused is run again; any other fault comes out."""

from __future__ import annotations

import pytest

from bot.queue.database import StoreFull
from bot.work.retry import retry_while_full


async def test_it_is_run_again_after_each_wait_for_room() -> None:
    errors: list[Exception] = [StoreFull("one"), StoreFull("two")]
    waits: list[StoreFull] = []

    async def transaction() -> int:
        if errors:
            raise errors.pop(0)
        return 7

    async def wait(error: StoreFull) -> None:
        waits.append(error)

    assert await retry_while_full(transaction, wait) == 7
    assert [str(error) for error in waits] == ["one", "two"]
    errors.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await retry_while_full(transaction, wait)
    assert len(waits) == 2
