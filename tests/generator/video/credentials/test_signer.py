"""Clips carry signed Content Credentials that an independent reader validates, also after shrinking and as loops."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from generator.backend.signing_backend import SigningBackend
from generator.clip import ClipSettings, Format, Loop
from generator.picture.intake import PictureChild
from generator.protocol import Rendered, RenderRequest
from generator.variants import BUILT_IN
from generator.video.clip_file import ClipFormat, EncodedClip
from generator.video.credentials.keys import KeyFiles
from generator.video.credentials.manifest import INSTALL, Credentials, CredentialState, is_installed
from generator.video.credentials.signer import UNSIGNED, ClipSigner, open_signer
from generator.video.encode import ClipWriter
from generator.video.recipe import AI_GENERATED, make_recipe, read_recipe
from generator.video.shrink import shrink
from tests.support.inspect_clip import inspect_clip
from tests.support.scenes import noise

pytestmark = pytest.mark.skipif(not is_installed(), reason=f"without the extra: {INSTALL}")

READER = """
import json, sys, c2pa
with c2pa.Reader(sys.argv[1]) as reader:
    print(json.dumps({"state": reader.get_validation_state(), "store": json.loads(reader.json())}))
"""
"""an independent reader: c2pa's own, in a process that knows nothing of ours"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    return KeyFiles.in_folder(tmp_path_factory.mktemp("data") / "credentials")


@pytest.fixture
async def signer(files: KeyFiles) -> ClipSigner:
    return await open_signer(files, make=True)


@pytest.fixture
async def pictures() -> AsyncIterator[PictureChild]:
    async with PictureChild(children=1) as child:
        yield child


def written(path: Path, loop: Loop = Loop.NONE, max_bytes: int = 2**30) -> EncodedClip:
    format = Format(path.suffix[1:])
    recipe = make_recipe(ClipSettings(variant="demo", seed=42, loop=loop, format=format), BUILT_IN["demo"])
    form = ClipFormat(
        format=format, width=192, height=108, playback_fps=7, max_bytes=max_bytes, loop=loop, recipe=recipe
    )
    with ClipWriter(path, form) as writer:
        for frame in noise(8, 192, 108):
            writer.add(frame)
        return writer.finish()


