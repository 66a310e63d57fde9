"""The boxes of an AVIF's header: which properties each of its pictures has, and how to add one.

Tested in tests/generator/picture/formats/test_isobmff.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from generator.picture.formats.splice import Part

_LARGEST_META = 1 << 20
_NOT_SAID = (2, 2)

Boxes = list[tuple[bytes, bytes]]
"""type and content of each box, in the file's order"""


@dataclass(frozen=True, slots=True)
class Meta:
    """The box that describes all pictures in the file."""

    start: int
    """where in the file it begins, its length and type included"""
    end: int
    file_end: int
    boxes: Boxes
    head: bytes
    """version and flags"""

    @classmethod
    def read(cls, file: BinaryIO) -> Meta | None:
        """Find it among the file's outer boxes; None where it is missing or too large."""
        file_end, at = file.seek(0, 2), 0
        while True:
            file.seek(at)
            head = file.read(8)
            if len(head) < 8:
                return None
            length, kind = struct.unpack(">I4s", head)
            if length < 8:
                return None
            if kind == b"meta":
                data = file.read(min(length - 8, _LARGEST_META))
                return cls(at, at + length, file_end, list(_boxes(data[4:])), data[:4])
            at += length

    def colour_codes(self) -> tuple[int, int]:
        """Return the primary picture's codes for primaries and transfer; 2 is "not said"."""
        try:
            listed = self._properties()
            for index in self._associations()[self._primary()]:
                kind, body = listed[(index & 0x7FFF) - 1]
                if kind == b"colr" and body[:4] == b"nclx":
                    primaries, transfer = struct.unpack(">HH", body[4:8])
                    return primaries, transfer
        except (KeyError, IndexError, struct.error):
            pass
        return _NOT_SAID

    def with_sizes(self) -> list[Part] | None:
        """Return the file with the primary picture's size for every picture without one; None where all have one.

        The old box stays, as free space, so that no offset in the file changes. The new one follows at the end.
        """
        try:
            listed, items = self._properties(), self._associations()
            sizes = {index for index, (kind, _) in enumerate(listed, 1) if kind == b"ispe"}
            size = next(index for index in items[self._primary()] if index & 0x7FFF in sizes)
        except (KeyError, IndexError, struct.error, StopIteration):
            return None
        missing = [item for item, indexes in items.items() if not {index & 0x7FFF for index in indexes} & sizes]
        if not missing:
            return None
        for item in missing:
            items[item] = [size & 0x7FFF, *items[item]]
        outer: Boxes = [(kind, self._with(items) if kind == b"iprp" else body) for kind, body in self.boxes]
        start, meta = self.start, _packed([(b"meta", self.head + _packed(outer))])
        return [(0, start + 4), b"free", (start + 8, self.file_end), meta]

    def _with(self, items: dict[int, list[int]]) -> bytes:
        """Return the content of the properties' box with other associations, in their wide form."""
        body = b"\x01\0\0\x01" + struct.pack(">I", len(items))
        for item, indexes in items.items():
            body += struct.pack(f">IB{len(indexes)}H", item, len(indexes), *indexes)
        return _packed([(kind, body if kind == b"ipma" else old) for kind, old in _boxes(dict(self.boxes)[b"iprp"])])

    def _primary(self) -> int:
        return int.from_bytes(dict(self.boxes)[b"pitm"][4:], "big")

    def _properties(self) -> Boxes:
        return list(_boxes(dict(_boxes(dict(self.boxes)[b"iprp"]))[b"ipco"]))

    def _associations(self) -> dict[int, list[int]]:
        """Return the numbers of each picture's properties, from 1 on; 0x8000 is set where a reader must know one."""
        body = dict(_boxes(dict(self.boxes)[b"iprp"]))[b"ipma"]
        wide, size, at, found = body[3] & 1, 4 if body[0] else 2, 8, dict[int, list[int]]()
        for _ in range(int.from_bytes(body[4:8], "big")):
            item, count = int.from_bytes(body[at : at + size], "big"), body[at + size]
            at += size + 1
            values = struct.unpack_from(f">{count}{'H' if wide else 'B'}", body, at)
            found[item] = [value if wide else (value & 0x80) << 8 | value & 0x7F for value in values]
            at += count * (2 if wide else 1)
        return found


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if length < 8:
            return
        yield kind, data[at + 8 : at + length]
        at += length


def _packed(boxes: Boxes) -> bytes:
    return b"".join(struct.pack(">I4s", len(body) + 8, kind) + body for kind, body in boxes)
