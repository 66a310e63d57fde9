"""The orientation in Exif data, read as browsers read it: what is not exactly right counts as none.

Pillow would also take it from XMP, and from values of any type and number.
"""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_SHORT = 3


def orientation(exif: bytes | None) -> int:
    """Return 1-8; 1 where there is no single 16-bit number from 1 to 8. The data begins with the byte order."""
    data = exif or b""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIHxx", data, entry)
            if (tag, kind, number) == (_ORIENTATION, _SHORT, 1) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 1
