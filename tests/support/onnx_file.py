"""Writes a tiny model in ONNX's format, for the filter: how red a picture is. No library that writes ONNX is needed."""

from __future__ import annotations

from pathlib import Path

_FLOAT = 1


def redness(path: Path, *, side: int = 32) -> Path:
    """Write a model that takes 1 x 3 x side x side and returns the means of the three colours, and return its path."""
    pool = _node("GlobalAveragePool", "picture", "means")
    flat = _node("Flatten", "means", "scores")
    graph = b"".join(
        (
            _bytes(1, pool),
            _bytes(1, flat),
            _bytes(2, b"redness"),
            _bytes(11, _value("picture", (1, 3, side, side))),
            _bytes(12, _value("scores", (1, 3))),
        )
    )
    opset = _bytes(1, b"") + _number(2, 13)
    path.write_bytes(_number(1, 8) + _bytes(7, graph) + _bytes(8, opset))
    return path


def _node(kind: str, taken: str, given: str) -> bytes:
    return _bytes(1, taken.encode()) + _bytes(2, given.encode()) + _bytes(4, kind.encode())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_bytes(1, _number(1, side)) for side in shape)
    tensor = _number(1, _FLOAT) + _bytes(2, dimensions)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
