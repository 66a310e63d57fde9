"""How work is cut into chunks."""

from __future__ import annotations

import pytest

from generator.model.lean.chunks import even_chunks


@pytest.mark.parametrize(
    ("total", "most", "sizes"), [(50, 13, {10}), (50, 50, {50}), (14, 5, {5, 4}), (9216, 1844, {1536})]
)
def test_chunks_are_alike_where_that_is_cheap(total: int, most: int, sizes: set[int]) -> None:
    chunks = list(even_chunks(total, most))
    assert {chunk.stop - chunk.start for chunk in chunks} == sizes
    assert [chunk.start for chunk in chunks[1:]] == [chunk.stop for chunk in chunks[:-1]]
    assert chunks[-1].stop == total
