"""The files that people and the bot uploaded, and the signed links under which the CDN serves them.

Tested in tests/sandbox/test_cdn.py.
"""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import struct
import warnings
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

from PIL import Image, UnidentifiedImageError

from bot.sandbox.rules.clock import Clock, Snowflakes, Timing
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload, clean_filename

CDN = "https://cdn.discordapp.com"
MEDIA = "https://media.discordapp.net"
EXTERNAL = "https://images-ext-1.discordapp.net"


class Attachments:
    """Stored uploads by id. Of a picture or clip only the header is read."""

    def __init__(self, clock: Clock, snowflakes: Snowflakes, timing: Timing) -> None:
        self._clock = clock
        self._snowflakes = snowflakes
        self._timing = timing
        self._uploads: dict[str, Upload] = {}
        self._linked: dict[str, Upload] = {}
        """the copies of linked pictures, by path"""
        self._secret = b"a sandbox has nothing to protect"

    def add(self, upload: Upload, folder: str, *, ephemeral: bool = False, **extra: object) -> Json:
        """Store an upload and return its attachment object; `folder` is the channel's (or application's) id."""
        attachment_id = self._snowflakes.next()
        name = clean_filename(upload.filename)
        self._uploads[attachment_id] = upload
        kind = "ephemeral-attachments" if ephemeral else "attachments"
        path = f"/{kind}/{folder}/{attachment_id}/{name}"
        payload: Json = {"id": attachment_id, "filename": name, "size": len(upload.data), **extra}
        payload |= {"description": upload.description} if upload.description else {}
        payload |= {"url": self._sign(CDN, path), "proxy_url": self._sign(MEDIA, path)}
        payload |= _measure(upload.data)
        content_type = mimetypes.guess_type(name)[0]
        if content_type:
            payload["content_type"] = content_type
        if ephemeral:
            payload["ephemeral"] = True
        return payload

    def link(self, url: str, picture: Upload) -> Json:
        """Keep a copy of the picture behind a link, and return the embed that shows it."""
        path = f"/external/{self._mac(url, '')[:43]}/{url.replace('://', '/', 1)}"
        self._linked[path] = picture
        media = {"url": url, "proxy_url": EXTERNAL + path, **_measure(picture.data)}
        return {"type": "image", "url": url, "thumbnail": media}

    def linked(self, path: str) -> Upload | None:
        """Return the copy of a linked picture, or None."""
        return self._linked.get(path)

    def read(self, attachment_id: str) -> Upload | None:
        """Return a stored upload, or None."""
        return self._uploads.get(attachment_id)

    def refresh(self, attachment: Json) -> Json:
        """Return the attachment with a newly signed link. Discord signs anew each time a message is read."""
        path = urlsplit(attachment["url"]).path
        return attachment | {"url": self._sign(CDN, path), "proxy_url": self._sign(MEDIA, path)}

    def link_is_good(self, path: str, query: str) -> bool:
        """Return whether a link has a valid signature and has not expired."""
        fields = parse_qs(query)
        expires, mac = (fields.get(key, [""])[0] for key in ("ex", "hm"))
        if not hmac.compare_digest(mac, self._mac(path, expires)):
            return False
        return int(expires, 16) > self._clock.now()

    def _sign(self, host: str, path: str) -> str:
        now = int(self._clock.now())
        expires = f"{now + int(self._timing.link_life):x}"
        return f"{host}{path}?ex={expires}&is={now:x}&hm={self._mac(path, expires)}&"

    def _mac(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path} {expires}".encode(), hashlib.sha256).hexdigest()


def _measure(data: bytes) -> Json:
    if data[4:8] == b"ftyp":
        return _measure_mp4(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data)) as picture:
                return {"width": picture.width, "height": picture.height}
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return {}


def _measure_mp4(data: bytes) -> Json:
    """Read width and height from the first track header that has them: 16.16 fixed point, at the box's end."""
    start = data.find(b"tkhd")
    while start > 0:
        end = start - 4 + struct.unpack_from(">I", data, start - 4)[0]
        if start + 80 <= end <= len(data):
            width, height = struct.unpack_from(">II", data, end - 8)
            if width and height:
                return {"width": width >> 16, "height": height >> 16}
        start = data.find(b"tkhd", start + 4)
    return {}
