"""Parts of a file read like one file."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from generator.picture.formats.splice import Part, spliced

DATA = bytes(range(200))
parts = st.lists(st.binary(max_size=9) | st.tuples(st.integers(0, 99), st.integers(100, 200)), max_size=6)


@given(parts, st.lists(st.tuples(st.integers(0, 900), st.integers(0, 300)), max_size=6))
def test_it_reads_as_its_parts_do(parts: list[Part], reads: list[tuple[int, int]]) -> None:
    whole = b"".join(part if isinstance(part, bytes) else DATA[part[0] : part[1]] for part in parts)
    file, expected = spliced(io.BytesIO(DATA), parts), io.BytesIO(whole)
    assert file.read() == whole
    for offset, count in reads:
        assert file.seek(offset) == expected.seek(offset)
        assert file.read(count) == expected.read(count)
        assert file.tell() == expected.tell()
    assert file.seek(0, io.SEEK_END) == len(whole)
