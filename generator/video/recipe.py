"""The recipe in a clip's metadata: how it was made, and that it was made by a model. No personal data, no torch.

All three formats carry the same XMP packet: IPTC's mark for generated media, which other programs understand, and our
recipe as JSON. Reading trusts nothing, because anybody may have written the file.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from generator.clip import ClipSettings, Format
from generator.errors import SettingsError
from generator.variants import Variant

AI_GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's digital source type for media that a model has made"""

_MAX_PACKET = 256 * 1024
_MOST_BOXES = 10_000
"""that are looked at in a file; our longest clips have about 2,400, one for each frame of a WebP"""
_LONGEST_NAME = 100
_ALSO: dict[type, type] = {float: int, type(None): int}
"""what a setting may be besides the type of its default"""
_MP4_XMP = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
"""the uuid box that Adobe's XMP specification (part 3) gives to MP4"""
_GIF_XMP = b"XMP DataXMP"
_GIF_TRAILER = bytes([1, *range(255, -1, -1), 0])
"""XMP in a GIF is not cut into blocks; a reader that takes its bytes for block lengths is led by these to its end"""
_RECIPE = re.compile(rb'vivant:recipe="([^"]*)"')


def make_recipe(settings: ClipSettings, variant: Variant, **facts: Any) -> dict[str, Any]:
    """Return a clip's recipe: every setting and the seed, the model and its revision, the program's version, `facts`.

    Of a model in a local folder it has only the name: the path may contain a person's name.
    """
    model = {"variant": variant.name, "revision": variant.revision}
    if not variant.is_local:
        model["source"] = variant.source
    return {"program": program(), "settings": settings.to_json(), "model": model, **facts}


def program() -> str:
    """Return this program's name and version."""
    from importlib.metadata import PackageNotFoundError, version  # a third of what a picture child takes to start

    try:
        return f"Vivant {version('vivant')}"
    except PackageNotFoundError:  # run from a folder, without being installed
        return "Vivant"


def ai_comment() -> str:
    """Return the text for the formats' own comment field, which simple viewers show."""
    return f"AI-generated with {program()}"


def write_recipe(path: Path, format: Format, recipe: dict[str, Any]) -> None:
    """Add the recipe to a finished MP4, GIF or WebP that has none, in place."""
    packet = _packet({"ai_generated": True, "digital_source_type": AI_GENERATED, **recipe})
    writer = {Format.MP4: _append_to_mp4, Format.GIF: _insert_in_gif, Format.WEBP: _append_to_webp}[format]
    with path.open("r+b") as file:
        writer(file, packet)


def read_recipe(path: Path) -> dict[str, Any] | None:
    """Return the recipe of a clip, or None when the file has none or cannot be read."""
    try:
        with path.open("rb") as file:
            for packet in _packets(file):
                found = _RECIPE.search(packet)
                recipe = json.loads(html.unescape(found[1].decode())) if found else None
                if isinstance(recipe, dict):
                    return recipe
    except (OSError, ValueError, RecursionError):
        return None
    return None


