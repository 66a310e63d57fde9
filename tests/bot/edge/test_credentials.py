"""Clips are posted signed and labelled; /recipe checks what a clip says of itself; without the extra all else works."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.rules.layout.components import walk
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import ADA, PICTURES
from bot.texts.safety.labels import AI_LABEL
from bot.work.supervise import StartError
from bot.work.uplink.signing import open_signing
from generator.video.credentials.manifest import INSTALL, is_installed
from tests.support.edge import Edge, Start, clip_of, until, words

needs_extra = pytest.mark.skipif(not is_installed(), reason=f"without the extra: {INSTALL}")
READER = "import sys, c2pa; print(c2pa.Reader(sys.argv[1]).get_validation_state())"
SIGNED = {"credentials": {"sign": True}}


@needs_extra
async def test_a_posted_clip_is_signed_and_recipe_checks_it(start: Start, tmp_path: Path) -> None:
    async with start(config=SIGNED) as edge:
        content = await posted_clip(edge)
        (tmp_path / "c.mp4").write_bytes(content)
        done = subprocess.run([sys.executable, "-c", READER, str(tmp_path / "c.mp4")], capture_output=True, text=True)
        assert done.stdout.strip() == "Valid", done.stderr
        assert "signed by this bot and unchanged" in await recipe_of(edge, content)
        at = content.index(b"mdat") + 100
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        assert "not valid" in await recipe_of(edge, changed)
        key = edge.services.config.data_dir / "credentials" / "key.pem"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


@needs_extra
async def test_a_file_made_anew_is_signed_and_labelled_too(start: Start) -> None:
    async with start(config=SIGNED) as edge:
        first = await posted_clip(edge)
        [posted] = edge.clips()
        [menu] = [item["custom_id"] for item in walk(posted["components"]) if item["type"] == 3]
        await edge.world.press(ADA, PICTURES, posted["id"], menu, ["none"])
        made = await until(lambda: other_clip(edge, posted), "the clip without a loop")
        assert AI_LABEL in words(made)
        content = edge.world.attachment_bytes((clip_of(made) or {})["id"])
        assert content != first and "signed by this bot and unchanged" in await recipe_of(edge, content)


def other_clip(edge: Edge, before: dict[str, Any]) -> dict[str, Any] | None:
    """Return the message once its clip is another file."""
    found = [item for item in edge.clips() if (clip_of(item) or {})["id"] != (clip_of(before) or {})["id"]]
    return found[0] if found else None


async def test_without_the_extra_clips_are_posted_labelled(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    async with start(config=SIGNED) as edge:
        content = await posted_clip(edge)
        assert b"c2pa" not in content
        assert not (edge.services.config.data_dir / "credentials").exists()


async def test_an_own_certificate_that_is_missing_ends_the_start_with_a_sentence(edge: Edge, tmp_path: Path) -> None:
    own = {"key": str(tmp_path / "key.pem"), "certificate": str(tmp_path / "certificate.pem")}
    settings = type(edge.services.config)(credentials=own, generator={"variant": "demo"})
    if is_installed():
        with pytest.raises(StartError, match=r"key\.pem"):
            await open_signing(settings)
    else:
        assert not (await open_signing(settings)).signs


async def posted_clip(edge: Edge) -> bytes:
    """Animate a picture, and return the posted clip, whose label was seen."""
    await edge.animate()
    message = await edge.clip()
    assert AI_LABEL in words(message)
    clip = clip_of(message)
    assert clip is not None
    return edge.world.attachment_bytes(clip["id"])


async def recipe_of(edge: Edge, content: bytes) -> str:
    return await edge.answer(await edge.invoke("recipe", files={"clip": Upload("a.mp4", "video/mp4", content)}))