def read_independently(path: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def says_made_by_a_model(found: dict[str, Any]) -> bool:
    active = found["store"]["manifests"][found["store"]["active_manifest"]]
    actions = next(item for item in active["assertions"] if item["label"].startswith("c2pa.actions"))["data"]["actions"]
    return [(each["action"], each["digitalSourceType"]) for each in actions] == [("c2pa.created", AI_GENERATED)]


@pytest.mark.parametrize("loop", [Loop.NONE, Loop.BOOMERANG, Loop.SEAM])
@pytest.mark.parametrize("format", Format)
async def test_an_independent_reader_validates_a_signed_clip(
    tmp_path: Path, signer: ClipSigner, format: Format, loop: Loop
) -> None:
    clip = tmp_path / f"c.{format}"
    made, before = written(clip, loop), read_recipe(clip)
    size = await signer.sign(clip)
    found = read_independently(clip)
    assert found["state"] == "Valid" and says_made_by_a_model(found)
    assert made.bytes < size == clip.stat().st_size <= made.bytes + signer.reserved_bytes
    assert inspect_clip(clip).frames == made.frames and read_recipe(clip) == before is not None
    assert {path.name for path in tmp_path.iterdir()} == {clip.name}


@pytest.mark.parametrize("format", Format)
async def test_a_clip_that_was_made_smaller_is_signed_within_its_budget(
    tmp_path: Path, signer: ClipSigner, format: Format
) -> None:
    clip, smaller, budget = tmp_path / f"c.{format}", tmp_path / f"c-49152.{format}", 48 * 1024
    written(clip)
    await signer.sign(clip)
    assert clip.stat().st_size > budget
    made = await shrink(clip, smaller, format, budget, signer)
    found = read_independently(smaller)
    assert found["state"] == "Valid" and says_made_by_a_model(found)
    assert smaller.stat().st_size == made.bytes <= budget
    recipe = read_recipe(smaller)
    assert recipe is not None and recipe["settings"]["seed"] == 42
    assert {path.name for path in tmp_path.iterdir()} == {clip.name, smaller.name}


@pytest.mark.parametrize("format", Format)
async def test_a_changed_clip_is_noticed(
    tmp_path: Path, signer: ClipSigner, pictures: PictureChild, format: Format
) -> None:
    clip = tmp_path / f"c.{format}"
    written(clip)
    await signer.sign(clip)
    assert await pictures.check_credentials(clip, signer.certificates) == Credentials(
        state=CredentialState.OURS, signer="Vivant, with a certificate made by itself", is_generated=True
    )
    content = bytearray(clip.read_bytes())
    at = content.index(b"mdat") + 500 if format is Format.MP4 else len(content) * 3 // 4
    content[at] ^= 1
    clip.write_bytes(content)
    changed = await pictures.check_credentials(clip, signer.certificates)
    assert changed.state is CredentialState.CHANGED


async def test_whose_certificate_it_was_is_told(tmp_path: Path, signer: ClipSigner, pictures: PictureChild) -> None:
    clip, plain = tmp_path / "c.gif", tmp_path / "plain.gif"
    written(clip)
    written(plain)
    await signer.sign(clip)
    other = await open_signer(KeyFiles.in_folder(tmp_path / "other"), make=True)
    assert (await pictures.check_credentials(clip, other.certificates)).state is CredentialState.OTHERS
    assert (await pictures.check_credentials(clip, "")).state is CredentialState.OTHERS
    assert (await pictures.check_credentials(plain, signer.certificates)).state is CredentialState.NONE
    (tmp_path / "no.mp4").write_bytes(b"\0\0\0\x18ftypisom no clip")
    found = await pictures.check_credentials(tmp_path / "no.mp4", signer.certificates)
    assert found.state in (CredentialState.NONE, CredentialState.CHANGED)


async def test_the_key_is_private_and_made_once(files: KeyFiles, signer: ClipSigner) -> None:
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600 == stat.S_IMODE(files.certificates.stat().st_mode)
    assert stat.S_IMODE(files.key.parent.stat().st_mode) == 0o700
    secret = files.key.read_bytes()
    again = await open_signer(files, make=True)
    assert files.key.read_bytes() == secret and again.certificates == signer.certificates
    assert b"PRIVATE" in secret and "PRIVATE" not in signer.certificates


async def test_nothing_personal_is_signed(tmp_path: Path, signer: ClipSigner) -> None:
    clip = tmp_path / "c.webp"
    written(clip)
    await signer.sign(clip)
    content = clip.read_bytes().lower()
    assert b"vivant" in content
    for private in (str(tmp_path).encode(), Path.home().name.encode() * 2, b"user_id", b"discord"):
        assert private.lower() not in content


async def test_a_clip_that_cannot_be_signed_is_kept_as_it_was(
    tmp_path: Path, files: KeyFiles, signer: ClipSigner, caplog: pytest.LogCaptureFixture
) -> None:
    clip, broken = tmp_path / "c.gif", KeyFiles(tmp_path / "key.pem", files.certificates)
    written(clip)
    broken.key.write_text("no key")
    before = clip.read_bytes()
    assert await ClipSigner(broken).sign(clip) == len(before)
    assert clip.read_bytes() == before and "could not be signed" in caplog.text
    assert await UNSIGNED.sign(clip) == len(before) and UNSIGNED.budget(1000) == 1000


class _Backend:
    """Writes a clip that uses its budget."""

    slots, encoders, executors = 1, 2, 3

    def __init__(self) -> None:
        self.budgets: list[int] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def preload(self, variant: str) -> None: ...

    def describe(self) -> dict[str, Any]:
        return {"name": "a card"}

    async def render(self, request: RenderRequest, on_progress: object) -> Rendered:
        self.budgets.append(request.max_bytes)
        made = written(request.clip_path, max_bytes=request.max_bytes)
        names = ("bytes", "width", "height", "frames", "playback_fps", "seconds")
        return Rendered(clip_path=made.path, **{name: getattr(made, name) for name in names})


async def test_the_credentials_of_a_rendered_clip_are_within_its_channel_s_limit(
    tmp_path: Path, signer: ClipSigner
) -> None:
    backend = _Backend()
    request = RenderRequest(
        job=1,
        attempt=1,
        picture_path=tmp_path / "p.png",
        clip_path=tmp_path / "1-1.mp4",
        settings=ClipSettings(),
        max_bytes=40_000,
    )
    signing = SigningBackend(backend, signer)
    rendered = await signing.render(request, lambda _progress: None)
    assert backend.budgets == [40_000 - signer.reserved_bytes]
    assert rendered.bytes == request.clip_path.stat().st_size <= request.max_bytes
    assert read_independently(request.clip_path)["state"] == "Valid"
    assert (signing.slots, signing.encoders, signing.executors, signing.describe()) == (1, 2, 3, {"name": "a card"})
