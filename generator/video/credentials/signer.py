"""Signs finished clips in a child: it alone reads the key, opens our own clips alone, and reaches nothing else.

Neither the bot process nor a child that opens strangers' files ever has the key. The child reads it before its walls
go up, so afterwards not even the file can be opened.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from generator.errors import RenderCrashed
from generator.process.child import Child
from generator.process.confine import Confinement, confine
from generator.process.durable import publish
from generator.process.share import thread_environment
from generator.protocol import from_line, to_line
from generator.video.credentials.keys import KeyFiles

log = logging.getLogger(__name__)

_COMMAND = (sys.executable, "-m", "generator.video.credentials.signer")
_END_SECONDS = 10.0
_MANIFEST_BYTES = 6 * 1024
"""without the certificates: measured 2.5 kB, with a whole recipe"""


class ClipSigner:
    """Signs clips in place. `signs` is False where there is no key; then clips stay as they are."""

    def __init__(self, files: KeyFiles | None) -> None:
        self._files = files
        self.certificates = "" if files is None else files.certificates.read_text("ascii", errors="replace")
        """in PEM; public"""

    @property
    def signs(self) -> bool:
        """Tell whether there is a key to sign with."""
        return self._files is not None

    @property
    def reserved_bytes(self) -> int:
        """Return how much of a clip's byte budget is left for the credentials."""
        return _MANIFEST_BYTES + len(self.certificates) if self.signs else 0

    def budget(self, max_bytes: int) -> int:
        """Return how many bytes a clip may have before it is signed."""
        return max(1, max_bytes - self.reserved_bytes)

    async def sign(self, clip: Path) -> int:
        """Sign a clip in place, and return its bytes.

        When that fails the clip stays as it was, unsigned: nobody loses a clip by it, and the log says it.
        """
        if self._files is not None:
            aside = clip.with_name(f".{clip.stem}.{secrets.token_hex(4)}{clip.suffix}")
            request = {"clip": clip, "target": aside, "key": self._files.key, "certificates": self._files.certificates}
            try:
                await _ask_child("sign", request)
                publish(aside, clip)
            except (OSError, RenderCrashed) as error:
                log.error("%s could not be signed: %s", clip.name, error)
            finally:
                aside.unlink(missing_ok=True)
        return clip.stat().st_size


UNSIGNED = ClipSigner(None)


async def open_signer(files: KeyFiles, *, make: bool) -> ClipSigner:
    """Return a signer with these files; `make` lets them be made where they are missing. Raises RenderCrashed."""
    if make and not files.exist:
        await _ask_child("make", {"key": files.key, "certificates": files.certificates})
        log.info("made a key for Content Credentials: %s", files.key.parent)
    return ClipSigner(files)


async def _ask_child(kind: str, request: dict[str, Any]) -> None:
    child = await Child.spawn(_COMMAND, thread_environment(1), lambda: "signing child:")
    try:
        answer = await child.ask(kind, parent=os.getpid(), **request)
        end = await child.ended(_END_SECONDS)
    finally:
        await child.kill()
    if answer is None or answer["type"] != "done":
        raise RenderCrashed(f"the signing child {end}: {answer['why'] if answer else end.last_words}")


# -- the child's side


def _serve() -> None:
    """Be the child: do the one request on stdin."""
    from generator.process.lifeline import die_with_parent, take_stdout

    answers = take_stdout()
    request = from_line(sys.stdin.buffer.readline())
    die_with_parent(int(request["parent"]))
    files = KeyFiles(Path(request["key"]), Path(request["certificates"]))
    try:
        if request["type"] == "make":
            _make(files)
        else:
            _sign(files, Path(request["clip"]), Path(request["target"]))
    except Exception as error:  # noqa: BLE001 - whatever c2pa and cryptography raise, the parent is told
        answers.write(to_line("failed", why=f"{type(error).__name__}: {error}"))
    else:
        answers.write(to_line("done"))


def _make(files: KeyFiles) -> None:
    from generator.video.credentials.keys import make_key

    make_key(files)


def _sign(files: KeyFiles, clip: Path, target: Path) -> None:
    key, certificates = files.key.read_bytes(), files.certificates.read_bytes()
    confine(Confinement(readable=(clip.absolute().parent,), writable=(target.absolute().parent,)))
    from generator.video.credentials.manifest import sign
    from generator.video.recipe import read_recipe

    sign(clip, target, read_recipe(clip) or {}, key, certificates)


if __name__ == "__main__":
    _serve()
