"""Chromium plays clips that carry Content Credentials to their end, after our own shrinking and as loops too."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from generator.clip import Format, Loop
from generator.video.credentials.keys import KeyFiles
from generator.video.credentials.manifest import INSTALL, is_installed
from generator.video.credentials.signer import open_signer
from generator.video.shrink import shrink
from tests.generator.video.credentials.test_signer import written
from tests.support.browser import chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not is_installed(), reason=f"without the extra: {INSTALL}"),
]

PLAY = """async (source) => {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, src: source, playbackRate: 16 });
  const ended = new Promise((done, fail) => {
    video.onended = () => done("played");
    video.onerror = () => fail(new Error(video.error.message));
  });
  await video.play();
  return await ended;
}"""
COUNT = """async ([source, type]) => {
  const data = await (await fetch(source)).arrayBuffer();
  const decoder = new ImageDecoder({ data, type });
  await decoder.tracks.ready;
  await decoder.completed;
  const frames = decoder.tracks.selectedTrack.frameCount;
  for (let at = 0; at < frames; at++) (await decoder.decode({ frameIndex: at })).image.close();
  return frames;
}"""


async def test_chromium_plays_signed_clips(tmp_path: Path) -> None:
    signer = await open_signer(KeyFiles.in_folder(tmp_path / "credentials"), make=True)
    page_file = tmp_path / "page.html"
    page_file.write_text("<!doctype html><title>clips</title>")
    async with chromium() as browser:
        page = await (await browser.new_context()).new_page()
        await page.goto(page_file.as_uri())
        for format in Format:
            clip, smaller = tmp_path / f"c.{format}", tmp_path / f"c-49152.{format}"
            made = written(clip, Loop.BOOMERANG)
            await signer.sign(clip)
            small = await shrink(clip, smaller, format, 48 * 1024, signer)
            for path, frames in ((clip, made.frames), (smaller, small.frames)):
                assert b"c2pa" in path.read_bytes()
                type = "video/mp4" if format is Format.MP4 else f"image/{format}"
                source = f"data:{type};base64,{base64.b64encode(path.read_bytes()).decode()}"
                if format is Format.MP4:
                    assert await page.evaluate(PLAY, source) == "played"
                else:
                    assert await page.evaluate(COUNT, [source, type]) == frames