def read_settings(path: Path) -> ClipSettings | None:
    """Return the settings in a stranger's clip, each of its own type; None when it has none that could be ours."""
    recipe = read_recipe(path)
    try:
        settings = ClipSettings.from_json(recipe["settings"]) if recipe else None
    except (SettingsError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return settings if settings and _is_plain(settings) else None


def used_fast_math(path: Path) -> bool:
    """Tell whether a stranger's clip says that it was computed approximately."""
    recipe = read_recipe(path)
    return recipe is not None and recipe.get("fast_math") is True


def _is_plain(settings: ClipSettings) -> bool:
    usual, found = ClipSettings().to_json(), settings.to_json()
    typed = all(type(found[name]) in (type(value), _ALSO.get(type(value))) for name, value in usual.items())
    return typed and len(settings.variant) <= _LONGEST_NAME and settings.variant.isprintable()


def _packet(recipe: dict[str, Any]) -> bytes:
    from xml.sax.saxutils import quoteattr  # loads what opens addresses, too

    value = quoteattr(json.dumps(recipe, separators=(",", ":"), default=str), {'"': "&quot;"})
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:vivant="urn:vivant:recipe:1"'
        f' xmp:CreatorTool="{program()}" Iptc4xmpExt:DigitalSourceType="{AI_GENERATED}" vivant:recipe={value}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode("ascii")


def _append_to_mp4(file: BinaryIO, packet: bytes) -> None:
    file.seek(0, 2)
    file.write((8 + 16 + len(packet)).to_bytes(4, "big") + b"uuid" + _MP4_XMP + packet)


def _insert_in_gif(file: BinaryIO, packet: bytes) -> None:
    """Insert it before the first frame, where readers find it without decoding the whole file."""
    file.seek(10)
    flags = file.read(1)[0]
    start = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)  # after the header and the palette
    file.seek(start)
    rest = file.read()
    if rest.startswith(b"\x21\xff\x0bNETSCAPE2.0"):  # the loop count: old readers look for it only here
        start, rest = start + 19, rest[19:]
    file.seek(start)
    file.write(b"\x21\xff\x0b" + _GIF_XMP + packet + _GIF_TRAILER + rest)


def _append_to_webp(file: BinaryIO, packet: bytes) -> None:
    file.seek(12)
    first = file.read(4)
    if first in (b"VP8 ", b"VP8L"):
        _extend_webp(file)
    file.seek(20)
    flags = file.read(1)[0]
    file.seek(20)
    file.write(bytes([flags | 0x04]))  # the flag in VP8X that says that there is XMP
    size = file.seek(0, 2)
    padding = b"\0" * (len(packet) % 2)
    file.write(b"XMP " + len(packet).to_bytes(4, "little") + packet + padding)
    file.seek(4)
    file.write((size + len(packet) + len(padding)).to_bytes(4, "little"))


def _extend_webp(file: BinaryIO) -> None:
    """Give a WebP of one plain picture the chunk VP8X, which it needs to have metadata."""
    file.seek(12)
    kind, _, payload = file.read(4), file.read(4), file.read(10)
    if kind == b"VP8L":  # lossless: after a signature 14 bits each, less one, and whether there is alpha
        bits = int.from_bytes(payload[1:5], "little")
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bits >> 28 & 1
    else:  # after a frame tag and a start code 14 bits each, below 2 bits for scaling
        width, height = (int.from_bytes(payload[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        alpha = 0
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    file.seek(12)
    rest = file.read()
    file.seek(12)
    file.write(b"VP8X" + (10).to_bytes(4, "little") + bytes([alpha << 4, 0, 0, 0]) + canvas + rest)


def _packets(file: BinaryIO) -> Iterator[bytes]:
    """Return what may be XMP packets, found by the structure of the file's format."""
    head = file.read(12)
    size = file.seek(0, 2)
    if head[4:8] == b"ftyp":
        yield from _mp4_packets(file, size)
    elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
        yield from _webp_packets(file, size)
    elif head[:4] == b"GIF8":
        file.seek(0)
        yield file.read(_MAX_PACKET).partition(_GIF_XMP)[2]


def _mp4_packets(file: BinaryIO, size: int) -> Iterator[bytes]:
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > size:
            return
        file.seek(at)
        header = file.read(24)
        length = int.from_bytes(header[:4], "big")
        if header[4:8] == b"uuid" and header[8:] == _MP4_XMP:
            yield file.read(min(length - 24, _MAX_PACKET)) if length > 24 else b""
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return
        at += length


def _webp_packets(file: BinaryIO, size: int) -> Iterator[bytes]:
    at = 12
    for _ in range(_MOST_BOXES):
        if at + 8 > size:
            return
        file.seek(at)
        header = file.read(8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] == b"XMP ":
            yield file.read(min(length, _MAX_PACKET))
        at += 8 + length + length % 2
